"""The bytes of LDAP, as they are written and as they are read, whole or in part or wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.identity.ldap.ber import LONGEST, SEQUENCE, BadBER, Element, element, number, read, text, truth


@given(st.integers(-(2**62), 2**62))
def test_numbers_come_back(value):
    found, size = read(number(value))
    assert found.number() == value
    assert size == len(number(value))


@given(st.integers(0, 70_000), st.integers(0, 5))
def test_values_of_any_length_come_back_and_only_whole(size, more):
    data = text(b"x" * size)
    found, end = read(data + b"y" * more)
    assert (found.value, end) == (b"x" * size, len(data))
    assert read(data[: len(data) * 2 // 3]) is None or size == 0


def test_elements_within_are_read():
    data = element(SEQUENCE, number(5), text("a"), truth(True))
    found, _ = read(data)
    assert list(found.inner()) == [Element(2, b"\5"), Element(4, b"a"), Element(1, b"\xff")]


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(data):
    try:
        found = read(data)
        if found:
            list(found[0].inner())
            found[0].number()
    except BadBER:
        pass


@pytest.mark.parametrize(
    "data",
    [b"\x30\x80", b"\x30\x85\1\1\1\1\1", b"\x1f\x01\x00", b"\x30\x84\x7f\xff\xff\xff", b"\x30\xff" + b"x" * 127],
)
def test_what_ldap_has_not_is_refused_at_once(data):
    with pytest.raises(BadBER):
        read(data)


def test_nothing_longer_than_is_right_is_waited_for():
    read(b"\x04\x83" + LONGEST.to_bytes(3, "big"))
    with pytest.raises(BadBER):
        read(b"\x04\x83" + (LONGEST + 1).to_bytes(3, "big"))
    for value in (b"", b"x" * 9):
        with pytest.raises(BadBER):
            Element(2, value).number()
    with pytest.raises(BadBER):
        list(Element(SEQUENCE, b"\x04\x05ab").inner())
