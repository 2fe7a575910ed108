"""YAML is read with places, with the types of YAML 1.2, and what is not plain YAML is refused with its line."""

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headgate.config.document import MAX_BYTES, MAX_NODES, made, parse, resolved
from headgate.config.problems import ConfigError
from together import together


def read(text):
    return parse(text.encode(), "f.yaml")


def refused(text):
    with pytest.raises(ConfigError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "f.yaml")
    return caught.value.problems


def test_values_keep_their_places():
    root = read("a: 1\nb:\n  - x\n  - {c: yes, d: 'z'}\n")
    assert root.plain() == {"a": 1, "b": ["x", {"c": "yes", "d": "z"}]}
    assert root.place(("b",)) == (2, 1)
    assert root.place(("b", 1)) == (4, 5)
    assert root.place(("b", 1, "d")) == (4, 14)
    assert root.place(("b", 1, "missing")) == (4, 5), "what is not there is told at what it would be in"
    assert root.place(("nothing", "at", 3)) == (1, 1)


@together(
    ("text", "value"),
    [
        ("off", "off"), ("no", "no"), ("on", "on"), ("YES", "YES"), ("true", True), ("False", False), ("~", None),
        ("null", None), ("12", 12), ("-3", -3), ("0x1F", 31), ("0o17", 15), ("017", 17), ("1_000", "1_000"),
        ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), (".inf", math.inf), ("-.inf", -math.inf), ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"), ("'12'", "12"), ('"true"', "true"), ("!!str 12", "12"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_scalars_are_of_yaml_1_2(text, value):
    found = read(f"a: {text}").plain()["a"]
    assert found == value
    assert type(found) is type(value)


def test_empty_documents_are_empty_mappings():
    for text in ("", "# nothing\n", "---\n", "\ufeff", "~\n"):
        assert read(text).plain() == {}


def test_merge_keys_and_aliases():
    root = read("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: [*x, *x]\nw: {<<: [*x, {c: 4}]}\n")
    assert root.plain()["y"] == {"a": 1, "b": 3}
    assert root.plain()["z"] == [{"a": 1, "b": 2}] * 2
    assert root.plain()["w"] == {"a": 1, "b": 2, "c": 4}
    assert "must" not in str(refused("a: {<<: 3}\n")[0])
    assert refused("a: {<<: 3}\n")[0].line == 1


@together(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "there twice, first in line 1"),
        ("a: 1\n---\nb: 2\n", 2, "more than one document"),
        ("a: b: c\n", 1, "not valid YAML"),
        ("a:\n\tb: 1\n", 2, "not valid YAML"),
        ("a: [1, 2\nb: 3\n", 2, "not valid YAML"),
        ("a: 'x\n", 2, "not valid YAML"),
        ("a: !!python/object:os.system {}\n", 1, "tag"),
        ("a: !secret x\n", 1, "tag"),
        ("a: !!binary aGk=\n", 1, "tag"),
        ("\na: *nowhere\n", 2, "stands for nothing"),
        ("a: &a [*a]\n", 1, "stands for nothing"),
        ("a: 1\n? [x]\n: 2\n", 2, "a key must be plain text"),
        ("a: " + "[" * 100 + "]" * 100, 1, "nested more than"),
        ("a: " + "[" * 100_000, 1, "nested more than"),
    ],
)
def test_what_is_refused_has_its_line(text, line, words):
    problem = refused(text)[0]
    assert problem.line == line
    assert words in problem.message


def test_text_that_is_not_utf8_has_its_line():
    problem = refused(b"a: 1\nb: \xff\n")[0]
    assert (problem.line, problem.column) == (2, 4)
    assert "UTF-8" in problem.message


def test_control_characters_are_refused():
    assert "not valid YAML" in refused(b"a: \x00\n")[0].message


def test_too_large_a_file_is_refused():
    assert "larger than 4 MiB" in refused(b"#" * (MAX_BYTES + 1))[0].message


def test_an_alias_bomb_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert f"{MAX_NODES:,}" in refused("\n".join(lines))[0].message


def test_every_duplicate_is_told():
    assert [problem.line for problem in refused("a: 1\na: 2\nb: {c: 1, c: 2}\na: 3\n")] == [2, 3, 4]


# JSON writes other characters as two escapes, which YAML reads as two halves of a character
# and a key of YAML may not be longer than 1,024 characters, escapes included.
BMP = st.text(st.characters(max_codepoint=0xD7FF), max_size=100)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | BMP,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(BMP, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(BMP, TREES, max_size=4))
def test_what_json_writes_is_read_as_json_means_it(tree):
    assert parse(json.dumps(tree).encode(), "f").plain() == tree


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    try:
        parse(data, "f.yaml")
    except ConfigError as error:
        assert error.problems  # noqa: PT017  # both outcomes are right


@given(st.text(max_size=20))
def test_a_quoted_scalar_is_text(text):
    document = yaml.safe_dump({"a": text}, default_style='"', allow_unicode=False)
    assert read(document).plain()["a"] == text


def test_made_trees_have_no_place():
    root = made({"a": [1, {"b": "c"}]})
    assert root.plain() == {"a": [1, {"b": "c"}]}
    assert root.place(("a", 1, "b")) == (0, 0)


def test_long_digits_stay_text():
    assert resolved("9" * 5000) == "9" * 5000
