"""What workers tell each other by a file: each line once, and no more than they need of it."""

import os

import pytest

from headgate.server.notes import LARGE, QUIET, Notes


@pytest.mark.parametrize("anew", [False, True])
def test_a_large_file_is_begun_anew_once_all_have_read_it(tmp_path, anew):
    path = tmp_path / "run" / "notes"
    one, other = Notes(path, anew=anew), Notes(path, anew=anew)
    for _ in range(LARGE // 1000 + 2):
        one.write(b"x" * 999)
    assert len(other.read()) == LARGE // 1000 + 2
    one.write(b"just after")
    assert other.read() == [b"just after"]
    long_ago = path.stat().st_mtime - QUIET - 1
    os.utime(path, (long_ago, long_ago))
    one.write(b"later")
    assert (path.stat().st_size < 10) is not anew  # what is to be read after a start stays
    assert other.read() == [b"later"]
    one.write(b"again")
    assert (other.read(), other.read()) == ([b"again"], [])
