"""What would keep what was said from being kept is told at the start."""

import pytest

from headgate.config.payloads import Payloads, check


def told(**settings):
    found = []
    check(Payloads(**settings), lambda place, message, hint: found.append((".".join(place), message, hint)))
    return found


def test_what_is_usual_is_in_order():
    assert told() == []


def test_a_side_that_finds_no_room_in_memory_is_told():
    [(place, message, hint)] = told(max_bytes=1 << 20, memory_bytes=2 << 20)
    assert place == "payloads.max_bytes"
    assert "finds no room in memory" in message
    assert "raise `payloads.memory_bytes` to 4194304" in hint
    assert told(max_bytes=1 << 20, memory_bytes=4 << 20) == []


@pytest.mark.parametrize(("folder", "why"), [("missing", "there is no such folder"), ("", "it is on a disk")])
def test_a_folder_that_is_none_in_memory_is_told(tmp_path, folder, why):
    found = told(memory=tmp_path / folder)
    if not folder and not found:
        pytest.skip("temporary files are in memory here")
    [(place, message, _)] = found
    assert place == "payloads.memory"
    assert why in message
