"""Files: whole lines only, a new file by size and by the clock, older ones compressed, and nothing a terminal obeys."""

import gzip
import json
import os
import time

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.config.sinks import read
from headgate.core.printable import json_safe
from headgate.records.sinks.file import File
from headgate.records.sinks.sink import Batch, Item


def ids(data):
    return [json.loads(line)["id"] for line in data.splitlines()]


def older(tmp_path):
    return sorted(path for path in tmp_path.iterdir() if path.name != "r.jsonl")


def test_records_are_lines_as_they_are_in_the_journal(tmp_path, sink, batch):
    some = batch(5, model="chat")
    sink(kind="file", path=str(tmp_path / "new" / "r.jsonl")).send(some)
    assert (tmp_path / "new" / "r.jsonl").read_bytes() == b"".join(item.line + b"\n" for item in some.items)


def test_a_torn_line_is_cut_off_and_what_was_whole_stays(tmp_path, sink, batch):
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'{"id":"whole"}\n{"id":"torn')
    sink(kind="file", path=str(path)).send(batch(2))
    assert ids(path.read_bytes())[0] == "whole"
    assert len(ids(path.read_bytes())) == 3


@pytest.mark.parametrize(
    ("compress", "unpacked"),
    [
        ("gzip", gzip.decompress),
        ("zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
        ("none", bytes),
    ],
)
def test_a_full_file_is_put_aside_and_compressed(tmp_path, sink, batch, compress, unpacked):
    made = sink(kind="file", path=str(tmp_path / "r.jsonl"), rotate_bytes=4096, compress=compress)
    for _ in range(3):
        made.send(batch(20))
    kept = b"".join(unpacked(path.read_bytes()) for path in older(tmp_path))
    assert len(older(tmp_path)) == 2
    assert ids(kept + (tmp_path / "r.jsonl").read_bytes()) == [item.id for item in batch(20).items] * 3


def test_files_of_one_millisecond_have_names_of_their_own(tmp_path, sink, batch, monkeypatch):
    """As after a clock was set back."""
    made = sink(kind="file", path=str(tmp_path / "r.s.jsonl"), rotate_bytes=4096, compress="none", rotate_seconds=None)
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    for _ in range(4):
        made.send(batch(20))
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert ids(kept) == [item.id for item in batch(20).items] * 4


def test_midnight_begins_a_new_file_and_only_so_many_are_kept(tmp_path, sink, batch):
    made = sink(kind="file", path=str(tmp_path / "r.jsonl"), keep=2)
    for day in range(5, 0, -1):
        made.send(batch(1))
        before = time.time() - day * 86400
        os.utime(tmp_path / "r.jsonl", (before, before))
        made.close()
    made.send(batch(1))
    assert len(older(tmp_path)) == 2


def test_what_a_killed_process_has_put_aside_is_compressed_later(tmp_path, sink, batch):
    (tmp_path / "r-20260101T000000000Z.jsonl").write_bytes(b'{"id":"old"}\n')
    (tmp_path / "r-20260101T000000000Z.jsonl.gz.new").write_bytes(b"half of it")
    sink(kind="file", path=str(tmp_path / "r.jsonl")).send(batch(1))
    [path] = older(tmp_path)
    assert ids(gzip.decompress(path.read_bytes())) == ["old"]


def test_files_of_another_sink_stay(tmp_path, sink, batch):
    """Whose name begins in the same way, or has signs of a pattern in it."""
    others = [tmp_path / f"r-errors-2026010{day}T000000000Z.jsonl.gz" for day in (1, 2, 3)]
    for other in others:
        other.write_bytes(b"")
    sink(kind="file", path=str(tmp_path / "r.jsonl"), keep=1).send(batch(1))
    assert all(other.exists() for other in others)
    (tmp_path / "[r]-20260101T000000000Z.jsonl").write_bytes(b'{"id":"old"}\n')
    sink(kind="file", path=str(tmp_path / "[r].jsonl")).send(batch(1))
    assert (tmp_path / "[r]-20260101T000000000Z.jsonl.gz").exists()


def test_a_file_that_somebody_deleted_is_made_anew(tmp_path, sink, batch):
    made = sink(kind="file", path=str(tmp_path / "r.jsonl"))
    made.send(batch(1))
    (tmp_path / "r.jsonl").unlink()
    made.send(batch(2))
    assert len(ids((tmp_path / "r.jsonl").read_bytes())) == 2


def test_nothing_that_a_terminal_acts_upon_is_written(tmp_path, sink, nasty):
    path = tmp_path / "r.jsonl"
    sink(kind="file", path=str(path)).send(Batch("b", [Item(*each) for each in nasty.items]))
    assert path.read_bytes().count(b"\n") == len(nasty.items)
    nasty.assert_harmless(path.read_text())
    assert [json.loads(line)["model"] for line in path.read_text().splitlines()] == nasty.texts


@given(texts=st.lists(st.text(), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_whatever_a_text_is_it_is_one_harmless_line(tmp_path_factory, texts):
    """S24."""
    path = tmp_path_factory.mktemp("law") / "r.jsonl"
    lines = [json.dumps({"id": "r", "time": 1.0, "message": text}, ensure_ascii=False).encode() for text in texts]
    made = File(read({"kind": "file", "path": str(path)}))
    made.send(Batch("b", [Item("r", 1.0, line) for line in lines]))
    made.close()
    found = path.read_text().split("\n")
    assert [json.loads(line)["message"] for line in found[:-1]] == texts
    assert all(json_safe(line) == line for line in found)
