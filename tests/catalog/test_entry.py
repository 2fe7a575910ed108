from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from headgate.catalog.entry import Entry

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_the_last_period_that_applies_counts():
    entry = Entry(
        prices=[
            {"input": "1"},
            {"from": "2026-05-01", "input": "2", "output": "8"},
            {"from": "2026-07-01", "input": "3"},
        ]
    )
    assert entry.rates(datetime(2026, 1, 1, tzinfo=UTC)) == {"input": "1"}
    assert entry.rates(NOON) == {"input": "2", "output": "8"}
    assert entry.rate("output", NOON) == Decimal("8")
    assert entry.rate("output", datetime(2026, 7, 1, tzinfo=UTC)) is None


def test_hours_of_the_day_are_utc_and_may_pass_midnight():
    entry = Entry(prices=[{"input": "1"}, {"daily": "16:30-00:30", "input": "0.5"}])
    assert entry.rate("input", NOON) == Decimal("1")
    assert entry.rate("input", NOON.replace(hour=16, minute=30)) == Decimal("0.5")
    assert entry.rate("input", NOON.replace(hour=0, minute=29)) == Decimal("0.5")
    assert entry.rate("input", NOON.replace(hour=0, minute=30)) == Decimal("1")
    east = timezone(timedelta(hours=8))
    assert entry.rate("input", datetime(2026, 6, 2, 1, tzinfo=east)) == Decimal("0.5")


def test_a_rate_is_exact():
    assert Entry(prices=[{"input": "0.1"}]).rate("input", NOON) == Decimal("0.1")


def test_what_nobody_says_is_not_known():
    entry = Entry(takes="text image", can="tools", cannot="audio schema")
    assert entry.known_to("image") is True
    assert entry.known_to("tools") is True
    assert entry.known_to("audio") is False
    assert entry.known_to("schema") is False
    assert entry.known_to("video") is None


def test_a_model_lives_until_it_retires():
    today = date(2026, 6, 1)
    assert Entry().lifecycle(today) == "active"
    assert Entry(retires="2026-06-02").lifecycle(today) == "deprecated"
    assert Entry(deprecated=True).lifecycle(today) == "deprecated"
    assert Entry(retires="2026-06-01").lifecycle(today) == "retired"


def test_the_prompt_is_limited_by_its_own_limit_first():
    assert Entry(context=400, max_input=272).prompt_limit == 272
    assert Entry(context=400).prompt_limit == 400
    assert Entry().prompt_limit is None
