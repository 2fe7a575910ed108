"""A form is sent on as it came, with only the named fields said otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import InvalidRequest
from headgate.core.form import File, Form, Written
from headgate.dialects.multipart import Parser


class Kept:
    def __init__(self, data):
        self.data = data
        self.size = len(data)

    def read(self, start, end):
        return self.data[start:end]


def part(name, value, filename=None):
    more = f'; filename="{filename}"' if filename is not None else ""
    return f'content-disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value


def form(*parts):
    body = b"".join(b"--XX\r\n" + each + b"\r\n" for each in parts) + b"--XX--\r\n"
    parser = Parser(b"XX")
    parser.feed(body)
    return Form(Kept(body), parser.end(), parser.close, b"XX", b"multipart/form-data; boundary=XX"), body


async def sent(body):
    data = b"".join([piece async for piece in body.pieces()])
    assert len(data) == body.length
    return data


def reread(body):
    parser = Parser(b"XX")
    parser.feed(body)
    return {each.name: each.text or "" for each in parser.end()}


async def test_an_unpatched_form_is_the_bytes_that_came():
    made, body = form(part("model", b"whisper-1"), part("file", b"\0" * 200_000, "a.wav"))
    assert await sent(made) == await sent(made) == await sent(made.patched({})) == body


async def test_only_the_named_field_changes():
    made, body = form(part("model", b"alias"), part("file", b"model alias", "a.wav"), part("note", b"alias"))
    expected = body.replace(b'name="model"\r\n\r\nalias', b'name="model"\r\n\r\nwhisper-1')
    assert await sent(made.patched({"model": "whisper-1"})) == expected
    assert await sent(made) == body


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.text(max_size=8).filter(lambda text: "\r" not in text), max_size=5),
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.none() | st.booleans() | st.text(max_size=8).filter(lambda text: "\r" not in text),
        max_size=4,
    ),
)
async def test_a_patch_says_what_it_should_and_leaves_the_rest(fields, changes):
    made, _ = form(*(part(name, value.encode()) for name, value in fields.items()))
    expected = {**fields, **changes}
    words = {True: "true", False: "false"}
    expected = {name: words.get(value, value) for name, value in expected.items() if value is not None}
    assert reread(await sent(made.patched(changes))) == expected


async def test_a_list_takes_the_place_of_what_stood_there():
    made, _ = form(part("g[]", b"word"), part("g[]", b"segment"), part("model", b"m"))
    again = made.patched({"g": ["word"]}).patched({"model": "n"}).patched({"g": ["char"]})
    assert await sent(again) == await sent(made.patched({"g": ["char"], "model": "n"}))
    patched = await sent(made.patched({"g": ["char"]}))
    assert patched.count(b'name="g[]"') == 1
    assert reread(patched) == {"model": "m", "g[]": "char"}


def test_lists_and_files_are_read_by_name():
    made, _ = form(
        part("model", b"m"),
        part("g[]", b"word"),
        part("g[]", b"segment"),
        part("image", b"1", "a"),
        part("image", b"2", "b"),
        part("mask", b"", "m"),
    )
    fields = made.fields()
    assert fields["model"] == "m"
    assert fields["g"] == ["word", "segment"]
    assert [(image.name, image.read()) for image in fields["image"]] == [("a", b"1"), ("b", b"2")]
    assert isinstance(fields["mask"], File)
    assert fields["mask"].length == 0


@pytest.mark.parametrize(
    "parts",
    [
        [part("model", b"a"), part("model", b"b")],
        [part("model", b"a"), part("model[]", b"b")],
        [part("model[]", b"a"), part("model", b"b")],
        [part("model", b"a"), part("model", b"b", "file")],
        [part("model", b"b", "file"), part("model", b"a")],
    ],
)
def test_a_name_that_stands_twice_is_refused(parts):
    made, _ = form(*parts)
    with pytest.raises(InvalidRequest, match="twice") as caught:
        made.fields()
    assert caught.value.param == "model"


async def test_a_file_is_a_body_of_its_own():
    made, _ = form(part("model", b"m"), part("file", b"x" * 150_000, "a.wav"))
    file = made.fields()["file"]
    assert await sent(file) == b"x" * 150_000
    assert (file.content_type, file.path, file.again) == (b"application/octet-stream", None, True)
    elsewhere = file.at("/v1/listen?model=m", "audio/wav")
    assert (await sent(elsewhere), elsewhere.path, elsewhere.content_type) == (
        b"x" * 150_000, "/v1/listen?model=m", b"audio/wav",
    )  # fmt: skip


async def test_a_form_of_our_own_says_otherwise_what_is_wanted():
    made, _ = form(part("file", b"sound", "a.wav"))
    file = made.fields()["file"]
    own = Written([("model", "m"), ("g", ["a", "b"]), ("key", "1"), ("key", "2"), ("file", file)], "/v1/listen")
    assert own.fields() == {"model": "m", "g": ["a", "b"], "key": "1"}
    changed = own.patched({"g": ["c"], "key": None, "file": None, "new": True})
    assert (changed.path, changed.fields()) == ("/v1/listen", {"model": "m", "g": ["c"], "new": True})
    assert b"sound" not in await sent(changed)
    assert b"sound" in await sent(own.patched({"model": "n"}))
    assert await sent(own) == await sent(own)
