"""A record is whole on disk or not there at all; it waits when the disk fails, and is refused before it is lost."""

import logging
import os
import resource
import subprocess
import sys
import textwrap
import time

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.core.chat import Loss
from headgate.core.errors import Overloaded
from headgate.core.record import Attempt, Record
from headgate.core.usage import Usage
from headgate.journal.journal import Journal
from headgate.journal.read import read
from headgate.journal.segments import repair, segments
from waiting import wait_for


def ids(folder):
    return [stored.record.id for stored in read(folder)]


def test_a_record_is_in_the_file_when_append_returns(opened, folder, record):
    journal = opened()
    journal.append(record(model="chat", usage=Usage(input=3)))
    (segment,) = segments(folder)
    lines = segment.path.read_bytes().splitlines()
    assert msgspec.json.decode(lines[0], type=Record) == Record(
        id="req_00001", time=4_000_000_001.0, model="chat", usage=Usage(input=3)
    )
    assert journal.healthy()
    assert not journal.full
    assert (segment.worker, segment.pid) == (0, os.getpid())
    assert segment.path.stat().st_mode & 0o007 == 0, "nobody else may read who asked for what"


def test_segments_turn_over_at_their_size_and_sealed_ones_stay_as_they_are(opened, folder, record):
    journal = opened(segment_bytes=500)
    states = {}
    for _ in range(100):
        journal.append(record(model="m" * 60))
        *sealed, _ = segments(folder)
        for segment in sealed:
            states.setdefault(segment.path, segment.path.read_bytes())
    assert len(states) > 5
    assert all(path.read_bytes() == state and len(state) <= 500 for path, state in states.items())
    assert ids(folder) == [f"req_{n:05}" for n in range(1, 101)]


def test_a_record_larger_than_a_segment_has_one_to_itself(opened, folder, record):
    journal = opened(segment_bytes=500)
    journal.append(record())
    journal.append(record(model="x" * 5_000))
    journal.append(record())
    assert [s.path.stat().st_size > 500 for s in segments(folder)] == [False, True, False]
    assert len(ids(folder)) == 3


def test_the_oldest_sealed_segments_go_when_there_are_too_many(opened, folder, record, told):
    journal = opened(segment_bytes=1_000, max_bytes=4_000)
    for _ in range(300):
        journal.append(record())
    wait_for(lambda: journal.deleted_segments and sum(s.path.stat().st_size for s in segments(folder)) <= 4_000)
    left = ids(folder)
    assert left == [f"req_{n:05}" for n in range(301 - len(left), 301)], "the newest are kept, without a gap"
    wait_for(lambda: journal.deleted_records + len(left) == 300)
    assert any(level == logging.WARNING and "oldest segments" in text for level, text in told)


def test_another_workers_open_segment_is_never_deleted(opened, folder, record):
    other, journal = opened(worker=1), opened(segment_bytes=500, max_bytes=2_000)
    other.append(record())
    for _ in range(200):
        journal.append(record())
    wait_for(lambda: journal.deleted_segments > 3)
    assert "req_00001" in ids(folder)


def test_what_no_encoding_can_write_is_written_spelt_out(opened, folder, record):
    opened().append(record(path="/v1/\ud800", usage=Usage(input=2, reported={"n": float("nan"), "o": object()})))
    (stored,) = read(folder)
    assert stored.record.path == "/v1/\\ud800"
    assert stored.record.usage.input == 2


def test_a_full_disk_makes_records_wait_and_they_keep_their_order(opened, folder, record, told, full_disk):
    journal = opened(fsync="never")
    journal.append(record())
    with full_disk(segments(folder)[0].path):
        for _ in range(5):
            journal.append(record())
        assert (journal.backlog_records, journal.healthy(), journal.full) == (5, False, False)
        assert journal.backlog_bytes > 100
        time.sleep(0.1)
        assert [level for level, _ in told] == [logging.ERROR], "said once, however often it is tried"
        assert "No space left" in told[0][1]
        assert str(folder) in told[0][1]
    wait_for(journal.healthy)
    journal.append(record())
    assert ids(folder) == [f"req_{n:05}" for n in range(1, 8)]
    assert (journal.backlog_records, journal.backlog_bytes) == (0, 0)
    assert "written again" in told[-1][1]


