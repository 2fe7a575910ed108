"""Windows of the calendar: they follow each other without a gap, over clock changes and months of any length."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.limits.window import SECONDS, Calendar
from together import together

VIENNA = ZoneInfo("Europe/Vienna")


def at(text, zone=VIENNA):
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@together(
    ("every", "moment", "start", "end"),
    [
        ("second", "2026-11-27T10:20:30.5", "2026-11-27T10:20:30", "2026-11-27T10:20:31"),
        ("minute", "2026-11-27T10:20:30", "2026-11-27T10:20", "2026-11-27T10:21"),
        ("hour", "2026-11-27T10:59:59", "2026-11-27T10:00", "2026-11-27T11:00"),
        ("day", "2026-11-27T00:00", "2026-11-27T00:00", "2026-11-28T00:00"),
        ("day", "2026-03-29T12:00", "2026-03-29T00:00", "2026-03-30T00:00"),
        ("day", "2026-10-25T12:00", "2026-10-25T00:00", "2026-10-26T00:00"),
        ("week", "2026-11-29T23:59", "2026-11-23T00:00", "2026-11-30T00:00"),
        ("week", "2026-11-30T00:00", "2026-11-30T00:00", "2026-12-07T00:00"),
        ("month", "2028-02-29T23:59", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("month", "2026-12-31T23:59", "2026-12-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_a_window(every, moment, start, end):
    assert Calendar(every, VIENNA).at(at(moment)) == (at(start), at(end))


def test_days_are_as_long_as_they_are():
    spring, autumn = (Calendar("day", VIENNA).at(at(day)) for day in ("2026-03-29T12:00", "2026-10-25T12:00"))
    assert [(end - start) / 3600 for start, end in (spring, autumn)] == [23, 25]


ZONES = st.sampled_from(["UTC", "Europe/Vienna", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "Africa/Cairo",
                         "Australia/Lord_Howe", "America/Havana"]).map(ZoneInfo)  # fmt: skip
MOMENTS = st.floats(at("2020-01-01"), at("2030-01-01"))


@given(st.sampled_from(sorted(SECONDS)), ZONES, MOMENTS)
def test_every_moment_is_in_its_window_and_the_next_begins_where_it_ends(every, zone, moment):
    calendar = Calendar(every, zone)
    start, end = calendar.at(moment)
    assert start <= moment < end
    assert Calendar(every, zone).at(start) == (start, end)
    following, _ = Calendar(every, zone).at(end)
    assert following == end


def test_what_was_found_is_remembered_and_forgotten_at_its_end():
    calendar = Calendar("day")
    assert calendar.at(0.0) == (0.0, 86400.0)
    assert calendar.at(86399.9) == (0.0, 86400.0)
    assert calendar.at(86400.0) == (86400.0, 172800.0)
