"""Texts made to keep a gateway busy: what rules see in them costs no more than in others, as the loop waits for it."""

import time

import pytest

from headgate.stages.rules.complexity import score
from headgate.stages.rules.language import language

TEXTS = [
    "\n",
    " ",
    "\n ",
    "\t\n",
    "a",
    "1",
    "$",
    "!",
    ".",
    "a'",
    "a(",
    "{ ",
    "1 ",
    "1.",
    "= ",
    "-\n",
    "\u00a0\n",
    "\r",
    "я",
]


MOST = 5.0
"""Seconds of processor time: fifty times what it takes. What grows with the square of the length takes more still."""


@pytest.mark.parametrize("piece", TEXTS)
def test_a_text_of_one_piece(piece):
    text = piece * (5000 // len(piece))
    started = time.thread_time()
    for _ in range(15):
        score(text)
    assert time.thread_time() - started < MOST
    started = time.thread_time()
    for _ in range(25):
        language(text)
        language(f"{text[:1999]}@")
    assert time.thread_time() - started < MOST
