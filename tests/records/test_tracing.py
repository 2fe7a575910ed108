"""Who sends traces goes on where it was, waits for a collector that is away, and does not wait for ever."""

import msgspec
import pytest

from headgate.core.record import Record
from headgate.core.trace import Trace, new_span
from headgate.journal.journal import Journal
from headgate.records.tracing import BATCH, LATE, Tracing, begin, load

NOW = 2_000_000_000.0


class Collector:
    """Takes all, unless it is away."""

    def __init__(self):
        self.away = False
        self.ids = []
        self.times = 0

    def __call__(self, records):
        self.times += 1
        if not self.away:
            self.ids += [record.id for record in records]
        return not self.away


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal", on_trouble=print)
    yield journal
    journal.close()


@pytest.fixture
def collector():
    return Collector()


def written(journal, count, *, kept=True, time=NOW - 1, name="r", **more):
    ids = [f"{name}{number}" for number in range(count)]
    for id in ids:
        journal.append(Record(id=id, time=time, trace=Trace(new_span() * 2, new_span(), kept=kept), **more))
    return ids


def tracing(tmp_path, collector, told=None):
    return Tracing(tmp_path, collector, lambda *said: told.append(said) if told is not None else None)


def turned(tracing, now=NOW):
    while tracing.turn(now):
        pass
    tracing.save()


def test_what_was_there_before_is_left_alone_and_the_rest_is_sent_once(tmp_path, journal, collector):
    written(journal, 3, name="old")
    begin(tmp_path)
    first = written(journal, 3, name="first")
    turned(tracing(tmp_path, collector))
    begin(tmp_path)  # at the next start
    second = written(journal, 3, name="second")
    turned(tracing(tmp_path, collector))
    turned(tracing(tmp_path, collector))
    assert collector.ids == first + second
    assert load(tmp_path).sent == 6


def test_only_what_is_kept_is_sent(tmp_path, journal, collector):
    begin(tmp_path)
    written(journal, 3, kept=False, name="no")
    journal.append(Record(id="none", time=NOW, model='"kept":true', message='"trace":{"kept":true}'))
    yes = written(journal, 2, name="yes")
    turned(tracing(tmp_path, collector))
    assert collector.ids == yes


def test_many_are_sent_in_batches(tmp_path, journal, collector):
    begin(tmp_path)
    ids = written(journal, 3 * BATCH // 1000, message="x" * 900)
    turned(tracing(tmp_path, collector))
    assert collector.ids == ids
    assert collector.times >= 3


def test_an_absence_is_waited_for_and_told_once(tmp_path, journal, collector):
    begin(tmp_path)
    told = []
    ids = written(journal, 3)
    sends = tracing(tmp_path, collector, told)
    collector.away = True
    for _ in range(3):
        assert sends.turn(NOW) is False
    assert (sends.status.failures, sends.status.away, sends.status.dropped) == (3, True, 0)
    collector.away = False
    turned(sends)
    assert collector.ids == ids
    assert sends.status.away is False
    assert [level for level, _ in told] == ["warning", "info"]


def test_a_long_one_costs_what_is_older_than_a_minute(tmp_path, journal, collector):
    begin(tmp_path)
    collector.away = True
    written(journal, 3, name="late", time=NOW - 100 - LATE)
    timely = written(journal, 3, name="timely", time=NOW - 100)
    sends = tracing(tmp_path, collector)
    turned(sends, NOW - 101)
    assert sends.status.dropped == 0
    collector.away = False
    turned(sends, NOW - 100 + 1)
    assert collector.ids == timely
    assert (sends.status.dropped, sends.status.sent) == (3, 3)


def test_damaged_lines_and_segments_that_are_gone_hold_nothing_up(tmp_path, journal, collector):
    begin(tmp_path)
    sends = tracing(tmp_path, collector)
    written(journal, 1)
    turned(sends)
    (segment,) = (tmp_path / "journal").glob("*.jsonl")
    other = segment.with_name(segment.name.replace(".jsonl", "1.jsonl"))
    whole = msgspec.json.encode(Record(id="whole", time=NOW, trace=Trace("a" * 32, "b" * 16, kept=True)))
    other.write_bytes(b'{"kept":true\n' + whole + b'\n{"id": "torn", "trace": {"kept":true')
    turned(sends)
    assert collector.ids == ["r0", "whole"]
    other.unlink()
    turned(sends)
    assert list(load(tmp_path).positions) == [segment.name]
