"""What waits in memory comes out once, in order, whoever is killed when; what there is no room for is refused."""

import os

import pytest

from headgate.core.kept import Head
from headgate.journal.segments import segments
from headgate.records.payloads.waiting import Reader, Waiting, folder_of, ready, size


def head(id):
    return Head(id, 1.5, "red", None, "full", False, "openai_chat", "", False, ())


def test_what_is_put_comes_out_and_is_gone(tmp_path):
    waiting = Waiting(tmp_path / "w", 3, 1 << 20)
    assert waiting.put(head("a"), b"asked", b"", [b"one", b"two"])
    assert waiting.put(head("b"), b"", b"sent", [])
    reader = Reader(tmp_path / "w")
    found = [(piece.head, piece.request, piece.sent, piece.answer) for piece in reader.pieces()]
    assert found == [(head("a"), b"asked", b"", b"onetwo"), (head("b"), b"", b"sent", b"")]
    assert list(reader.pieces()) == []
    assert segments(tmp_path / "w"), "deleted while it is written to"
    waiting.put(head("c"), b"more", b"", [])
    waiting.close()
    assert [piece.head.id for piece in Reader(tmp_path / "w").pieces()] == ["c"]
    assert list(os.scandir(tmp_path / "w")) == []


def test_a_reader_that_is_killed_goes_on_with_the_piece_it_had(tmp_path):
    waiting = Waiting(tmp_path / "w", 0, 1 << 20)
    for id in "abc":
        waiting.put(head(id), b"x", b"", [])
    pieces = Reader(tmp_path / "w").pieces()
    assert [next(pieces).head.id for _ in range(2)] == ["a", "b"]
    pieces.close()
    assert [piece.head.id for piece in Reader(tmp_path / "w").pieces()] == ["b", "c"]


def test_nothing_is_left_in_memory_of_what_was_taken_out(tmp_path):
    waiting = Waiting(tmp_path / "w", 0, 1 << 20)
    for canary in (b"first-canary", b"second-canary"):
        waiting.put(head("a"), canary, b"", [canary])
    [segment] = segments(tmp_path / "w")
    pieces = Reader(tmp_path / "w").pieces()
    next(pieces)
    assert segment.path.read_bytes().count(b"first-canary") == 2
    next(pieces)
    assert b"first-canary" not in segment.path.read_bytes()
    assert b"second-canary" in segment.path.read_bytes()
    assert list(pieces) == []
    assert segment.path.read_bytes().strip(b"\0") == b""
    waiting.put(head("b"), b"more", b"", [])
    assert [piece.head.id for piece in Reader(tmp_path / "w").pieces()] == ["b"]


def test_a_torn_piece_of_a_dead_process_is_passed_over(tmp_path):
    waiting = Waiting(tmp_path / "w", 0, 1 << 20)
    waiting.put(head("a"), b"x" * 100, b"", [])
    [segment] = segments(tmp_path / "w")
    whole = segment.path.read_bytes()
    with segment.path.open("ab") as file:
        file.write(whole[:-7])
    assert [piece.head.id for piece in Reader(tmp_path / "w").pieces()] == ["a"]
    waiting.close()
    assert list(Reader(tmp_path / "w").pieces()) == []
    assert size(tmp_path / "w") == 0


def test_where_there_is_no_room_it_is_refused_until_some_was_taken_out(tmp_path):
    waiting = Waiting(tmp_path / "w", 0, 1 << 20)
    taken = 0
    while waiting.put(head("a"), b"x" * 100_000, b"", []):
        taken += 1
    assert waiting.taken == taken
    assert waiting.dropped == 1
    assert (1 << 20) * 0.7 < size(tmp_path / "w") <= (1 << 20) * 1.25
    assert len(list(Reader(tmp_path / "w").pieces())) == taken
    assert waiting.put(head("b"), b"x", b"", [])


def test_several_processes_write_beside_each_other(tmp_path):
    one, other = (Waiting(tmp_path / "w", worker, 1 << 20) for worker in (0, 1))
    for number in range(6):
        (one if number % 2 else other).put(head(f"{number}"), b"x" * number, b"", [])
    assert sorted(piece.head.id for piece in Reader(tmp_path / "w").pieces()) == list("012345")


def test_a_folder_of_others_is_not_used(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="this user alone"):
        ready(tmp_path / "open")
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(PermissionError):
        ready(tmp_path / "link")
    assert not Waiting(tmp_path / "open", 0, 1 << 20).put(head("a"), b"", b"", [])
    assert folder_of(tmp_path, tmp_path / "a") != folder_of(tmp_path, tmp_path / "b")
