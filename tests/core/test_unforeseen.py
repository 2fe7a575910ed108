"""What is said of a failure: enough to find it, and nothing of what was being worked on."""

import pytest

from headgate.core.unforeseen import unforeseen


def fails(text):
    return int(text)


def test_the_kind_and_the_place_are_told_and_the_words_are_not():
    with pytest.raises(ValueError, match="sk-secret") as raised:
        fails("sk-secret")
    line = fails.__code__.co_firstlineno + 1
    assert unforeseen(raised.value) == f"ValueError at test_unforeseen.py:{line}"


def test_what_was_never_raised_has_no_place():
    assert unforeseen(KeyError("x")) == "KeyError"
