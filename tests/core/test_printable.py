"""Untrusted text stays one harmless line."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.printable import json_safe, printable


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_acts_on_a_terminal(text):
    shown = printable(text)
    assert not any(unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") for c in shown)
    assert not set(shown) & set("\u200b\u200e\u200f\u202a\u202d\u202e\u2066\u2069\ufeff")
    shown.encode()


def test_what_is_harmless_stands():
    assert printable("Grüße, 世界 👍 \\n") == "Grüße, 世界 👍 \\n"


def test_controls_are_spelt_out():
    assert printable("a\r\n\x1b[31m\x9b\u202e\ud800") == "a\\r\\n\\x1b[31m\\x9b\\u202e\\ud800"


def test_lines_may_stand_where_asked():
    assert printable("a\n\tb\r\x00", lines=True) == "a\n\tb\\r\\x00"


def test_long_text_is_cut_and_says_so():
    assert printable("x" * 30, limit=10) == "x" * 10 + "… (20 more characters)"


@given(st.text())
def test_json_stays_the_same_value(text):
    line = json.dumps(text, ensure_ascii=False)
    safe = json_safe(line)
    assert json.loads(safe) == text
    assert printable(safe) == safe
