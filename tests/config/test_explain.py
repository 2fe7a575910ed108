"""What pydantic says becomes what was expected, what is there and what to write."""

from typing import Annotated, Literal

import pydantic
import pytest

from headgate.config.document import made, parse
from headgate.config.explain import bare, explain, found, keys_at, type_at
from together import together


class Inner(pydantic.BaseModel, extra="forbid"):
    depth: int = pydantic.Field(1, le=5, description="How deep.")


class Outer(pydantic.BaseModel, extra="forbid"):
    inner: Inner | None = None
    many: list[Inner] = []
    named: dict[str, Inner] = {}
    word: Annotated[Literal["a", "b"], "x"] = "a"
    api_key: str = ""


def said(text):
    root = parse(text.encode(), "f")
    with pytest.raises(pydantic.ValidationError) as caught:
        Outer.model_validate(root.plain())
    (error,) = caught.value.errors()
    return "; ".join(filter(None, explain(error, Outer, root.at(error["loc"]))))


@together(
    ("text", "words"),
    [
        ("inner: {deppth: 1}", "unknown key `deppth`; did you mean `depth`?"),
        ("many: [{depth: 1}, {x: 1}]", "unknown key `x`; there is `depth`"),
        ("named: {q: {depht: 1}}", "unknown key `depht`; did you mean `depth`?"),
        ("inner: {depth: 9}", "must be at most 5, found the number 9"),
        ("inner: {depth: nine}", 'expected a whole number, found the text "nine"'),
        ("inner: {depth: [9]}", "expected a whole number, found a list"),
        ("inner: {depth: null}", "expected a whole number, found nothing"),
        ("word: c", "expected 'a' or 'b', found the text \"c\""),
        ("word: true", "expected 'a' or 'b', found true"),
        ("api_key: [sk]", "expected text, found a list"),
        ("api_key: 1234567", "expected text, found a number; put it in quotes"),
        ("many: {}", "expected a list, found a mapping"),
    ],
)
def test_words(text, words):
    assert said(text) == words


def test_text_that_may_be_a_secret_is_not_shown():
    assert found(made("x" * 25)) == "text"
    assert found(made("short"), secret=True) == "text"
    assert found(made("tab\t")) == "text"
    assert found(None) == "nothing"


def test_types_at_places():
    assert type_at(Outer, ("many", 3)) is Inner
    assert type_at(Outer, ("named", "any", "depth")) is int
    assert type_at(Outer, ("nothing", "x")) is None
    assert keys_at(Outer, ("inner",)) == ["depth"]
    assert keys_at(Outer, ("word",)) == []
    assert bare(Annotated[int | None, "x"]) is int
    assert bare(int | str) == int | str
