"""A test of many cases fails where one of them does, and says which."""

import inspect

import pytest

from together import together


def test_every_case_is_taken_and_those_that_fail_are_named():
    taken = []

    @together(("number", "word"), [(1, "a"), (2, "b"), pytest.param(3, "c", id="third")])
    def law(folder, number, word):
        taken.append((folder, number, word))
        assert number < 2, word

    assert list(inspect.signature(law).parameters) == ["folder"]
    with pytest.raises(ExceptionGroup) as caught:
        law(folder="f")
    assert taken == [("f", 1, "a"), ("f", 2, "b"), ("f", 3, "c")]
    assert caught.value.message == "2 of 3 cases fail: 2-'b', third"
    assert [error.__notes__ for error in caught.value.exceptions] == [["in the case 2-'b'"], ["in the case third"]]


def test_decorators_stack():
    taken = []

    @together("left", [1, 2])
    @together("right", [3, 4])
    def law(left, right):
        taken.append((left, right))

    law()
    assert taken == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_without_cases_it_is_skipped():
    @together("number", [])
    def law(number):
        raise AssertionError(number)

    with pytest.raises(pytest.skip.Exception):
        law()


def test_what_is_awaited_is_not_taken():
    with pytest.raises(AssertionError, match="unawaited"):

        @together("number", [1])
        async def law(number):
            raise AssertionError(number)
