"""JSON Schemas said to who holds a model to them: what is read stays, the rest is told or named."""

import json

import pytest
from anthropic import transform_schema

from headgate.core.chat import ResponseFormat, Tool
from headgate.core.errors import Unsupported
from headgate.dialects.narrow_schemas import narrowed, narrowed_tool, said_strictly, strictly

CITY = {"type": "string", "title": "City"}
PLACE = {"type": "object", "properties": {"city": CITY}, "required": ["city"]}
ORDER = {
    "type": "object",
    "properties": {
        "count": {"type": "integer", "description": "How many.", "minimum": 1, "maximum": 9},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 5}, "minItems": 1, "maxItems": 3},
        "at": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]},
        "day": {"type": "string", "format": "date"},
        "zip": {"type": "string", "format": "zip"},
        "kind": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "unit": {"enum": ["c", "f", None]},
    },
    "required": ["count"],
    "additionalProperties": False,
    "$defs": {"Place": PLACE},
}
SCHEMA = "response_format.json_schema.schema"


def narrow(schema):
    lost = []
    return narrowed(schema, SCHEMA, lambda path, why: lost.append((path, why))), lost


@pytest.mark.parametrize("schema", [PLACE, ORDER, {"$ref": "#/$defs/Place", "$defs": {"Place": PLACE}}])
def test_it_is_what_anthropics_own_sdk_makes_of_it(schema):
    found, _ = narrow(schema)
    assert bare(found) == bare(transform_schema(json.loads(json.dumps(schema))))


def bare(schema):
    """Without descriptions, which the SDK writes as Python and we as JSON."""
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if key != "description"}
    return [bare(item) for item in schema] if isinstance(schema, list) else schema


def test_bounds_become_words_and_are_named():
    found, lost = narrow(ORDER)
    assert found["properties"]["count"] == {"type": "integer", "description": "How many.\n\n{minimum: 1, maximum: 9}"}
    assert found["properties"]["tags"]["items"]["description"] == "{maxLength: 5}"
    told = "the model is told of, not held to: format, maxItems, maxLength, maximum, minimum, oneOf"
    assert lost == [(SCHEMA, told)]


def test_a_schema_that_is_narrow_passes_as_it_is():
    closed = {**PLACE, "additionalProperties": False}
    assert narrow(closed) == (closed, [])
    assert narrow(PLACE) == (closed, [])


def test_what_binds_nobody_is_left_out():
    found, lost = narrow({"$schema": "https://json-schema.org/draft/2020-12/schema", **PLACE})
    assert (found, lost) == (narrow(PLACE)[0], [(SCHEMA, "left out: $schema")])


def test_other_properties_are_ruled_out_and_that_is_named():
    found, lost = narrow({**PLACE, "additionalProperties": {"type": "integer"}})
    assert found["additionalProperties"] is False
    assert lost == [(SCHEMA, "no other properties than those with names are given")]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "array", "items": {"type": "object", "properties": {}, "additionalProperties": True}},
    ],
)
def test_an_object_of_any_properties_is_refused_as_it_would_come_back_empty(schema):
    with pytest.raises(Unsupported) as refused:
        narrow(schema)
    assert refused.value.param == SCHEMA


def test_nesting_without_end_is_refused():
    deep = {"type": "string"}
    for _ in range(400):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Unsupported, match="levels deep"):
        narrow(deep)
    assert strictly({"type": "object", "properties": {"a": deep}, "required": ["a"]}) is None


@pytest.mark.parametrize("value", [None, 3, "x", [], [3], {"a": None}])
def test_nonsense_is_nobodys_failure(value):
    for key in ("properties", "required", "anyOf", "items", "$defs", "enum", "format", "pattern", "type", "minItems"):
        schema = {"type": "array", key: value}
        assert isinstance(narrow(schema)[0], dict)
        strictly({**PLACE, "properties": {"city": schema}})
    strictly({**PLACE, "properties": value})
    strictly({**PLACE, "required": value})


def test_a_strict_tool_whose_objects_are_open_is_no_longer_strict():
    lost = []
    tool = Tool(name="f", schema={"type": "object", "properties": {"a": {"type": "object"}}}, strict=True)
    assert narrowed_tool(tool, "tools[0]", lambda path, why: lost.append(path)).strict is None
    assert lost == ["tools[0].strict"]
    loose = Tool(name="f", schema={"type": "object", "minProperties": 1})
    assert narrowed_tool(loose, "tools[0]", lambda path, why: lost.append(path)) is loose


def test_what_openai_is_strict_with():
    closed = {**PLACE, "additionalProperties": False}
    assert strictly(PLACE) == closed
    inside = {"type": "object", "properties": {"p": {"anyOf": [PLACE, {"type": "null"}]}}, "required": ["p"]}
    assert strictly(inside)["properties"]["p"]["anyOf"][0] == closed
    for unfit in (
        {**PLACE, "required": []},
        {**PLACE, "additionalProperties": True},
        {**PLACE, "oneOf": []},
        {"anyOf": [PLACE]},
        {"type": "array", "items": PLACE},
        {"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}, "required": ["a"]},
    ):
        assert strictly(unfit) is None, unfit


def test_a_format_openai_cannot_be_strict_with_is_asked_for_all_the_same():
    lost = []
    form = ResponseFormat(kind="schema", schema={**PLACE, "required": []}, strict=True)
    said = said_strictly(form, "response_format.json_schema", lambda path, why: lost.append(path))
    assert (said.strict, said.schema) == (False, form.schema)
    assert lost == ["response_format.json_schema.strict"]