def test_requests_are_refused_before_accounts_are_lost(opened, folder, record, told, full_disk):
    journal = opened(buffer_bytes=2_000, fsync="never")
    kept = 0
    with full_disk(segments(folder)[0].path):
        while not journal.full:
            journal.append(record())
            kept += 1
        with pytest.raises(Overloaded, match="free disk space") as refused:  # noqa: PT012 - the room for those in flight
            for _ in range(100):
                journal.append(record())
                kept += 1
        assert refused.value.retry_after
        assert str(folder) not in refused.value.message, "a client learns nothing of the machine"
        assert journal.backlog_bytes <= 2_000
        assert sum("are refused" in text for _, text in told) == 1
    wait_for(journal.healthy)
    assert not journal.full
    assert len(ids(folder)) == kept


def test_records_that_still_wait_at_the_end_are_told(folder, record, told, full_disk):
    journal = Journal(folder, on_trouble=lambda level, text: told.append(text), beat=0.02, fsync="never")
    with full_disk(segments(folder)[0].path):
        journal.append(record())
        journal.close()
    assert "1 records could not be written" in told[-1]


def test_a_segment_that_takes_no_more_is_given_up_for_another(opened, folder, record, told):
    journal = opened()
    journal.append(record())
    path = segments(folder)[0].path
    fd = next(int(n) for n in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{n}") == str(path))
    reading = os.open(path, os.O_RDONLY)
    os.dup2(reading, fd, inheritable=False)  # every write now fails with EBADF
    os.close(reading)
    journal.append(record())
    wait_for(journal.healthy)
    journal.append(record())
    assert ids(folder) == ["req_00001", "req_00002", "req_00003"]
    assert len(segments(folder)) == 2


def test_a_segment_deleted_under_the_writer_is_replaced(opened, folder, record, told):
    journal = opened()
    journal.append(record())
    segments(folder)[0].path.unlink()
    wait_for(lambda: told)
    journal.append(record())
    assert ids(folder) == ["req_00002"]


def test_a_folder_that_cannot_be_written_stops_the_start_and_says_how_to_mend_it(tmp_path):
    (tmp_path / "journal").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="make this folder writable or choose another data_dir"):
        Journal(tmp_path / "journal", on_trouble=print)


def test_a_folder_without_rights(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "journal").mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="make this folder writable"):
        Journal(tmp_path / "journal", on_trouble=print)


def test_a_journal_that_wrote_nothing_leaves_nothing(folder):
    journal = Journal(folder, on_trouble=print)
    assert len(segments(folder)) == 1
    journal.close()
    journal.close()
    assert segments(folder) == []


def test_a_closed_journal_takes_nothing(folder, record):
    journal = Journal(folder, on_trouble=print)
    journal.append(record())
    journal.close()
    with pytest.raises(Overloaded, match="shutting down"):
        journal.append(record())
    assert ids(folder) == ["req_00001"]


@pytest.mark.parametrize("fsync", ["interval", "always", "never"])
def test_every_way_of_syncing_keeps_the_records(opened, folder, record, fsync):
    journal = opened(fsync=fsync, segment_bytes=400)
    for _ in range(20):
        journal.append(record())
    time.sleep(0.05)
    journal.close()
    assert len(ids(folder)) == 20


