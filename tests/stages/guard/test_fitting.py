"""Texts are JSON that fits a schema, whoever made it: nothing is fetched for one, and none takes long."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from referencing.exceptions import Unresolvable

from headgate.core.errors import GuardUnavailable
from headgate.stages.guard.fitting import Fitting, Foreign
from headgate.stages.guard.mending import candidates
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
    {"oneOf": [{"type": "number"}, {"not": {"type": "object"}}], "if": {"type": "string"}, "then": {"minLength": 2}},
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(schema=st.sampled_from(SCHEMAS), value=VALUES)
def test_what_somebody_sends_means_what_json_schema_says(schema, value):
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    fits = kind(schema).is_valid(value)
    text = json.dumps(value)
    assert bool(Foreign(schema).wrong(text)) is not fits
    assert bool(Fitting(schema).wrong(text)) is not fits


def test_nothing_is_fetched_for_a_schema():
    with ScriptedUpstream(json_reply({"type": "integer"})) as elsewhere:
        schema = {"properties": {"a": {"$ref": f"{elsewhere.url}/schema.json"}}}
        assert Foreign(schema).wrong('{"a": "b"}') == []
        with pytest.raises(Unresolvable):
            Fitting(schema).wrong('{"a": "b"}')
        assert not elsewhere.requests


def test_no_schema_takes_long():
    twice = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(60)}
    with pytest.raises(GuardUnavailable, match="too long"):
        Foreign({"$ref": "#/$defs/d0", "$defs": {**twice, "d60": False}}).wrong("{}")
    assert Foreign({"$ref": "#"}).wrong("{}")
    slow = Foreign({"properties": {"a": {"pattern": "^(a+)+$"}}, "patternProperties": {"^(b+)+$": False}})
    assert [each.told for each in slow.wrong(json.dumps({"a": "a" * 5000 + "!", "b" * 5000 + "!": 1}))] == [
        '$.a: expected pattern "^(a+)+$"'
    ]
    assert slow.wrong(json.dumps({"bb": 1}))
    # what RE2 does not know is passed over
    assert Foreign({"properties": {"a": {"pattern": "(?=b)"}}}).wrong('{"a": "c"}') == []


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
