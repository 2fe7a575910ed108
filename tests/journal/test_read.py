"""Records of all workers come in order, also from the end backwards and as they are written, and filters find them."""

import threading
from datetime import UTC, datetime

import pytest

from headgate.journal import read as reading
from headgate.journal.read import Filter, find, follow, latest, read
from headgate.journal.segments import segments


def names(stored):
    return [one.record.id for one in stored]


@pytest.fixture
def three_workers(opened, folder, record):
    """90 records of three workers, finished by turns, in several segments each."""
    journals = [opened(worker=n, segment_bytes=600) for n in range(3)]
    for n in range(90):
        journals[n % 3].append(
            record(
                key=f"key{n % 2}",
                model="chat" if n % 5 else "smart",
                target=f"openai/gpt-{n % 4}" if n % 7 else "groq/llama",
                status=200 if n % 10 else 429,
                ending="complete" if n % 10 else "failed",
                error=None if n % 10 else "provider_refused",
                origin=None if n % 10 else "provider",
                client=f"10.0.0.{n % 3}",
                worker=n % 3,
            )
        )
    return [f"req_{n:05}" for n in range(1, 91)]


def test_records_of_all_workers_come_in_order(three_workers, folder):
    assert len(segments(folder)) > 9
    assert names(read(folder)) == three_workers


def test_reading_is_lazy(folder):
    folder.mkdir(parents=True)
    for hour in range(10, 20):
        at = datetime(2026, 1, 1, hour, 30, tzinfo=UTC).timestamp()
        path = folder / f"20260101T{hour}0000.000Z-0-1.jsonl"
        path.write_text("".join(f'{{"id":"{hour}-{n}","time":{at + n}}}\n' for n in range(3)))
    records = read(folder)
    assert next(records).record.id == "10-0"
    for segment in segments(folder)[2:]:
        segment.path.unlink()
    assert names(records) == ["10-1", "10-2", "11-0", "11-1", "11-2"], "what was deleted meanwhile is passed over"


@pytest.mark.parametrize("count", [0, 1, 7, 89, 90, 500])
def test_the_latest_are_read_from_the_end(three_workers, folder, count):
    assert names(latest(folder, count)) == (three_workers[-count:] if count else [])


def test_small_blocks_make_no_difference(three_workers, folder, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 7)
    monkeypatch.setattr(reading, "_BIG_BLOCK", 11)
    assert names(latest(folder, 40)) == three_workers[-40:]
    assert names(read(folder)) == three_workers


@pytest.mark.parametrize(
    "want",
    [
        Filter(key="key1"),
        Filter(model="smart"),
        Filter(target="openai/gpt-3"),
        Filter(target="groq"),
        Filter(statuses=(400, 499)),
        Filter(ending="complete"),
        Filter(since=4_000_000_050.0),
        Filter(key="key0", model="chat", target="openai", statuses=(200, 299), since=4_000_000_020.0),
        Filter(until=4_000_000_050.0),
        Filter(error="provider_refused"),
        Filter(origin="provider", key="key0"),
        Filter(client="10.0.0.2"),
        Filter(id="8"),
        Filter(key="key"),
        Filter(target="open"),
    ],
)
def test_filters_find_what_a_look_at_every_record_finds(three_workers, folder, want):
    expected = names(one for one in read(folder) if want.passes(one.record))
    assert names(read(folder, want)) == expected
    assert names(latest(folder, 1_000, want)) == expected
    assert names(latest(folder, 3, want)) == expected[-3:]
    assert (0 < len(expected) < 90) == (want not in (Filter(key="key"), Filter(target="open")))


def test_one_record_is_found_by_its_id(three_workers, folder):
    assert names(find(folder, Filter(id="req_00047"), 9)) == ["req_00047"]
    assert names(find(folder, Filter(id="47"), 9)) == ["req_00047"]
    assert find(folder, Filter(id="req_00047", key="nobody"), 9) == []
    assert find(folder / "missing", Filter(id="req_00047"), 9) == []


