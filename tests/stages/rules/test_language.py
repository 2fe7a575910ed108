"""The language of sentences in thirty languages, and of what is none."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.stages.rules.language import language

LINES = [line.split("\t") for line in Path(__file__).with_name("sentences.txt").read_text("utf-8").splitlines()]
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "route-by-content.md"


def test_sentences():
    wrong = [(wanted, language(text), text) for wanted, text in LINES if language(text) != wanted]
    assert len(wrong) <= 0.03 * len(LINES), wrong
    # of two that are next of kin, each may be taken for the other
    assert {(wanted, found) for wanted, found, _ in wrong} <= {("da", "no"), ("no", "da")}
    assert f"{len(LINES) - len(wrong)} of {len(LINES)} sentences" in PAGE.read_text("utf-8")
    assert f"in {len(Counter(wanted for wanted, _ in LINES))} languages" in PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    "text", ["", "   ", "123 + 4 = 127", "def f(x): return x", "Paris", "😀😀", "https://example.com/x?y=1"]
)
def test_what_is_no_language(text):
    assert language(text) == ""


def test_code_and_names_in_another_script():
    assert language("帮我看看 requests.get(url) 为什么报错 ConnectionError") == "zh"
    assert language("Was bedeutet das Wort 你好?") == "de"


@given(st.text())
def test_any_text_has_an_answer(text):
    assert len(language(text)) in (0, 2)
