"""Amazon's event stream: botocore reads what is written here and the other way round, and damage is always noticed."""

import struct
import zlib
from itertools import pairwise

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways import rounds
from headgate.core.errors import ProviderNonsense
from headgate.dialects.event_stream import EventStream, read_headers, write_event, write_exception, write_message
from together import together

names = st.text(min_size=1, max_size=20).filter(lambda name: len(name.encode()) < 256)
values = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=50) | st.text(max_size=50)
headers = st.dictionaries(names, values, max_size=5)
messages = st.lists(st.tuples(headers, st.binary(max_size=200)), max_size=5)
cuts = st.lists(st.integers(0, 10_000), max_size=12)

TYPED = {
    2: st.integers(-(2**7), 2**7 - 1).map(lambda value: (value, struct.pack(">b", value))),
    3: st.integers(-(2**15), 2**15 - 1).map(lambda value: (value, struct.pack(">h", value))),
    4: st.integers(-(2**31), 2**31 - 1).map(lambda value: (value, struct.pack(">i", value))),
    5: st.integers(-(2**63), 2**63 - 1).map(lambda value: (value, struct.pack(">q", value))),
    8: st.integers(-(2**63), 2**63 - 1).map(lambda value: (value, struct.pack(">q", value))),
    0: st.just((True, b"")),
    1: st.just((False, b"")),
    6: st.binary(max_size=300).map(lambda value: (value, struct.pack(">H", len(value)) + value)),
    7: st.text(max_size=100).map(lambda value: (value, struct.pack(">H", len(value.encode())) + value.encode())),
    9: st.binary(min_size=16, max_size=16).map(lambda value: (value, value)),
}
typed = st.sampled_from(sorted(TYPED)).flatmap(lambda kind: TYPED[kind].map(lambda pair: (kind, *pair)))


def pieces(data, cuts):
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(at)]


def read(data, cuts=()):
    stream = EventStream()
    return [message for piece in pieces(data, cuts) for message in stream.feed(piece)]


def botocore_reads(data):
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


@given(messages, cuts)
def test_what_is_written_is_read_however_it_is_split(said, cuts):
    data = b"".join(write_message(*one) for one in said)
    found = read(data, cuts)
    assert [(dict(message.headers), message.payload) for message in found] == said
    assert b"".join(message.raw for message in found) == data


@given(messages)
def test_botocore_reads_what_is_written(said):
    assert botocore_reads(b"".join(write_message(*one) for one in said)) == said


@given(st.lists(typed, max_size=6), st.binary(max_size=50))
def test_headers_of_every_type_are_read_as_botocore_reads_them(fields, payload):
    block = b""
    for number, (kind, _, data) in enumerate(fields):
        name = b"h%d" % number
        block += bytes([len(name)]) + name + bytes([kind]) + data
    lengths = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    head = lengths + struct.pack(">I", zlib.crc32(lengths)) + block + payload
    data = head + struct.pack(">I", zlib.crc32(head))
    [message] = read(data)
    assert message.headers == {f"h{number}": value for number, (_, value, _) in enumerate(fields)}
    [(headers, body)] = botocore_reads(data)
    assert (dict(message.headers), message.payload) == (headers, body)


def test_byte_by_byte():
    data = write_event("messageStart", b'{"role":"assistant"}') + write_exception("throttlingException", b"{}")
    first, last = read(data, range(len(data)))
    assert (first.kind, first.event, first.payload) == ("event", "messageStart", b'{"role":"assistant"}')
    assert (last.kind, last.event) == ("exception", "throttlingException")


def test_a_message_cut_by_the_end_is_none():
    data = write_event("a", b"{}")
    stream = EventStream()
    assert [message.raw for message in stream.feed(data + data[:-1])] == [data]
    assert stream.rest == data[:-1]


@given(st.binary(min_size=1, max_size=40), st.data())
@settings(max_examples=rounds(100, 3000))
def test_one_changed_bit_is_noticed(payload, draw):
    data = bytearray(write_event("contentBlockDelta", payload))
    bit = draw.draw(st.integers(0, 8 * len(data) - 1))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProviderNonsense):
        read(bytes(data))


@given(st.binary(max_size=60), cuts)
def test_what_is_no_event_stream_is_nonsense_or_incomplete(data, cuts):
    try:
        assert read(data, cuts) == []
    except ProviderNonsense:
        assert len(data) >= 12
    else:
        assert len(data) < 12 or zlib.crc32(data[:8]) == struct.unpack(">I", data[8:12])[0]


@pytest.mark.parametrize("start", [b"<html><body>Bad gateway", b'{"message":"no"}', b"data: {}\n\ndata: {}\n\n"])
def test_another_kind_of_reply_is_known_by_its_first_bytes(start):
    with pytest.raises(ProviderNonsense, match="no event stream"):
        read(start[:12])


def prelude(total, headers):
    lengths = struct.pack(">II", total, headers)
    return lengths + struct.pack(">I", zlib.crc32(lengths))


@pytest.mark.parametrize(
    ("total", "headers", "why"),
    [
        (2**32 - 1, 0, "more than"),
        (16 * 1024 * 1024 + 1, 0, "more than"),
        (1 << 20, 128 * 1024 + 1, "more than"),
        (15, 0, "longer than it says"),
        (0, 0, "longer than it says"),
        (20, 5, "longer than it says"),
    ],
)
def test_lengths_that_cannot_be_are_refused_before_anything_is_kept(total, headers, why):
    with pytest.raises(ProviderNonsense, match=why):
        read(prelude(total, headers))


@together(
    "block",
    [b"\5abc", b"\1a", b"\1a\x07\0\5abc", b"\1a\x09abc", b"\1a\5\0\0", b"\1a\x0a", b"\1a\xff", b"\1\xff\0",
     b"\1a\x07\0\1\xff", b"\1a\0\1a\0"],
)  # fmt: skip
def test_broken_headers_are_nonsense(block):
    with pytest.raises(ProviderNonsense):
        read_headers(block)


@given(st.binary(max_size=100))
def test_any_header_block_is_read_or_nonsense(block):
    try:
        found = read_headers(block)
    except ProviderNonsense:
        return
    assert len(found) * 2 <= len(block)


def test_header_blocks_are_remembered_within_bounds():
    stream = EventStream()
    for number in range(1000):
        assert stream.feed(write_event(f"e{number}", b""))[0].event == f"e{number}"
    assert len(stream._known) <= 64
