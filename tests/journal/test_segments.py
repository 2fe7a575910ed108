"""What a crash leaves is mended at the next start; what a live process writes is left alone."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from headgate.core.record import Record
from headgate.journal.journal import Journal
from headgate.journal.read import read
from headgate.journal.segments import open_segment, repair, segments, sweep

NAME = "20260101T000000.000Z-0-999999.jsonl"
LINE = b'{"id":"req_1","time":1.0}\n'


def left_behind(folder, data, name=NAME):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize(
    "tail", [b'{"id":"req_2","ti', b"\0" * 9_000, b'{"id":"req_2"' + b"\0" * 70_000, b"x" * 200_000]
)
def test_a_torn_tail_is_cut_off(folder, tail):
    path = left_behind(folder, LINE + tail)
    (done,) = repair(folder)
    assert path.read_bytes() == LINE
    assert (done.path, done.cut, done.removed) == (path, len(tail), False)
    assert done.id == ("req_2" if tail.startswith(b"{") else None)
    assert f"torn last line of {len(tail)} bytes" in str(done)
    assert repair(folder) == []


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b'{"id":"req_1"'])
def test_a_segment_without_a_whole_line_is_removed(folder, data):
    path = left_behind(folder, data)
    (done,) = repair(folder)
    assert done.removed
    assert str(done)
    assert not path.exists()


def test_a_live_segment_is_left_alone(folder):
    fd, path = open_segment(folder, 3)
    os.write(fd, LINE + b'{"id":"half')
    assert repair(folder) == []
    assert path.read_bytes() == LINE + b'{"id":"half'
    os.close(fd)
    assert len(repair(folder)) == 1
    assert path.read_bytes() == LINE


def test_two_segments_of_one_moment_get_names_of_their_own(folder):
    opened = [open_segment(folder, 0) for _ in range(20)]
    assert len({path for _, path in opened}) == 20
    assert [s.path for s in segments(folder)] == [path for _, path in opened], "names sort by time"
    for fd, _ in opened:
        os.close(fd)


def test_foreign_files_are_no_segments(folder):
    left_behind(folder, b"hello", "notes.txt")
    left_behind(folder, b"hello", "x" + NAME)
    assert segments(folder) == repair(folder) == []
    assert segments(folder / "missing") == []


def test_sweeping_counts_what_it_deletes(folder):
    for n in range(5):
        left_behind(folder, LINE * 10, f"20260101T00000{n}.000Z-0-1.jsonl")
    size = len(LINE) * 10
    assert sweep(folder, None) == (0, 0, 5, size * 5)
    assert sweep(folder, size * 2 + 1) == (3, 30, 2, size * 2)
    assert [s.path.name[14] for s in segments(folder)] == ["3", "4"]


WRITER = """
    import pathlib, sys
    from headgate.core.ids import Ids
    from headgate.core.record import Record
    from headgate.journal.journal import Journal
    journal = Journal(pathlib.Path(sys.argv[1]), worker=int(sys.argv[2]), segment_bytes=20_000, on_trouble=print)
    make = Ids()
    while True:
        name = make()
        journal.append(Record(id=name, time=0.0, model="m" * (ord(name[-13]) * 8)))
        sys.stdout.write(name + "\\n")
        sys.stdout.flush()
"""
CYCLES = int(os.environ.get("HEADGATE_KILL_CYCLES", "20"))


def test_kill_9_in_mid_load_loses_nothing_that_was_acknowledged(folder):
    """A writer acknowledges each record after `append`; it is killed at some moment, again and again."""
    acknowledged = set()
    for cycle in range(CYCLES):
        acknowledged |= killed_writer(folder, cycle)
        for done in repair(folder):
            assert done.problem is None
            assert done.id not in acknowledged
        found = [stored.record.id for stored in read(folder)]
        assert len(found) == len(set(found)), "no record twice"
        assert acknowledged <= set(found)
        assert all(segment.path.read_bytes().endswith(b"}\n") for segment in segments(folder))
    assert len(acknowledged) > 20 * CYCLES


def killed_writer(folder, cycle):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(folder), str(cycle % 2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in range(30 + 17 * cycle)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    return {line.strip().decode() for line in lines if line.endswith(b"\n")}


def test_a_torn_line_of_a_crashed_writer_does_not_reach_the_next(folder):
    left_behind(folder, LINE + b'{"id":"req_torn"')
    repair(folder)
    journal = Journal(folder, on_trouble=print)
    journal.append(Record(id="req_2", time=2.0))
    journal.close()
    assert [s.record.id for s in read(folder)] == ["req_1", "req_2"]
