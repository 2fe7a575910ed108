"""The columns of a record say what the record says, whatever stands in it."""

import msgspec
import pytest

from headgate.core.record import Attempt, Record
from headgate.core.usage import Usage
from headgate.records.row import COST_SIZES, MOST, TEXTS, Line, cost_size, duration_size, read


def row(**fields):
    return read(msgspec.json.encode(Record(id="req_1", time=5.5, **fields))).row


def test_every_field_of_a_line_is_one_of_the_record():
    assert set(Line.__struct_fields__) <= set(Record.__struct_fields__)


def test_tokens_and_cost_are_those_of_all_answers():
    refused = Attempt("a/b", usage=Usage(input=10, output=1, input_image=5), cost="0.000000003")
    found = row(
        attempts=[refused, Attempt("a/c")],
        usage=Usage(input=100, cache_read=7, cache_write=2, cache_write_1h=3, output=20, output_audio=4, reasoning=6),
        cost="0.25",
        target="a/c/d",
        duration=1.2345674,
        first_token=0.1,
    )
    assert (found.input, found.cache_read, found.cache_write, found.output, found.reasoning) == (115, 7, 5, 25, 6)
    assert (found.cost, found.unpriced, found.provider) == (250_000_003, 0, "a")
    assert (found.duration, found.first_token) == (1_234_567, 100_000)


@pytest.mark.parametrize(
    ("fields", "cost", "unpriced"),
    [
        ({}, None, 0),
        ({"usage": Usage(input=1)}, None, 1),
        ({"usage": Usage(input=1), "cost": "0"}, 0, 0),
        ({"usage": Usage(input=1), "cost": "1", "attempts": [Attempt("a/b", usage=Usage(input=1))]}, 10**9, 1),
        ({"attempts": [Attempt("a/b", usage=Usage(input=1), cost="0.5")]}, 5 * 10**8, 0),
    ],
)
def test_what_is_not_known_is_none_and_flagged(fields, cost, unpriced):
    found = row(**fields)
    assert (found.cost, found.unpriced) == (cost, unpriced)
    assert Record(id="", time=0.0, **fields).spent() == cost


def test_an_effort_behind_a_name_is_a_tag_and_no_other_name():
    entry = read(msgspec.json.encode(Record(id="req_1", time=5.5, model="chat:high", effort="high", tags=["a"])))
    assert (entry.row.model, list(entry.tags)) == ("chat", ["a", "effort:high"])
    assert '"model":"chat:high"' in entry.line
    assert row(model="chat:high").model == "chat:high"  # whose name it is as it stands


def test_what_fits_no_column_is_cut_and_stays_whole_in_the_line():
    record = Record(
        id="req_1", time=1.0, model="ü" * 5000, end_user="a\0b", tags=["t" * 300, "t" * 301], status=10**30,
        usage=Usage(input=10**30), cost="9" * 50, duration=1e300,
    )  # fmt: skip
    line = msgspec.json.encode(record)
    found = read(line)
    assert (found.row.model, found.row.end_user, list(found.tags)) == ("ü" * TEXTS, "a\ufffdb", ["t" * TEXTS])
    assert all(value < 2**63 for value in found.row if isinstance(value, int))
    assert found.row.cost is None
    assert found.line.encode() == line
    assert MOST * 11 < 2**63


@pytest.mark.parametrize(
    "line", [b"", b"{", b'{"id":"x"}', b'{"id":1,"time":1}', b"\xff", b'{"id":"\xff","time":1}', b"[]"]
)
def test_a_damaged_line_is_none(line):
    assert read(line) is None


def test_zeros_of_a_power_cut_are_passed_over():
    assert read(b'\0\0\0{"id":"x","time":1}').row.id == "x"


def test_sizes_rise_with_what_they_are_of():
    assert [cost_size(nano) for nano in (0, 1, 2, 3, 4, 10**9, 10**18)] == [0, 1, 2, 2, 3, 30, COST_SIZES]
    assert [duration_size(micros) for micros in (0, 999, 1000, 2000, 60_000_000)] == [0, 0, 1, 2, 16]
