"""Names a failure that nobody foresaw, for a log that must not hold what was being worked on."""

from __future__ import annotations

import os
import traceback


def unforeseen(error: BaseException) -> str:
    """`TypeError at mine.py:12`: its kind, and where it arose; none of its words, which may hold a value."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
