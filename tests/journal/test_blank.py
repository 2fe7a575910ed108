"""Lines that are to be forgotten are overwritten where they stand, also while somebody writes behind them."""

import os

import msgspec

from headgate.core.record import Record
from headgate.journal import blank as blanking
from headgate.journal.blank import blank
from headgate.journal.read import read
from headgate.journal.segments import open_segment

NAME = "20260101T000000.000Z-0-999999.jsonl"


def line(number, user):
    return msgspec.json.encode(Record(id=f"req_{number}", time=float(number), path="/", user=user)) + b"\n"


def of_ann(record):
    return record.user == "ann"


def left(folder):
    return [stored.record.id for stored in read(folder)]


def test_what_is_meant_goes_and_what_is_behind_a_place_stays(tmp_path):
    lines = [line(1, "ann"), line(2, "bob"), line(3, "ann"), line(4, "ann")]
    (tmp_path / NAME).write_bytes(b"".join(lines))
    assert blank(tmp_path, {NAME: len(b"".join(lines[:3]))}, of_ann) == 2
    assert left(tmp_path) == ["req_2", "req_4"]
    assert (tmp_path / NAME).stat().st_size == len(b"".join(lines))
    assert blank(tmp_path, {}, of_ann) == 0
    assert blank(tmp_path, None, of_ann) == 1
    assert left(tmp_path) == ["req_2"]
    assert b"ann" not in (tmp_path / NAME).read_bytes()


def test_a_segment_of_which_nothing_is_left_goes(tmp_path):
    (tmp_path / NAME).write_bytes(line(1, "ann") + line(2, "ann"))
    assert blank(tmp_path, None, of_ann) == 2
    assert not (tmp_path / NAME).exists()


def test_one_that_is_written_to_stays_and_goes_on(tmp_path):
    fd, path = open_segment(tmp_path, 0)
    os.write(fd, line(1, "ann") + b'{"id":"req_torn')
    assert blank(tmp_path, None, of_ann) == 1
    os.write(fd, b'","time":1.0}\n' + line(2, "bob"))
    os.close(fd)
    assert path.exists()
    assert left(tmp_path) == ["req_torn", "req_2"]


def test_lines_longer_than_a_block_and_segments_that_are_too_new(tmp_path, monkeypatch):
    monkeypatch.setattr(blanking, "BLOCK", 64)
    (tmp_path / NAME).write_bytes(line(1, "a" * 500) + line(2, "ann") + line(3, "b" * 200))
    assert blank(tmp_path, None, of_ann, begun=0.0) == 0
    assert blank(tmp_path, None, of_ann) == 1
    assert left(tmp_path) == ["req_1", "req_3"]
