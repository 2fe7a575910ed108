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
from hypothesis import given
from hypothesis import strategies as st

from headgate.cli import cli
from headgate.core.record import Record
from headgate.records.asking import dimensions, span, zone
from headgate.records.drain import Drain, opened
from headgate.records.reading import Records
from headgate.records.row import read
from headgate.records.search import Scope
from headgate.records.sums import HOUR, SUMS, percentile
from headgate.records.usage import DIMENSIONS, OTHERS, Moved, Question, usage
from made_records import START, made, written

COUNT, REST = 200, 30
NAMES = {"hour": "%Y-%m-%dT%H:00", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
EVER = (0, HOUR * 10**6)
DAY = (int(START) // HOUR * HOUR + HOUR, int(START) // HOUR * HOUR + 5 * HOUR)
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


def found(filled, by, span=EVER, where=(), **more):
    async def ask():
        records = Records(*filled)
        try:
            return await usage(records, Question(by, span, dict(where), **more))
        finally:
            await records.close()

    return asyncio.run(ask())


def said(row, of, zone):
    """The values of a dimension; of tags there may be several."""
    if of in NAMES:
        mark = "Z" if of == "hour" and zone is UTC else ""
        return [datetime.fromtimestamp(row.row.time, zone).strftime(NAMES[of]) + mark]
    if of == "tag":
        return list(row.tags) or [""]
    if of.startswith("tag:"):
        return [",".join(tag.partition("=")[2] for tag in row.tags if tag.startswith(of[4:] + "="))]
    value = getattr(row.row, of)
    return ["" if value is None else str(value)]


def counted(row):
    """What one record adds."""
    sums = Counter({name: getattr(row, name) for name in ADDED})
    sums["cost"] = row.cost or 0
    if row.kind == "request":
        whole = row.ending == "complete"
        sums.update(requests=1, retries=row.retries, answered=whole, duration=row.duration * whole)
        sums.update(errors_gateway=row.origin == "gateway", errors_provider=row.origin == "provider")
        if whole and row.first_token is not None:
            sums.update(first_tokens=1, first_token=row.first_token)
    return sums


def wanted(records, by, span=EVER, where=(), scope=None, zone=UTC):
    """The same, record by record, and the sum of all."""
    sums, total = {}, Counter()
    for entry in (read(msgspec.json.encode(record)) for record in records):
        row = entry.row
        if not span[0] <= row.time < span[1] or (scope is not None and not scope.holds(row)):
            continue
        if not all(value in said(entry, of, zone) for of, value in dict(where).items()):
            continue
        total.update(counted(row))
        for names in itertools.product(*(said(entry, of, zone) for of in by)):
            sums.setdefault(names, Counter()).update(counted(row))
    return {names: [each[name] for name in SUMS] for names, each in sums.items()}, [total[name] for name in SUMS]


BYS = [(), *((name,) for name in (*DIMENSIONS, "tag:feature")), *itertools.combinations(DIMENSIONS[::3], 2)]
QUESTIONS = [
    *({"by": by, "span": DAY} for by in BYS),
    *({"by": (name, "day"), "zone": zone("Asia/Kolkata")} for name in ("team", "tag")),
    *({"by": ("day", "hour"), "zone": zone("America/New_York")} for _ in range(1)),
    *({"by": ("model",), "where": {name: value}} for name, value in [
        ("team", "red"), ("team", ""), ("provider", "openai"), ("provider", ""), ("tag", "a"), ("tag", ""),
        ("tag", "A"), ("provider", "OPENAI"),
        ("status", "200"), ("end_user", "e"), ("model", "x" * 200),
    ]),
    *({"by": ("team",), "scope": scope} for scope in (
        Scope(frozenset({"red"}), None), Scope(frozenset(), "ann"), Scope(frozenset(), None),
        Scope(frozenset({"red"}), "bob"),
    )),
    {"by": ("end_user",), "scope": Scope(frozenset({"red"}), "bob"), "span": (DAY[0] + 900, DAY[1] - 2700)},
]  # fmt: skip


def test_sums_are_those_of_the_records_whatever_is_asked(filled, everything):
    wrong = []
    for asks in QUESTIONS:
        told, sums = found(filled, **asks), wanted(everything, **asks)
        if (dict(told.items), told.total) != sums:
            wrong.append(asks)
    assert wrong == []
    assert len(wanted(everything, ("hour",), DAY)[0]) >= 3


PARTS = {
    "team": st.sampled_from([None, "red", "blue"]), "end_user": st.sampled_from([None, "e1", "e2"]),
    "cost": st.sampled_from([None, "0", "0.000000001", "12345.000000007"]), "time": st.floats(START, START + 10_000),
    "tags": st.lists(st.sampled_from(["feature=search", "feature=chat", "x"]), unique=True),
    "saved": st.sampled_from([{}, {"cache": "-0.000000001"}, {"routing": "0.25"}]),
    "target": st.sampled_from([None, "a/b", "a/c", "b"]), "status": st.sampled_from([200, 502]),
}  # fmt: skip


@given(
    st.lists(st.fixed_dictionaries(PARTS), max_size=12),
    st.sets(st.sampled_from([*DIMENSIONS, "tag:feature"]), max_size=2),
    st.integers(0, 12),
)
def test_the_sum_of_all_is_that_of_the_records_to_the_last_unit(tmp_path_factory, parts, by, drained):
    data = tmp_path_factory.mktemp("law")
    records = [Record(id=f"req_{number:026d}", **part) for number, part in enumerate(parts)]
    url = f"sqlite:///{data}/records.db"
    written(data / "journal", records[:drained], segments=1)
    drain = Drain(data, opened(url), lambda *_: None, now=0.0)
    drain.turn(0.0)
    drain.database.close()
    written(data / "journal", records[drained:], segments=1)
    told = found((data, url), sorted(by))
    assert told.total == [sum(counted(read(msgspec.json.encode(each)).row)[name] for each in records) for name in SUMS]
    if "tag" not in by:
        assert [sum(column) for column in zip(*(values for _, values in told.items), strict=True)] == [
            *(told.total if told.items else ())
        ]
    assert (dict(told.items), told.total) == wanted(records, sorted(by))


def test_the_dearest_come_first_or_what_is_asked_for_and_periods_in_their_order(filled):
    for order in ("cost", "requests", "wasted"):
        values = [sums[SUMS.index(order)] for _, sums in found(filled, ("target",), order=order).items]
        assert values == sorted(values, reverse=True)
    told = [names[0] for names, _ in found(filled, ("hour", "team")).items]
    assert told == sorted(told)


def test_percentiles_are_right_to_an_eighth_where_they_are_kept(filled, everything):
    told = found(filled, ("team",))
    assert len(told.counts) == 3
    for share, (team, counts) in itertools.product((50, 95, 99), told.counts.items()):
        all_of = sorted(
            row.row.duration / 1e6 for row in map(read, map(msgspec.json.encode, everything))
            if (row.row.team or "",) == team and row.row.ending == "complete" and row.row.kind == "request"
        )  # fmt: skip
        exact = all_of[-(-len(all_of) * share // 100) - 1]
        assert percentile({bucket: both[0] for bucket, both in counts.items()}, share) == pytest.approx(
            exact, 0.25, 1e-3
        )
    assert set(found(filled, ("team", "model"), where={"provider": "openai"}).counts)
    for by in (("user",), *((name,) for name in OTHERS)):
        assert not found(filled, by).counts


def test_of_no_time_there_is_nothing(filled):
    assert found(filled, (), (0, 3600)).total == [0] * len(SUMS)
    assert found(filled, ("tag",), (0, 900)).items == []


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
    for row in (read(msgspec.json.encode(record)).row for record in everything):
        by_team[row.team or ""] += row.cost or 0
    assert {line["team"]: Decimal(line["cost"]).scaleb(9) for line in lines} == by_team
    told = json.loads(run("--by", "team,model", "--json", "--top", "2"))
    assert (told["since"], told["until"], len(told["items"])) == ("2026-09-01T00:00Z", "2026-10-01T00:00Z", 2)
    assert Decimal(told["total"]["cost"]).scaleb(9) == by_team.total()
    shown = run("--by", "team").splitlines()
    assert [line.split()[0] for line in shown[2:]] == [line["team"] or "-" for line in lines] + ["all"]


def test_without_a_database_the_journal_is_summed(tmp_path, everything):
    written(tmp_path / "journal", everything)
    for url in (None, f"sqlite:///{tmp_path}/records.db"):
        for by in (("team",), ("end_user",)):
            told = found((tmp_path, url), by)
            assert (dict(told.items), told.total) == wanted(everything, by)
    assert not (tmp_path / "records.db").exists()


def test_a_journal_that_moves_all_the_time_is_told(tmp_path, everything, monkeypatch):
    written(tmp_path / "journal", everything[:3])
    monkeypatch.setattr("pathlib.Path.exists", lambda path: False)  # as if each segment went while it was read
    with pytest.raises(Moved):
        found((tmp_path, None), ())


def test_amounts_are_told_in_a_currency_too_at_the_rate_that_is_said(tmp_path, everything):
    written(tmp_path / "data" / "journal", everything)
    config = tmp_path / "headgate.yaml"
    config.write_text(
        f"data_dir: {tmp_path}/data\nreports: {{currency: {{code: EUR, rate: 0.9137}}, time_zone: Asia/Kolkata}}\n"
    )
    done = CliRunner().invoke(cli, ["usage", "--config", str(config), "--month", "2026-09", "--by", "tag", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["currency"], told["zone"]) == ({"code": "EUR", "rate": "0.9137"}, "Asia/Kolkata")
    assert told["since"] == "2026-08-31T18:30Z"
    for each in (*told["items"], told["total"]):
        assert Decimal(each["cost_EUR"]) == Decimal(each["cost"]) * Decimal("0.9137")
    shown = CliRunner().invoke(cli, ["usage", "--config", str(config), "--month", "2026-09", "--where", "team=red"])
    assert shown.stdout.splitlines()[-1] == "1 USD = 0.9137 EUR"
    assert [line.split()[0] for line in shown.stdout.splitlines()[2:-1]] == ["red", "all"]


def test_names_are_no_formulas_in_a_spreadsheet(tmp_path, everything):
    written(tmp_path / "journal", [msgspec.structs.replace(everything[0], team="=1+1")])
    done = CliRunner().invoke(cli, ["usage", "--data-dir", str(tmp_path), "--month", "2026-09", "--csv"])
    assert done.stdout.splitlines()[1].startswith("'=1+1,")


@pytest.mark.parametrize("text", ["nothing", "team,team", "team,model,key", "sums", "tag:"])
def test_what_is_no_dimension_is_told(text):
    with pytest.raises(ValueError, match=r"none of|different"):
        dimensions(text)


def test_days_of_a_zone_with_a_summer_of_half_an_hour_are_its_own(tmp_path):
    times = [datetime(2026, 6, 30, 13, minute, tzinfo=UTC).timestamp() for minute in (20, 40)]  # midnight is 13:30
    records = [Record(id=f"req_{number:026d}", time=time) for number, time in enumerate(times)]
    data, url = tmp_path, f"sqlite:///{tmp_path}/records.db"
    written(data / "journal", records)
    drain = Drain(data, opened(url), lambda *_: None, now=0.0)
    drain.turn(0.0)
    drain.database.close()
    year = (int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()))
    told = found((data, url), ("day",), year, zone=zone("Australia/Lord_Howe"))
    assert [names[0] for names, _ in told.items] == ["2026-06-30", "2026-07-01"]


def test_times_that_are_none_are_told():
    now = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)
    for wrong in (
        {"month": "2026-13"},
        {"month": "2026-11", "since": now},
        {"since": now, "until": now.replace(hour=1)},
        {"since": datetime(1, 1, 1, tzinfo=UTC)},
        {"until": datetime(9999, 12, 31, tzinfo=UTC)},
        {"month": "0001-01"},
    ):
        with pytest.raises(ValueError, match=r"no month|either|begins|between 1970"):
            span(now, UTC, **wrong)
    with pytest.raises(ValueError, match="no time zone"):
        zone("Europe/Nowhere")
    assert span(now, UTC) == (1793491200, 1795770000)
