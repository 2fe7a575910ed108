"""Reports say what the records say: figures, changes, a forecast by weekdays, and what need not have been spent."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from headgate.catalog.catalogue import assemble
from headgate.core.record import Attempt, Record
from headgate.core.usage import Usage
from headgate.records import report, waste
from headgate.records.drain import Drain, opened
from headgate.records.reading import Records
from headgate.records.report import Asked
from headgate.records.search import Scope
from made_records import written

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=UTC)  # a Wednesday
TODAY = NOW.replace(hour=0, minute=0)
DAY = (int((TODAY - timedelta(days=1)).timestamp()), int(TODAY.timestamp()))


class Made:
    """Records, one after the other."""

    def __init__(self):
        self.all = []

    def add(self, when, cost="0.01", **fields):
        usual = {"status": 200, "duration": 1.0, "model": "chat", "target": "openai/gpt-4o", "team": "red", "key": "k"}
        usage = Usage(input=100, output=50)
        id = f"req_{len(self.all):026d}"
        self.all.append(Record(id=id, time=when.timestamp(), cost=cost, **{"usage": usage, **usual, **fields}))


def told(tmp_path, url, made, question, scope=None):
    written(tmp_path / "journal", made.all)
    drain = Drain(tmp_path, opened(url), lambda *_: None, now=0.0)
    drain.turn(0.0)
    drain.database.close()

    async def ask():
        records = Records(tmp_path, url)
        try:
            return await question(Asked(records, scope))
        finally:
            await records.close()

    return asyncio.run(ask())


def test_a_period_stands_beside_the_one_before(tmp_path, url):
    made, yesterday = Made(), TODAY - timedelta(hours=12)
    for number in range(4):
        made.add(yesterday, team=("red", "blue")[number % 2], tags=["feature=search"], saved={"routing": "0.5"})
    made.add(yesterday, status=502, ending="failed", origin="provider", usage=None, cost=None)
    made.add(yesterday, status=401, ending="refused", origin="gateway", usage=None, cost=None)
    made.add(yesterday, status=429, ending="refused", origin="gateway", usage=None, cost=None)
    made.add(yesterday - timedelta(days=1), cost="1", duration=3.0)
    found = told(tmp_path, url, made, lambda asked: report.summary(asked, DAY))
    now, before = found["now"], found["before"]
    assert (now["requests"], now["cost"], now["saved_routing"], now["availability"]) == (7, "0.04", "2", 0.8)
    assert (before["requests"], before["cost"], before["seconds"], before["availability"]) == (1, "1", 3.0, 1.0)
    assert now["seconds_p95"] == pytest.approx(1.0, 0.13)
    assert [(each["name"], each["cost"]) for each in found["top"]["team"]] == [("red", "0.02"), ("blue", "0.02")]
    assert found["top"]["tag:feature"] == [{**found["top"]["tag"][0], "name": "search"}]
    assert "user" not in found["top"]
    assert [(each["day"], each["errors"]) for each in found["days"]] == [("2026-11-17", 3)]


def test_who_may_see_some_is_told_of_those(tmp_path):
    made = Made()
    for team in ("red", "red", "blue"):
        made.add(TODAY - timedelta(hours=3), team=team)
    url, blue = f"sqlite:///{tmp_path}/r.db", Scope(frozenset({"blue"}), None)
    found = told(tmp_path, url, made, lambda asked: report.summary(asked, DAY), blue)
    assert (found["now"]["cost"], [each["name"] for each in found["top"]["team"]]) == ("0.01", ["blue"])


def test_months_are_told_apart(tmp_path, url):
    made = Made()
    made.add(datetime(2026, 9, 30, 23, 59, tzinfo=UTC), cost="1", saved={"cache": "0.25", "routing": "0.125"})
    made.add(datetime(2026, 10, 1, tzinfo=UTC), cost="2")
    made.add(NOW - timedelta(days=400), cost="4")
    found = told(tmp_path, url, made, lambda asked: report.months(asked, NOW))
    assert [(each["month"], each["cost"], each["saved"], each["saved_routing"], each["whole"]) for each in found] == [
        ("2026-09", "1", "0.25", "0.125", True), ("2026-10", "2", "0", "0", True),
    ]  # fmt: skip


def test_a_month_goes_on_as_its_weekdays_do(tmp_path):
    """10 on a working day, 1 on a day of the weekend: the twelve days from the 19th to the 30th, and today."""
    made, days = Made(), [TODAY - timedelta(days=number) for number in range(1, 29)]
    for day in days:
        made.add(day + timedelta(hours=9), cost="1" if day.weekday() > 4 else "10")
    made.add(TODAY + timedelta(hours=9), cost="4")
    found = told(tmp_path, f"sqlite:///{tmp_path}/r.db", made, lambda asked: report.forecast(asked, NOW))
    november = [day for day in days if day.month == 11]
    before = sum(1 if day.weekday() > 4 else 10 for day in november)
    assert Decimal(found["spent"]) == before + 4
    assert found["cost"] == found["low"] == found["high"] == str(before + 10 + 8 * 10 + 4 * 1)
    assert [each["cost"] for each in found["expected"]][:5] == ["10", "10", "10", "1", "1"]
    assert found["why"] is None


def test_days_that_differ_give_a_range_and_few_days_no_forecast(tmp_path):
    made = Made()
    for number in range(1, 15):
        made.add(TODAY - timedelta(days=number, hours=-9), cost=str(10 + number % 3))
    found = told(tmp_path / "many", f"sqlite:///{tmp_path}/many.db", made, lambda asked: report.forecast(asked, NOW))
    low, middle, high = (Decimal(found[name]) for name in ("low", "cost", "high"))
    assert low < middle < high
    few = Made()
    few.add(TODAY - timedelta(days=1))
    found = told(tmp_path / "few", f"sqlite:///{tmp_path}/few.db", few, lambda asked: report.forecast(asked, NOW))
    assert (found["cost"], found["days"]) == (None, 1)
    assert "needs 3 whole days" in found["why"]


def test_what_need_not_have_been_spent_is_named(tmp_path, url):
    made, when = Made(), TODAY - timedelta(hours=6)
    for _ in range(5):
        made.add(when, cost="0.02", fingerprint="same", target="openai/gpt-4o")
    made.add(when, fingerprint="other", target="openai/gpt-4o-mini", cost="0.000045")
    for number in range(25):
        wrong = {"status": 502, "ending": "failed", "origin": "provider", "usage": None, "cost": None}
        made.add(when, key="broken", **(wrong if number % 2 else {"cost": "0"}))
    made.add(
        when, attempts=[Attempt("openai/x", usage=Usage(input=1), cost="0.5"), Attempt("openai/gpt-4o")], model="two"
    )
    for _ in range(3):
        made.add(when, prefix="long", usage=Usage(input=5000, output=400), target="openai/gpt-4o", fingerprint=None)
    catalogue = assemble({"openai": "openai"}, {})
    found = told(tmp_path, url, made, lambda asked: waste.findings(asked, DAY, catalogue))
    kinds = {each["kind"]: each for each in found}
    assert set(kinds) == {"repeated", "oversized", "failing", "retried", "uncached"}
    assert (kinds["repeated"]["spent"], kinds["repeated"]["per_month"]) == ("0.08", "2.4")
    assert kinds["repeated"]["example"] == made.all[0].id
    assert (kinds["retried"]["spent"], kinds["retried"]["model"]) == ("0.5", "two")
    assert (kinds["failing"]["key"], kinds["failing"]["requests"]) == ("broken", 12)
    assert kinds["oversized"]["model"] == "openai/gpt-4o"
    assert Decimal(kinds["uncached"]["spent"]) == 2 * Decimal("1.25") * 1024 / 10**6
    costs = [Decimal(each["per_month"]) for each in found]
    assert costs == sorted(costs, reverse=True)


def test_a_smaller_model_can_what_the_larger_one_can():
    catalogue = assemble({"openai": "openai"}, {})
    name, cost = waste.smaller(catalogue, "openai/gpt-4o", 10**6, 10**6)
    entry, own = catalogue.find(*name.split("/", 1)), catalogue.find("openai", "gpt-4o")
    assert {"tools", "image"} <= {*entry.can.split(), *entry.takes.split()}
    now = datetime.now(UTC)
    assert cost == (entry.rate("input", now) + entry.rate("output", now)) * 10**9
    assert cost < (own.rate("input", now) + own.rate("output", now)) * 10**9
    assert waste.smaller(catalogue, "openai/nothing-known", 1, 1) is None