def test_a_part_of_several_ids_finds_each_but_a_whole_id_only_its_own(opened, folder, record):
    journal = opened()
    for id in ("a1", "a11", "a12", "a12", "b"):
        journal.append(record(id=id, upstream_id="a1"))
    assert names(find(folder, Filter(id="a"), 9)) == ["a12", "a11", "a1"]
    assert names(find(folder, Filter(id="a"), 2)) == ["a12", "a11"]
    assert names(find(folder, Filter(id="a1"), 9)) == ["a1"]


def test_a_value_that_json_writes_differently_is_found(opened, folder, record):
    opened().append(record(key='a "quoted"\nkey ü'))
    assert len(names(read(folder, Filter(key='a "quoted"\nkey ü')))) == 1


def test_what_is_no_text_is_found_nowhere(three_workers, folder):
    for want in (Filter(id="\udcff"), Filter(model="\udcff"), Filter(client="a\ud800")):
        assert find(folder, want, 2) == list(read(folder, want)) == []


def test_a_long_request_stands_where_it_finished(opened, folder, record):
    journal = opened()
    journal.append(record(duration=1.0))
    late = record(duration=600.0)
    journal.append(record(duration=1.0))
    journal.append(late)
    assert names(read(folder)) == names(latest(folder, 3)) == ["req_00001", "req_00003", "req_00002"]


def test_damaged_lines_are_passed_over(folder):
    folder.mkdir(parents=True)
    good = [f'{{"id":"req_{n}","time":{n}.0,"later_field":[1]}}'.encode() for n in range(1, 4)]
    bad = [b"", b"{", b"[1]", b'{"id":"x"}', b'{"id":"x","time":"y"}', b"\xff\xfe", b"\0\0\0"]
    lines = [good[0], *bad, good[1], b"\0" * 5_000 + good[2], b'{"id":"torn","time":9.0}']
    (folder / "20260101T000000.000Z-0-1.jsonl").write_bytes(b"\n".join(lines))
    assert names(read(folder)) == names(latest(folder, 10)) == ["req_1", "req_2", "req_3"]


def test_an_empty_journal(folder):
    assert list(read(folder)) == latest(folder, 5) == []


class Followed:
    """What `follow` gives, read in a thread of its own until it is stopped."""

    def __init__(self, folder, **settings):
        self.seen, self.more, self.over = [], threading.Condition(), False
        self.records = follow(folder, poll=0.01, stopped=lambda: self.over, **settings)
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        for one in self.records:
            with self.more:
                self.seen.append(one.record.id)
                self.more.notify_all()

    def wait(self, count):
        with self.more:
            assert self.more.wait_for(lambda: len(self.seen) >= count, 10), self.seen
        return list(self.seen)

    def stop(self):
        self.over = True
        self.thread.join()


@pytest.fixture
def followed(folder):
    started = []

    def start(**settings):
        started.append(Followed(folder, **settings))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_following_goes_on_over_segments_and_workers(opened, folder, record, followed):
    one = opened(segment_bytes=300)
    for _ in range(20):
        one.append(record())
    tail = followed(last=5)
    assert tail.wait(5) == [f"req_{n:05}" for n in range(16, 21)]
    for _ in range(20):
        one.append(record())
    tail.wait(25)
    two = opened(worker=1)
    two.append(record())
    one.append(record())
    assert sorted(tail.wait(27)) == [f"req_{n:05}" for n in range(16, 43)]


def test_following_waits_for_the_end_of_a_line(folder, followed):
    folder.mkdir(parents=True)
    tail = followed()
    with open(folder / "20260101T000000.000Z-0-1.jsonl", "ab", buffering=0) as file:
        file.write(b'{"id":"req_1","time":1.0}\n{"id":"req_')
        assert tail.wait(1) == ["req_1"]
        file.write(b'2","time":2.0}\n')
        assert tail.wait(2) == ["req_1", "req_2"]


def test_following_filters_and_starts_where_asked(opened, folder, record, followed):
    journal = opened()
    for n in range(20):
        journal.append(record(key="a" if n % 2 else "b"))
    tail = followed(want=Filter(key="a", since=4_000_000_010.0))
    first = [f"req_{n:05}" for n in range(10, 21, 2)]
    assert tail.wait(len(first)) == first
    journal.append(record(key="b"))
    journal.append(record(key="a"))
    assert tail.wait(len(first) + 1) == [*first, "req_00022"]
