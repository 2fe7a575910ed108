"""Calls are of tools that are offered, with arguments that fit."""

import json
import subprocess
import sys

import pytest

from headgate.core.guard import Asked, Passage
from headgate.stages.guards.tool_calls import ToolCalls, ToolCallsSettings

SCHEMA = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}


def found(tool, arguments, tools, **said):
    guard = ToolCalls(ToolCallsSettings(**said))
    return list(guard.look([Passage(arguments, "reply", "assistant", "tool_argument", tool)], Asked(tools=tools)))


@pytest.mark.parametrize(
    ("tool", "arguments", "tools", "category"),
    [
        ("weather", '{"city": "Bern"}', {"weather": SCHEMA}, None),
        ("weather", '{"city": 3}', {"weather": SCHEMA}, "not_as_schema"),
        ("weather", '{"city": "Bern",}', {"weather": SCHEMA}, "mended"),
        ("weather", '{"city": "Bern"', {"weather": SCHEMA}, "mended"),
        ("weather", '{"city": "Ber', {"weather": SCHEMA}, "not_as_schema"),  # who knows what follows
        ("weather", '{"city": "Bern", "days": 3', {"weather": SCHEMA}, "not_as_schema"),
        ("weather", '{"city": "Bern", "days":', {"weather": SCHEMA}, "not_as_schema"),
        ("weather", "[]", {"weather": None}, "not_as_schema"),
        ("weather", '{"any": 1}', {"weather": None}, None),
        ("weather", '{"any": 1}', {"weather": {"type": "objct"}}, None),  # no schema
        ("weather", "3", {"weather": {"type": "objct"}}, "not_as_schema"),
        ("weather", "{}", {"weather": {"properties": 3, "required": "a"}}, None),
        ("weather", "{}", {"weather": {"$schema": 7, "$id": 3, "$ref": "nowhere"}}, None),
        ("time", "{}", {"weather": SCHEMA}, "unknown_tool"),
        ("time", "{}", {}, "unknown_tool"),
        ("bash", "{}", {"weather": SCHEMA, "": None}, None),  # there are tools of the provider's own
        ("weather", '{"city": 3}', None, None),  # nobody knows what was offered
    ],
)
def test_calls_by_what_is_offered(tool, arguments, tools, category):
    told = found(tool, arguments, tools)
    assert [each.category for each in told] == ([category] if category else [])
    if category == "mended":
        assert json.loads(told[0].instead) == {"city": "Bern"}
        [told] = found(tool, arguments, tools, mend=False)
        assert told.category == "not_as_schema"
    elif category:
        assert told[0].advice.startswith("This call was not made")
        assert arguments not in told[0].reason


def test_nothing_is_loaded_within_the_time_that_a_first_call_has():
    look = (
        "import sys; from headgate.stages.guards.tool_calls import *; guard = ToolCalls(ToolCallsSettings()); "
        "loaded = set(sys.modules); said = Passage('{\"city\": 1}', 'reply', tool='weather', part='tool_argument'); "
        f"list(guard.look([said], Asked(tools={{'weather': {SCHEMA}}}))); print(*set(sys.modules) - loaded)"
    )
    assert subprocess.check_output([sys.executable, "-c", look], text=True).split() == []
