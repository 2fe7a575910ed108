"""`${NAME}` is the variable's value, read once; everything else stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.config.interpolate import fill
from together import together

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
ENVIRON = st.dictionaries(NAMES, VALUES, max_size=4)


@given(st.text().filter(lambda text: "$" not in text), ENVIRON)
def test_text_without_dollars_stays(text, environ):
    assert fill(text, environ).text == text


@given(st.text(), ENVIRON)
def test_doubled_dollars_are_the_text_itself(text, environ):
    filled = fill(text.replace("$", "$$"), environ)
    assert filled.text == text
    assert not filled.wrong
    assert not filled.names


@given(st.lists(st.tuples(VALUES.filter(lambda text: "$" not in text), NAMES, VALUES), max_size=4))
def test_values_are_put_in_and_not_read_again(pieces):
    environ = {name: value for _, name, value in pieces}
    text = "".join(f"{before}${{{name}}}" for before, name, _ in pieces)
    filled = fill(text, environ)
    assert filled.text == "".join(before + environ[name] for before, name, _ in pieces)
    assert filled.names == [name for _, name, _ in pieces]


@given(NAMES, st.text(st.characters(exclude_characters="}")), ENVIRON)
def test_a_default_is_for_what_is_unset_or_empty(name, default, environ):
    filled = fill(f"<${{{name}:-{default}}}>", environ)
    assert filled.text == f"<{environ.get(name) or default}>"
    assert not filled.wrong


@given(st.text(alphabet="${}:-AB$ ", max_size=20), ENVIRON)
def test_any_text_is_filled_or_told(text, environ):
    filled = fill(text, environ)
    if not filled.wrong and "${" in text.replace("$$", ""):
        assert filled.names or ":-" in text


def test_an_unset_variable_is_named_with_advice():
    filled = fill("a ${OPENAI_API_KEX} b", {"OPENAI_API_KEY": "sk-very-secret"})
    (message, hint), *_ = filled.wrong
    assert message == "the environment variable OPENAI_API_KEX is not set"
    assert "did you mean OPENAI_API_KEY?" in hint
    assert "sk-very-secret" not in message + hint
    assert "export NOWHERE=" in fill("${NOWHERE}", {}).wrong[0][1]


def test_an_empty_variable_is_a_value():
    filled = fill("<${A}>", {"A": ""})
    assert filled.text == "<>"
    assert not filled.wrong


@together("text", ["${", "${}", "${A", "${A B}", "${1}", "${A:x}", "${A:-b", "a${-}"])
def test_what_only_looks_like_a_variable_is_told(text):
    assert "is not a variable" in fill(text, {"A": "x"}).wrong[0][0]


@pytest.mark.parametrize("text", ["$", "$A", "pa$word", "a$", "$(x)", "5$ or 6$"])
def test_a_lone_dollar_stays(text):
    assert fill(text, {"A": "x"}).text == text


def test_default_may_hold_anything_but_a_brace():
    assert fill("${A:-http://x:1/v1?a=$b}", {}).text == "http://x:1/v1?a=$b"
    assert fill("${A:-}", {}).text == ""
