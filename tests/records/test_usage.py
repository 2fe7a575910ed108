"""What was used is the sum of the records, to the last unit, by whatever it is asked, in the database or not yet."""

import asyncio
import csv
import io
import itertools
import json
import random
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from click.testing import CliRunner

from headgate.cli import cli
from headgate.records.drain import Drain, opened
from headgate.records.reading import Records
from headgate.records.row import read
from headgate.records.sums import HOUR, SUMS
from headgate.records.usage import DIMENSIONS, Moved, dimensions, month, usage, whole_hours
from made_records import START, made, written

COUNT, REST = 200, 30
NAMES = {"hour": "%Y-%m-%dT%H:00Z", "day": "%Y-%m-%d", "month": "%Y-%m"}
ADDED = (
    "input", "cache_read", "cache_write", "output", "reasoning", "unpriced", "saved", "saved_routing", "wasted",
)  # fmt: skip


@pytest.fixture(scope="module")
def everything():
    chance = random.Random(5)
    return [made(number, chance) for number in range(COUNT)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory, everything):
    """A data directory and its database, in which the last few records are not yet."""
    data = tmp_path_factory.mktemp("filled")
    url = f"sqlite:///{data}/records.db" if request.param == "sqlite" else request.getfixturevalue("own_database")
    written(data / "journal", everything[:-REST])
    drain = Drain(data, opened(url), lambda *_: None, now=0.0)
    drain.turn(0.0)
    drain.database.close()
    written(data / "journal", everything[-REST:])
    return data, url


def found(filled, by, hours):
    async def ask():
        records = Records(*filled)
        try:
            return await usage(records, by, hours)
        finally:
            await records.close()

    return asyncio.run(ask())


def rows(records):
    return [read(msgspec.json.encode(record)).row for record in records]


def said(value):
    return "" if value is None else str(value)


def wanted(records, by, hours):
    """The same, record by record."""
    sums = {}
    for row in rows(records):
        if not hours[0] * HOUR <= row.time < hours[1] * HOUR:
            continue
        names = tuple(
            datetime.fromtimestamp(row.time, UTC).strftime(NAMES[of]) if of in NAMES else said(getattr(row, of))
            for of in by
        )
        into = sums.setdefault(names, Counter())
        into.update({name: getattr(row, name) for name in ADDED})
        into["cost"] += row.cost or 0
        if row.kind == "request":
            whole = row.ending == "complete"
            into.update(requests=1, retries=row.retries, answered=whole, duration=row.duration * whole)
            into.update(errors_gateway=row.origin == "gateway", errors_provider=row.origin == "provider")
            if whole and row.first_token is not None:
                into.update(first_tokens=1, first_token=row.first_token)
    return {names: [counted[name] for name in SUMS] for names, counted in sums.items()}


def test_sums_are_those_of_the_records_by_whatever_they_are_asked(filled, everything):
    hours = whole_hours(*(datetime.fromtimestamp(START + at, UTC) for at in (4000, 15000)))
    for by in [(), *((name,) for name in DIMENSIONS), *itertools.combinations(DIMENSIONS[::2], 2)]:
        sums, told = wanted(everything, by, hours), found(filled, by, hours)
        assert dict(told.items) == sums, by
        assert told.total == [sum(column) for column in zip(*sums.values(), strict=True)]
    assert len(wanted(everything, ("hour",), hours)) >= 3


def test_the_dearest_come_first_and_periods_in_their_order(filled):
    hours = (int(START // HOUR), int(START // HOUR) + 10)
    costs = [values[SUMS.index("cost")] for _, values in found(filled, ("target",), hours).items]
    assert costs == sorted(costs, reverse=True)
    told = [names[0] for names, _ in found(filled, ("hour", "team"), hours).items]
    assert told == sorted(told)


def test_of_no_time_there_is_nothing(filled):
    assert found(filled, (), (0, 1)).total == [0] * len(SUMS)


def test_a_charge_of_a_month_is_the_sum_of_its_requests(tmp_path, everything):
    written(tmp_path / "journal", everything[:50])
    drain = Drain(tmp_path, opened(f"sqlite:///{tmp_path}/records.db"), lambda *_: None, now=0.0)
    drain.turn(0.0)
    drain.database.close()
    written(tmp_path / "journal", everything[50:])

    def run(*options):
        done = CliRunner().invoke(cli, ["usage", "--data-dir", str(tmp_path), "--month", "2026-09", *options])
        assert done.exit_code == 0, done.output
        return done.stdout

    lines = list(csv.DictReader(io.StringIO(run("--by", "team", "--csv"))))
    by_team = Counter()
    for row in rows(everything):
        by_team[row.team or ""] += row.cost or 0
    assert {line["team"]: Decimal(line["cost"]).scaleb(9) for line in lines} == by_team
    told = json.loads(run("--by", "team,model", "--json", "--top", "2"))
    assert (told["since"], told["until"], len(told["items"])) == ("2026-09-01T00:00Z", "2026-10-01T00:00Z", 2)
    assert Decimal(told["total"]["cost"]).scaleb(9) == by_team.total()
    shown = run("--by", "team").splitlines()
    assert [line.split()[0] for line in shown[2:]] == [line["team"] or "-" for line in lines] + ["all"]


def test_without_a_database_the_journal_is_summed(tmp_path, everything):
    written(tmp_path / "journal", everything)
    hours = (0, 10**6)
    for url in (None, f"sqlite:///{tmp_path}/records.db"):
        assert dict(found((tmp_path, url), ("team",), hours).items) == wanted(everything, ("team",), hours)
    assert not (tmp_path / "records.db").exists()


def test_a_journal_that_moves_all_the_time_is_told(tmp_path, everything, monkeypatch):
    written(tmp_path / "journal", everything[:3])
    monkeypatch.setattr("pathlib.Path.exists", lambda path: False)  # as if each segment went while it was read
    with pytest.raises(Moved):
        found((tmp_path, None), (), (0, 10**6))


def test_names_are_no_formulas_in_a_spreadsheet(tmp_path, everything):
    written(tmp_path / "journal", [msgspec.structs.replace(everything[0], team="=1+1")])
    done = CliRunner().invoke(cli, ["usage", "--data-dir", str(tmp_path), "--month", "2026-09", "--csv"])
    assert done.stdout.splitlines()[1].startswith("'=1+1,")


@pytest.mark.parametrize("text", ["nothing", "team,team", "team,model,key", "sums"])
def test_what_is_no_dimension_is_told(text):
    with pytest.raises(ValueError, match=r"none of|different"):
        dimensions(text)


def test_a_month_ends_where_the_next_begins():
    assert [time.isoformat()[:10] for time in month("2026-12")] == ["2026-12-01", "2027-01-01"]
    assert [time.isoformat()[:10] for time in month("2026-01")] == ["2026-01-01", "2026-02-01"]


@pytest.mark.parametrize(
    "options", [["--month", "2026-09", "--since", "1h"], ["--month", "9"], ["--since", "1h", "--until", "2h"]]
)
def test_times_that_make_no_sense_are_told(tmp_path, options):
    done = CliRunner().invoke(cli, ["usage", "--data-dir", str(tmp_path), *options])
    assert done.exit_code == 2
