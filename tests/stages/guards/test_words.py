"""Words and patterns of a user's own."""

import pytest

from headgate.core.guard import Asked, Passage
from headgate.stages.guards.patterns import Patterns, PatternsSettings
from headgate.stages.guards.words import Words, WordsSettings


def found(guard, text):
    return [(text[each.start : each.end], each.category) for each in guard.look([Passage(text)], Asked())]


def words(*listed, **more):
    return Words(WordsSettings(words={"w": list(listed)}, **more))


def test_words_are_found_whole_and_in_any_capitals():
    guard = words("art", "Blue Bird", "indemnif*", "c++", "Straße", "秘密")
    text = "party ART artßy, blue\n  bird; INDEMNIFYING c++ straße ünart 这是秘密的"
    assert [word for word, _ in found(guard, text)] == ["ART", "blue\n  bird", "INDEMNIFYING", "c++", "straße", "秘密"]
    assert found(words("Blue", "blue bird"), "blue birds") == [("blue", "w")]
    assert found(words("Blue", case=True), "blue Blue") == [("Blue", "w")]


def test_accents_need_not_matter():
    guard = words("José", "Malmo", "uber uns", "c++", accents=False)
    text = "JOSE, jose\u0301, josé; Malmö malmoe; ÜBER  Uns; josefa èjosé c++"
    said = ["JOSE", "jose\u0301", "josé", "Malmö", "ÜBER  Uns", "c++"]
    assert [word for word, _ in found(guard, text)] == said
    assert found(words("José"), "Jose") == []


def test_patterns_find_what_their_group_holds():
    guard = Patterns(PatternsSettings(patterns={"id": r"ticket (\d+)", "host": [r"\w+\.corp", "x{3}"]}))
    assert found(guard, "ticket 12 at db.corp xxx") == [("12", "id"), ("db.corp", "host"), ("xxx", "host")]


@pytest.mark.parametrize("expression", ["(", "a*", r"(a)\1"])
def test_what_is_no_pattern_is_refused(expression):
    with pytest.raises(ValueError, match="expression 1 of x"):
        Patterns(PatternsSettings(patterns={"x": expression}))


def test_accents_are_one_sign_or_two():
    for word in ("Müller", "Mu\u0308ller"):
        assert [each for each, _ in found(words(word), "müller mu\u0308ller muller")] == ["müller", "mu\u0308ller"]


def test_what_nobody_sees_hides_nothing():
    text = "😀 the zep\u200bpe\u00adlin, C-12\u20603456\u200b"
    assert found(words("zeppelin"), text) == [("zep\u200bpe\u00adlin", "w")]
    assert found(Patterns(PatternsSettings(patterns={"n": r"C-\d{6}"})), text) == [("C-12\u20603456", "n")]
