"""Texts made to keep a gateway busy: what rules see in them costs no more than in others, as the loop waits for it."""

import time

import pytest

from headgate.stages.rules.complexity import score
from headgate.stages.rules.language import language
from headgate.stages.rules.subject import LONGEST
from headgate.stages.rules.words import Words
from together import together

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


@together("piece", TEXTS)
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


@pytest.mark.parametrize(
    "word", ["invoice{}", "invoice{}*", "the invoice {}", "the invoice {}*", "発票{}号", "mail{}@a.at"]
)
def test_a_list_of_many_words(word):
    words = Words(word.format(number) for number in range(5000))
    text = "the invoice that mail sent; 発票第号 "
    text *= LONGEST // len(text)
    started = time.thread_time()
    assert not words.within(text)
    assert time.thread_time() - started < MOST
