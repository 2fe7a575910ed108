"""Texts are JSON that fits a schema, whoever made it: nothing is fetched for one, and none takes long."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from referencing.exceptions import Unresolvable

from headgate.core.errors import GuardUnavailable
from headgate.core.guard import Asked, Passage
from headgate.stages.guard.fitting import Fitting, Foreign
from headgate.stages.guard.foreign import Clock
from headgate.stages.guard.mending import candidates
from headgate.stages.guards.tool_calls import LARGEST, ToolCalls, ToolCallsSettings
from upstreams import ScriptedUpstream, json_reply

SCHEMAS = [
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}, "additionalProperties": False},
    {"type": "object", "patternProperties": {"^a": {"type": "string"}}, "additionalProperties": {"type": "integer"}},
    {
        "properties": {"a": {"$ref": "#/$defs/tree"}},
        "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    },
    {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"n": {"minimum": 2}},
        "$ref": "#/definitions/n",
    },
    {"anyOf": [{"type": "string", "pattern": "^b+$"}, {"items": {"enum": [1, "a"]}, "uniqueItems": True}]},
    {"uniqueItems": True, "items": {"items": {"type": "integer"}}},
    {"oneOf": [{"type": "number"}, {"not": {"type": "object"}}], "if": {"type": "string"}, "then": {"minLength": 2}},
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.just(1.0) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(schema=st.sampled_from(SCHEMAS), value=VALUES)
def test_what_somebody_sends_means_what_json_schema_says(schema, value):
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    fits = kind(schema).is_valid(value)
    text = json.dumps(value)
    assert bool(foreign(schema).wrong(text)) is not fits
    assert bool(Fitting(schema).wrong(text)) is not fits


def foreign(schema):
    return Foreign(schema, Clock())


def test_nothing_is_fetched_for_a_schema():
    with ScriptedUpstream(json_reply({"type": "integer"})) as elsewhere:
        schema = {"properties": {"a": {"$ref": f"{elsewhere.url}/schema.json"}}}
        assert foreign(schema).wrong('{"a": "b"}') == []
        with pytest.raises(Unresolvable):
            Fitting(schema).wrong('{"a": "b"}')
        assert not elsewhere.requests


def test_no_schema_takes_long():
    twice = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(60)}
    with pytest.raises(GuardUnavailable, match="too long"):
        foreign({"$ref": "#/$defs/d0", "$defs": {**twice, "d60": False}}).wrong("{}")
    assert foreign({"$ref": "#"}).wrong("{}")
    slow = foreign({"properties": {"a": {"pattern": "^(a+)+$"}}, "patternProperties": {"^(b+)+$": False}})
    assert [each.told for each in slow.wrong(json.dumps({"a": "a" * 5000 + "!", "b" * 5000 + "!": 1}))] == [
        '$.a: expected pattern "^(a+)+$"'
    ]
    assert slow.wrong(json.dumps({"bb": 1}))
    # what RE2 does not know is passed over
    assert foreign({"properties": {"a": {"pattern": "(?=b)"}}}).wrong('{"a": "c"}') == []


DRAFT = "http://json-schema.org/draft-07/schema#"
SLOW = {"pattern": "^(a+)+$"}
ITEMS = [{"a": number} for number in range(20_000)]
LENGTHY = [
    # jsonschema goes on with validators of its own where a part says by which draft it goes
    ({"properties": {"a": {"$schema": DRAFT, **SLOW}}}, {"a": "a" * 40 + "!"}),
    ({"$schema": DRAFT, "properties": {"a": SLOW, "in": {"$ref": "#"}}}, {"in": {"a": "a" * 40 + "!"}}),
    ({"uniqueItems": True}, [*ITEMS[:6000], {"a": 1}]),
]


@pytest.mark.parametrize(("schema", "value"), LENGTHY)
def test_what_takes_long_elsewhere_is_told_at_once(schema, value):
    assert foreign(schema).wrong(json.dumps(value))


def test_what_answers_to_the_configurations_schemas_take_is_in_proportion_to_them():
    assert Fitting({"uniqueItems": True}).wrong(json.dumps(ITEMS)) == []
    slow, names = "^(a+ ?)+$", {"patternProperties": {"^(b+)+$": True}, "additionalProperties": False}
    assert Fitting({"items": {"pattern": slow}}).wrong(json.dumps(["a" * 40 + "!"]))
    assert Fitting(names).wrong(json.dumps({"b" * 40 + "!": 1}))


def test_all_of_the_configurations_schemas_is_gone_by():
    assert Fitting({"pattern": "^(?!no)"}).wrong('"nothing"')  # RE2 does not know it
    assert not Fitting({"pattern": "^(?!no)"}).wrong('"all"')
    assert Fitting({"properties": {"a": True}, "unevaluatedProperties": False}).wrong('{"b": 1}')


MANY = {f"^a{number}(b|c)*$": True for number in range(5000)}
LONG = [
    ({"items": {"enum": ITEMS}}, ITEMS[-1:] * 2000),
    ({"patternProperties": MANY, "additionalProperties": False}, {f"x{number}": 1 for number in range(2000)}),
    ({"allOf": [{"items": {}}] * 5000}, [1] * 2000),
]


@pytest.mark.parametrize(("schema", "value"), LONG)
def test_what_takes_long_anyway_is_ended(schema, value):
    with pytest.raises(GuardUnavailable, match="too long"):
        foreign(schema).wrong(json.dumps(value))


def test_a_value_that_nothing_can_be_said_of_leaves_its_schema_as_it_is():
    fitting = foreign({"properties": {"a": {"multipleOf": 0}, "b": {"type": "string"}}})
    assert fitting.wrong('{"a": 1}') == []
    assert fitting.wrong('{"b": 1}')


def test_names_that_are_not_the_schemas_are_not_told():
    schema = {
        "properties": {"prices": {"additionalProperties": {"type": "integer"}}},
        "$defs": {"row": {"properties": {"count": {"type": "integer"}}}},
        "additionalProperties": {"items": {"$ref": "#/$defs/row"}},
    }
    wrong = foreign(schema).wrong('{"prices": {"joe@example.com": "x"}, "C-123456": [{"count": "y"}]}')
    assert [each.told for each in wrong] == [
        '$.prices.*: expected type "integer"',
        '$.*[0].count: expected type "integer"',
    ]
    assert not [each for each in wrong if "joe" in each.why or "C-1" in each.why]


def called(guard, schema, *arguments):
    asked = Asked(id="r")
    asked.tools = {"f": schema}
    return list(guard.look([Passage(each, "reply", "assistant", "tool_argument", "f") for each in arguments], asked))


def test_all_calls_of_a_reply_have_one_time():
    slow = {"allOf": [{"items": {}}] * 300}  # some milliseconds for each
    guard = ToolCalls(ToolCallsSettings())
    assert called(guard, slow, "[1, 1]") == []
    with pytest.raises(GuardUnavailable, match="too long"):
        called(guard, slow, *["[1, 1]"] * 1000)


def test_schemas_that_are_too_large_ask_for_an_object_and_few_are_remembered():
    guard = ToolCalls(ToolCallsSettings())
    assert called(guard, {"required": ["a"], "title": "x" * LARGEST}, "{}") == []
    assert called(guard, {"required": ["a"], "title": "x" * LARGEST}, "[]")
    for number in range(40):
        assert called(guard, {"required": [f"a{number}"], "title": "x" * 200_000}, "{}")
    assert sum(map(len, guard._known)) < 5 << 20


@pytest.mark.parametrize(
    "text", ['{"b": 1,"a"' + " " * 100_000 + "x", '{"a": "' + '\\"' * 50_000, '{"a' + ", " * 50_000]
)
def test_what_is_mended_takes_no_time(text):
    assert len(list(candidates(text))) > 3


@given(value=VALUES, cut=st.integers(1, 40))
def test_what_is_mended_fits(value, cut):
    wrong, meant = Fitting({"type": ["object", "array"]}).looked(json.dumps(value)[:cut], mend=True)
    assert meant is None or (wrong and Fitting({"type": ["object", "array"]}).wrong(meant) == [])


MEMBERS = st.dictionaries(st.sampled_from("abc"), VALUES | st.text('a",]}', max_size=4) | st.integers(0, 100))


@given(value=MEMBERS, cut=st.integers(0, 60), around=st.sampled_from(["{}", "So: {} is it", "```json\n{}\n```", "{},"]))
def test_no_member_of_what_is_mended_has_half_a_value(value, cut, around):
    text = around.replace("{}", json.dumps(value)[: cut or None])
    for each in candidates(text, halves=False):
        try:
            meant = json.loads(each)
        except ValueError:
            continue
        if isinstance(meant, dict):
            assert all(value.get(name) == said for name, said in meant.items()) or meant in nested(value)


def nested(value):
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [*inner, *(deep for each in inner for deep in nested(each))]