def test_a_write_cut_short_is_taken_back_and_done_again(folder):
    """RLIMIT_FSIZE makes the kernel write a part of a line and then fail, as a quota does."""
    script = f"""
        import pathlib, time
        from headgate.core.record import Record
        from headgate.journal.journal import Journal
        journal = Journal(pathlib.Path({str(folder)!r}), on_trouble=lambda *_: None, beat=0.01)
        for n in range(150):
            journal.append(Record(id=f"req_{{n:05}}", time=1e9 + n, model="m" * (n % 90)))
            while not journal.healthy():
                time.sleep(0.002)
        journal.close()
    """
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_500, 1_500))  # noqa: E731
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, preexec_fn=limit, timeout=60)
    assert ids(folder) == [f"req_{n:05}" for n in range(150)]
    assert len(segments(folder)) > 5
    assert all(s.path.read_bytes().endswith(b"}\n") for s in segments(folder))
    assert repair(folder) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True).returncode
    )
    if not mounted:
        pytest.skip("needs the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_disk_that_fills_and_is_freed_loses_nothing(small_disk, told):
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 40_000)
    journal = Journal(small_disk / "journal", on_trouble=lambda level, text: told.append(text), beat=0.02)
    for n in range(600):
        journal.append(Record(id=f"req_{n:05}", time=1e9 + n, model="m" * 50))
    assert journal.backlog_records > 50
    ballast.unlink()
    time.sleep(0.2)
    assert repair(small_disk / "journal") == [], "a live segment is left alone"
    for segment in segments(small_disk / "journal"):
        segment.path.read_bytes()
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    wait_for(journal.healthy)
    journal.close()
    assert ids(small_disk / "journal") == [f"req_{n:05}" for n in range(600)]


def test_a_disk_that_turns_read_only_and_back(small_disk, told):
    journal = Journal(small_disk / "journal", on_trouble=lambda level, text: told.append(text), beat=0.02)
    journal.append(Record(id="req_1", time=1.0))
    (segment,) = segments(small_disk / "journal")
    fd = next(
        int(n) for n in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{n}") == str(segment.path)
    )
    reading = os.open(segment.path, os.O_RDONLY)
    os.dup2(reading, fd, inheritable=False)
    os.close(reading)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    journal.append(Record(id="req_2", time=2.0))
    time.sleep(0.1)
    assert not journal.healthy()
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    wait_for(journal.healthy)
    journal.close()
    assert ids(small_disk / "journal") == ["req_1", "req_2"]


texts = st.text(max_size=30)
counts = st.integers(0, 2**53)
seconds = st.floats(0, 1e6, allow_nan=False)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
usages = st.builds(Usage, input=counts, output=counts, cache_read=counts, reported=st.dictionaries(texts, anything))
records = st.builds(
    Record,
    id=texts,
    time=st.floats(0, 4e9),
    key=st.none() | texts,
    model=st.none() | texts,
    target=st.none() | texts,
    attempts=st.lists(st.builds(Attempt, target=texts, seconds=seconds, message=st.none() | texts), max_size=3),
    status=st.integers(0, 599),
    ending=st.sampled_from(["complete", "failed", "refused", "cut", "cancelled"]),
    message=st.none() | texts,
    usage=st.none() | usages,
    first_token=st.none() | seconds,
    duration=seconds,
    lost=st.lists(st.builds(Loss, path=texts, why=texts), max_size=2),
)
law = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@law
@given(written=st.lists(records, min_size=1, max_size=4))
def test_any_record_comes_back_as_it_was(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder, on_trouble=print, fsync="never")
    for one in written:
        journal.append(one)
    journal.close()
    key = lambda record: msgspec.json.encode(record)  # noqa: E731
    assert sorted((s.record for s in read(folder)), key=key) == sorted(written, key=key)


@law
@given(written=st.lists(records, min_size=1, max_size=4), data=st.data())
def test_a_file_cut_anywhere_loses_at_most_the_line_that_was_cut(tmp_path_factory, written, data):
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder, on_trouble=print, fsync="never")
    for one in written:
        journal.append(one)
    journal.close()
    (segment,) = segments(folder)
    whole = segment.path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    zeros = data.draw(st.sampled_from([0, 1, 5_000]))
    segment.path.write_bytes(whole[:cut] + b"\0" * zeros)
    before = list(read(folder))
    repair(folder)
    kept = whole[:cut].count(b"\n")
    assert len(list(read(folder))) == len(before) == kept
    assert not segment.path.exists() or segment.path.read_bytes() == b"".join(whole.splitlines(True)[:kept])
    assert repair(folder) == []
