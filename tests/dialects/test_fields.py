"""A field of the wrong type is refused by name, with what it must be and what it is."""

import pytest

from headgate.core.errors import InvalidRequest
from headgate.dialects.fields import array, object_, optional, others, string


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: string(3, "a.b"), "`a.b` must be a string, not a number."),
        (lambda: string(None, "a.b"), "`a.b` is missing: it must be a string."),
        (lambda: object_([], "a"), "`a` must be an object, not an array."),
        (lambda: array({}, "a"), "`a` must be an array, not an object."),
        (lambda: optional({"n": True}, "n", int), "`n` must be an integer, not a boolean."),
        (lambda: optional({"n": 1.5}, "n", int, "x."), "`x.n` must be an integer, not a number."),
        (lambda: optional({"n": "1"}, "n", float), "`n` must be a number, not a string."),
    ],
)
def test_what_is_wrong_is_said(check, message):
    with pytest.raises(InvalidRequest) as raised:
        check()
    assert raised.value.message == message
    assert raised.value.param in message


def test_what_is_right_is_given():
    assert optional({"n": 2.0}, "n", int) == 2
    assert optional({"n": 2}, "n", float) == 2
    assert optional({"n": None}, "n", str) is None
    assert others({"a": 1, "b": None, "c": 2}, frozenset({"a"})) == {"c": 2}
