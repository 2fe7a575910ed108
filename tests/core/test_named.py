"""The models a request names besides the one it asks for, found in whichever form the APIs take them."""

import pytest

from headgate.core.errors import InvalidRequest
from headgate.core.named import ANY, KNOWN, named, parts
from together import together

SCHEMA = {"type": "object", "properties": {"model": {"type": "string"}, "models": {"default": ["x"]}}}


@together(
    ("fields", "found"),
    [
        ({"model": "a", "messages": [{"role": "user", "content": "models"}]}, []),
        ({"models": ["b", "c"]}, [("models[0]", "b"), ("models[1]", "c")]),
        ({"models": "b"}, [("models", "b")]),
        ({"models": None, "fallbacks": [], "preset": None}, []),
        ({"fallbacks": "default"}, [("fallbacks", "default")]),
        ({"fallbacks": [{"model": "b", "max_tokens": 9}, "c"]}, [("fallbacks[0].model", "b"), ("fallbacks[1]", "c")]),
        ({"context_window_fallbacks": [{"a": ["b"]}]}, [("context_window_fallbacks[0].a[0]", "b")]),
        ({"preset": "mine"}, [("preset", "@preset/mine")]),
        ({"providerOptions": {"gateway": {"models": ["b"], "order": ["azure"]}}},
         [("providerOptions.gateway.models[0]", "b")]),
        ({"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "b"}]}, [("tools[0].model", "b")]),
        ({"tools": [{"type": "image_generation", "model": "b", "svg": {"model": "c"}}]},
         [("tools[0].model", "b"), ("tools[0].svg.model", "c")]),
        ({"tools": [{"type": "openrouter:subagent", "parameters": {"model": "b", "tools": [
            {"type": "openrouter:image_generation", "parameters": {"model": "c"}},
            {"type": "function", "function": {"name": "f", "parameters": {"default": {"model": "d"}}}},
        ]}}]},
         [("tools[0].parameters.model", "b"), ("tools[0].parameters.tools[0].parameters.model", "c")]),
        ({"input": ["text", 7, [1, 2], {"type": "additional_tools", "tools": [{"type": "x", "model": "b"}]}]},
         [("input[3].tools[0].model", "b")]),
        ({"plugins": [{"id": "fusion", "analysis_models": ["b"], "model": "c"}, {"id": "web"}]},
         [("plugins[0].analysis_models[0]", "b"), ("plugins[0].model", "c")]),
        ({"plugins": [{"id": "auto-router", "allowed_models": ["anthropic/*"]}]}, []),
        ({"moderation": {"model": "b"}, "svg[model]": "c"}, [("moderation.model", "b"), ("svg[model]", "c")]),
        ({"extra_body": {"fallback_models": ["b"]}}, [("extra_body.fallback_models[0]", "b")]),
        ({"additionalModelRequestFields": {"tools": [{"type": "advisor_20260301", "model": "b"}]}},
         [("additionalModelRequestFields.tools[0].model", "b")]),
    ],
)  # fmt: skip
def test_models_are_found(fields, found):
    assert sorted(named(fields, KNOWN)) == sorted(found)


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "f", "parameters": SCHEMA}},
        {"name": "f", "input_schema": SCHEMA},
        {"type": "custom", "name": "f", "model": "x"},
        {"functionDeclarations": [{"name": "f", "parameters": SCHEMA}]},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}]},
    ],
)
def test_what_a_clients_own_functions_say_is_no_model(tool):
    assert named({"tools": [tool]}, KNOWN) == []


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"tools": [{"type": "openrouter:advisor"}]}, "tools[0]"),
        ({"tools": [{"type": "openrouter:subagent", "parameters": {"model": ""}}]}, "tools[0]"),
        ({"tools": [{"type": "openrouter:fusion", "parameters": {"analysis_models": ["b"]}}]}, "tools[0]"),
        ({"tools": [{"type": "openrouter:advisor", "parameters": ["odd"]}]}, "tools[0]"),
        ({"plugins": [{"id": "fusion"}]}, "plugins[0]"),
    ],
)
def test_a_tool_that_leaves_the_choice_open(fields, where):
    assert (where, ANY) in named(fields, KNOWN)


def test_a_plugin_that_is_off_asks_nobody():
    assert named({"plugins": [{"id": "fusion", "enabled": False}]}, KNOWN) == []


@pytest.mark.parametrize(
    "fields", [{"models": [7]}, {"models": True}, {"preset": 1.5}, {"tools": [{"type": "x", "model": 3}]}]
)
def test_what_is_no_name_is_refused(fields):
    with pytest.raises(InvalidRequest, match="must name models"):
        named(fields, KNOWN)


def test_hostile_shapes_cost_little():
    deep = value = {}
    for _ in range(5000):
        deep["k" * 1000] = deep = {}
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        named({"providerOptions": value}, KNOWN)
    with pytest.raises(InvalidRequest) as caught:
        named({"providerOptions": {"k" * 100_000: {"\n\x1b": {"model": [1]}}}}, KNOWN)
    assert len(caught.value.message) < 500
    assert "\x1b" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openai/gpt-4o", ["openai/gpt-4o"]),
        ("a, b", ["a", "b"]),
        ("@preset/mine", ["@preset/mine"]),
        ("openai/gpt-4@preset/mine", ["openai/gpt-4", "@preset/mine"]),
        ("", [""]),
    ],
)
def test_the_models_in_one_name(name, found):
    assert parts(name) == found
