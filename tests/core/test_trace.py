"""What is taken for a trace of somebody else's, and what is told to who is asked next."""

import re

import pytest

from headgate.core.trace import LONGEST_STATE, Said, Sampling, Tracing, said

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{ID}-{SPAN}-01".encode()


def heard(value, *more):
    return said([(b"accept", b"*/*"), (b"traceparent", value), *more])


@pytest.mark.parametrize(
    ("value", "sampled"),
    [
        (GOOD, True),
        (f"00-{ID}-{SPAN}-00".encode(), False),
        (f"00-{ID}-{SPAN}-ff".encode(), True),
        (f"cc-{ID}-{SPAN}-01-what-later-versions-have".encode(), True),
    ],
)
def test_what_is_a_traceparent(value, sampled):
    assert heard(value) == Said(ID, SPAN, sampled, None)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"nonsense",
        GOOD.upper(),
        GOOD + b"-more",
        GOOD + b" ",
        GOOD[:-1],
        GOOD.replace(b"00-", b"ff-", 1),
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{ID}-{'0' * 16}-01".encode(),
        GOOD + b"\r\nx: y",
        b"\xff" + GOOD[1:],
    ],
)
def test_what_is_none(value):
    assert heard(value) is None


def test_two_of_them_are_none():
    assert heard(GOOD, (b"traceparent", GOOD)) is None
    assert said([]) is None


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([b"a=1,b=2"], "a=1,b=2"),
        ([b"a=1", b"b=2"], "a=1,b=2"),
        ([b"a=\x1b[31m"], None),
        ([b"a=\xc3\xa9"], None),
        ([b"x=" + b"y" * LONGEST_STATE], None),
        ([b""], None),
    ],
)
def test_the_vendors_part_is_carried_on_where_it_is_plain_and_short(lines, state):
    found = heard(GOOD, *((b"tracestate", line) for line in lines))
    assert found.state == state


def test_who_is_asked_next_is_told_of_his_parent():
    tracing = Tracing(Sampling(), 0, [(b"traceparent", GOOD), (b"tracestate", b"a=1")])
    assert tracing.told("2" * 16) == [
        (b"traceparent", f"00-{ID}-{'2' * 16}-01".encode()),
        (b"tracestate", b"a=1"),
    ]
    begun = Tracing(Sampling(), 0, [])
    ((_, value),) = begun.told("2" * 16)
    assert said([(b"traceparent", value)]) == Said(begun.id, "2" * 16, False, None)


def test_new_ones_differ_and_keep_their_names():
    begun = [Tracing(Sampling(), 0, []) for _ in range(100)]
    ids = {each.id for each in begun} | {each.span for each in begun}
    assert len(ids) == 200
    assert all(re.fullmatch("[0-9a-f]{32}|[0-9a-f]{16}", id) for id in ids)
    assert {each.over().id for each in begun} | {each.over().span for each in begun} == ids
