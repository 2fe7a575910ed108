"""A table's columns fit, by what matters most, and short forms still say what they stand for."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.ids import Ids
from headgate.core.record import Record
from headgate.core.usage import Usage
from headgate.journal.table import Table, seconds

MATTERS = ["ID", "HTTP", "MODEL", "ERROR", "TIME", "TARGET", "KEY", "IN/OUT", "TOOK"]


def titles(width, known=None):
    table = Table(width, colour=False, zone=UTC, known=known)
    assert len(table.head()) - 1 <= width
    return {column.title for column in table.columns}


def row(width, **fields):
    """The cells of one record by title, in a table made for it alone."""
    record = Record(**{"id": "req_1", "time": 4e9} | fields)
    table = Table(width, colour=False, zone=UTC, known=[record])
    line, cells, at = table.line(record).rstrip("\n"), {}, 0
    assert width is None or len(line) <= width
    for column in table.columns:
        end = at + table.widths[column.title]
        cells[column.title] = line[at:end].strip()
        at = end + 1
    return cells


@given(width=st.integers(20, 300))
def test_what_matters_less_never_stands_without_what_matters_more(width):
    shown = titles(width)
    count = sum(title in shown for title in MATTERS)
    assert set(MATTERS[:count]) <= shown
    assert shown <= set(MATTERS) or count == len(MATTERS)


@given(
    width=st.integers(20, 300),
    texts=st.lists(st.text("ab/é\n\x1b", max_size=60), min_size=5, max_size=5),
    counts=st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)),
)
def test_no_line_is_wider_than_its_table(width, texts, counts):
    key, model, target, error, path = texts
    usage = Usage(input=counts[0], output=counts[1])
    row(width, key=key, model=model or None, target=target, error=error, path=path, usage=usage, duration=1e5)


def test_values_that_are_short_leave_room_for_more_columns():
    record = Record(id="req_1", time=4e9, key="k", model="m", target="t", status=200)
    assert titles(75) < titles(75, [record])


@pytest.mark.parametrize(
    ("numbers", "told"),
    [((1204, 356), "1204/356"), ((128_000, 40_960), "128k/40k"), ((9_999_999, 1_999), "9.9M/1.9k")],
)
def test_tokens_are_rounded_only_where_they_do_not_fit(numbers, told):
    usage = Usage(input=numbers[0], output=numbers[1])
    long = {"key": "k" * 16, "model": "m" * 24, "target": "t" * 40, "error": "e" * 30}
    assert row(80, usage=usage, **long)["IN/OUT"] == told
    assert row(None, usage=usage, **long)["IN/OUT"] == f"{numbers[0]}/{numbers[1]}"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "-"),
        ({"ending": "cancelled"}, "cancelled"),
        ({"ending": "failed", "error": "provider_cut", "origin": "provider"}, "provider_cut"),
        ({"ending": "refused", "error": "bad_key", "origin": "gateway"}, "gateway:bad_key"),
        ({"ending": "failed", "error": "odd"}, "odd"),
    ],
)
def test_how_it_ended_is_told(fields, told):
    assert row(80, **fields)["ERROR"] == told
    assert row(None, **fields)["ENDING"] == fields.get("ending", "complete")


def test_a_model_that_is_its_own_target_drops_the_provider_where_it_does_not_fit():
    name = "provider/model-4"
    assert row(32, model=name, target=name)["MODEL"] == "model-4"
    assert row(None, model=name, target=name)["MODEL"] == name
    assert row(32, model=name, target="other/model")["MODEL"] == "prov…el-4"


def test_a_short_id_is_a_part_of_the_id_that_no_other_of_the_process_has():
    ids = Ids()
    made = [ids() for _ in range(5_000)]
    short = [row(60, id=id)["ID"] for id in made[:50]]
    assert all(part in id for part, id in zip(short, made, strict=False))
    start = made[0].index(short[0])
    assert len({id[start : start + len(short[0])] for id in made}) == len(made)
    assert row(None, id=made[0])["ID"] == made[0]


def test_an_id_of_another_kind_is_cut_to_its_end():
    assert row(45, id="another-kind-of-id-0001")["ID"] == "-of-id-0001"


@pytest.mark.parametrize("time", [float("inf"), 1e300, -1e300])
def test_a_time_that_is_none_spoils_nothing(time):
    assert row(None, time=time)["TIME"] == str(time)


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "-"), (0.21, "210ms"), (1.5, "1.5s"), (62.25, "62.2s"), (999.96, "1000s"), (1300.0, "1300s")],
)
def test_seconds(value, told):
    assert seconds(value) == told
