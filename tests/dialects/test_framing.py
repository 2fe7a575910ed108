"""Event streams: any split gives the same events, any line ends are read, whole frames pass as they came."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ProviderNonsense
from headgate.dialects.framing import Cutter, EventStream, frames, is_event_stream, read_frame

STREAM = (
    'data: {"a":1}\n\n'
    ": a comment\n\n"
    "event: ping\ndata: {}\n\n"
    "id: 7\nretry: 10\ndata:no space\n\n"
    "data: two\ndata: lines\n\n"
    "data\n\n"
    "event: nothing\n\n"
    "\n\n"
    "data: Grüße 🌍\n\n"
    "data: [DONE]\n\n"
)
EVENTS = [
    (None, b'{"a":1}'),
    (b"ping", b"{}"),
    (None, b"no space"),
    (None, b"two\nlines"),
    (None, b""),
    (None, "Grüße 🌍".encode()),
    (None, b"[DONE]"),
]
ENDS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(at)]


def read(data: bytes, cuts: list[int]):
    stream = EventStream()
    return [event for piece in pieces(data, cuts) for event in stream.feed(piece)]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["", "bom"])
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_split_gives_the_same_events(end, start, cuts):
    data = start + STREAM.replace("\n", end).encode()
    assert read(data, cuts) == EVENTS


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_byte_by_byte(end):
    data = b"\xef\xbb\xbf" + STREAM.replace("\n", end).encode()
    assert read(data, list(range(len(data)))) == EVENTS


def test_an_event_is_given_with_its_last_byte_even_when_lines_end_in_cr():
    stream = EventStream()
    assert stream.feed(b"data: a\r\r") == [(None, b"a")]
    assert stream.feed(b"\ndata: b\r\n\r") == [(None, b"b")]
    assert stream.feed(b"\ndata: c\n\n") == [(None, b"c")]


def test_a_frame_cut_by_the_end_is_no_event():
    stream = EventStream()
    assert stream.feed(b"data: a\n\ndata: b\n") == [(None, b"a")]
    assert stream.rest == b"data: b\n"


def test_an_event_of_a_mebibyte_in_small_pieces():
    data = b"data: " + b"x" * (1 << 20) + b"\n\n"
    stream = EventStream()
    found = [event for at in range(0, len(data), 1000) for event in stream.feed(data[at : at + 1000])]
    assert found == [(None, data[6:-2])]


@given(st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"data: x", b": still here"])).map(b"".join), st.data())
def test_whatever_is_cut_off_is_all_there_frame_by_frame(data, drawn):
    cutter = Cutter()
    while data:
        size = drawn.draw(st.integers(1, len(data)))
        whole = cutter.feed(data[:size])
        assert b"".join(frames(whole)) == whole
        data = data[size:]


@pytest.mark.parametrize("make", [EventStream, Cutter])
@pytest.mark.parametrize("size", [20, 1000])
def test_a_frame_above_the_limit_is_refused(make, size):
    data = b"data: " + b"x" * 95
    made = make(100)
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    for part in parts[:-1]:
        made.feed(part)
    with pytest.raises(ProviderNonsense, match="more than 100 bytes"):
        made.feed(parts[-1])


def test_many_frames_under_the_limit_in_one_piece_pass():
    assert len(EventStream(100).feed(b"data: xxxxxxxxxx\n\n" * 50)) == 50


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_the_cutter_gives_whole_frames_and_every_byte(end, cuts):
    data = STREAM.replace("\n", end).encode()
    cutter = Cutter()
    given_out = [cutter.feed(piece) for piece in pieces(data, cuts)]
    assert b"".join(given_out) + cutter.rest == data
    for part in given_out:
        assert not part or part.endswith((b"\n\n", b"\r\n\r\n", b"\r\r", b"\r\n\r"))
    assert cutter.rest in (b"", b"\n")


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_frames_one_by_one(end):
    data = STREAM.replace("\n", end).encode()
    found = frames(data)
    assert b"".join(found) == data
    assert [event for event in map(read_frame, found) if event is not None] == EVENTS


def test_a_frame_cut_off_is_kept_back():
    cutter = Cutter()
    assert cutter.feed(b"data: a\n\ndata: b") == b"data: a\n\n"
    assert cutter.feed(b"\n") == b""
    assert cutter.feed(b"\ndata: c") == b"data: b\n\n"
    assert cutter.rest == b"data: c"


@pytest.mark.parametrize("start", [b"", b"da", b"data: x", b": hi", b"event: x", b"\xef\xbb\xbfdata: x", b"\r\nid: 1"])
def test_beginnings_of_event_streams(start):
    assert is_event_stream(start)


@pytest.mark.parametrize("start", [b"<html>", b'{"error":1}', b"Bad Gateway", b"dota: x"])
def test_beginnings_of_something_else(start):
    assert not is_event_stream(start)
