"""The coding agents' own requests on models of every provider: Claude Code's and Codex's, for two turns with tools."""

import json
from pathlib import Path

import pytest

from gateways import KEY
from upstreams import json_reply
from walks.conftest import each, opened, settle
from walks.vendors import Said, stream

RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "exchanges"
NAMES = {
    "anthropic": "anthropic",
    "openai": "chats",
    "responses": "answers",
    "cohere": "cohere",
    "ollama": "ollama",
    "bedrock": "bedrock-oss",
    "gemini": "gemini",
}
"""The model that a provider of each dialect has."""
every = pytest.mark.parametrize("vendor", NAMES)
BETAS = [
    "claude-code-20250219",
    "interleaved-thinking-2025-05-14",
    "context-management-2025-06-27",
    "prompt-caching-scope-2026-01-05",
    "effort-2025-11-24",
]
MARK = {"cache_control": {"type": "ephemeral"}}


def claude_tool(name, **properties):
    schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return {"name": name, "description": f"{name}: does what it says.\n\nUsage:\n- carefully", "input_schema": schema}


PATH = {"type": "string", "description": "An absolute path."}
CLAUDE_CODE = {
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.233.3f3; cc_entrypoint=cli;"},
        {"type": "text", "text": "You are a coding agent.", **MARK},
        {"type": "text", "text": "Use the tools that you have.\n\n# Environment\nPlatform: linux", **MARK},
    ],
    "tools": [
        claude_tool("Bash", command={"type": "string"}, timeout={"type": "number"}),
        claude_tool("Read", file_path=PATH, limit={"type": "integer", "exclusiveMinimum": 0}),
        claude_tool("Edit", file_path=PATH, old_string={"type": "string"}, new_string={"type": "string"}),
        claude_tool("TodoWrite", todos={"type": "array", "items": {"type": "object", "properties": {}}}),
        claude_tool("Task", prompt={"type": "string"}, subagent_type={"type": "string", "enum": ["claude", "Explore"]}),
        *(claude_tool(f"mcp__server__tool_{number}", value={"type": "string"}) for number in range(20)),
    ],
    "metadata": {"user_id": json.dumps({"device_id": "ad3f" * 16, "account_uuid": "", "session_id": "eba7676d"})},
    "max_tokens": 32000,
    "thinking": {"type": "adaptive"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "medium"},
}
CALLS = (
    ("toolu_01", "Bash", '{"command": "ls -la", "timeout": 1000}'),
    ("toolu_02", "Read", '{"file_path": "/src/a.py", "limit": 20}'),
)


async def claude_turn(client, vendor, messages):
    body = {**CLAUDE_CODE, "model": NAMES[vendor], "messages": messages}
    async with opened(client.beta.messages.stream(betas=BETAS, **body)) as events:
        async for _ in each(events):
            pass
        return await settle(events.get_final_message())


@every
async def test_claude_code_for_two_turns_of_tools(anthropic_client, gateway, upstream, vendor):
    said = Said("I'll look.", thinking="The user wants a list.", calls=CALLS, stop="tools")
    upstream.script = stream(vendor, said)
    reminder = {"type": "text", "text": "<system-reminder>\nToday is a day.\n</system-reminder>"}
    asked = {"role": "user", "content": [reminder, {"type": "text", "text": "What is in a.py?", **MARK}]}
    reply = await claude_turn(anthropic_client, vendor, [asked])
    assert reply.stop_reason == "tool_use"
    calls = [block for block in reply.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [(name, json.loads(given)) for _, name, given in CALLS]
    thoughts = "".join(block.thinking for block in reply.content if block.type == "thinking")
    assert thoughts == said.thinking

    upstream.script = stream(vendor, Said("It is empty."))
    answer = {"role": "assistant", "content": [block.to_dict() for block in reply.content]}
    results = [
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": "a.py", "is_error": False},
        {
            "type": "tool_result",
            "tool_use_id": calls[1].id,
            "content": [{"type": "text", "text": "<file is empty>"}],
            **MARK,
        },
    ]
    final = await claude_turn(anthropic_client, vendor, [asked, answer, {"role": "user", "content": results}])
    assert final.stop_reason == "end_turn"
    assert "".join(block.text for block in final.content if block.type == "text") == "It is empty."
    check_second_turn(upstream, vendor, calls, ["a.py", "<file is empty>"])
    if vendor == "anthropic":
        assert upstream.requests[-1].headers["anthropic-beta"].split(",") == BETAS
        assert {**CLAUDE_CODE, "stream": True}.items() <= json.loads(upstream.requests[-1].body).items()
    record = gateway.newest()
    assert (record["dialect"], record["key"]) == ("anthropic_messages", "test")
    if vendor == "bedrock":  # this model writes less than Claude Code always asks for
        assert json.loads(upstream.requests[-1].body)["inferenceConfig"]["maxTokens"] == 16_384
        assert "max_tokens" in [loss["path"] for loss in record["lost"]]


def check_second_turn(upstream, vendor, calls, outputs):
    """The calls and what came of them stand in the conversation that the provider was sent last, in their order."""
    assert len(upstream.requests) == 2
    body = json.loads(upstream.requests[1].body)
    text = json.dumps(body, ensure_ascii=False)
    places = [text.index(json.dumps(output, ensure_ascii=False)[1:-1]) for output in outputs]
    assert places == sorted(places)
    if vendor == "responses":
        asked = [item["call_id"] for item in body["input"] if item["type"].endswith("_call")]
        told = [item["call_id"] for item in body["input"] if item["type"].endswith("_call_output")]
    elif vendor == "gemini":
        parts = [part for turn in body["contents"] for part in turn["parts"]]
        asked = [part["functionCall"]["id"] for part in parts if "functionCall" in part]
        told = [part["functionResponse"]["id"] for part in parts if "functionResponse" in part]
    elif vendor == "bedrock":
        blocks = [block for turn in body["messages"] for block in turn["content"]]
        asked = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
        told = [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block]
    elif vendor == "anthropic":
        blocks = [block for turn in body["messages"] for block in turn["content"] if isinstance(block, dict)]
        asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
        told = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    else:
        [turn] = [turn for turn in body["messages"] if turn.get("tool_calls")]
        asked = [call.get("id") for call in turn["tool_calls"]]
        told = [turn.get("tool_call_id") for turn in body["messages"] if turn["role"] == "tool"]
    assert len(asked) == len(told) == len(calls)
    if vendor != "ollama":  # it has no ids, results go by name and place
        assert asked == told


async def test_claude_codes_small_questions(anthropic_client, upstream):
    """The title of a session: no tools, no thinking, a schema, from its small model."""
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    given = {
        **CLAUDE_CODE,
        "tools": [],
        "thinking": {"type": "disabled"},
        "output_config": {"format": {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}},
        "extra_body": {"temperature": 1},
        "messages": [{"role": "user", "content": "<session>\nHello\n</session>"}],
    }
    del given["context_management"]
    for vendor in NAMES:
        upstream.script = stream(vendor, Said('{"title": "Greeting"}'))
        async with opened(anthropic_client.beta.messages.stream(betas=BETAS, model=NAMES[vendor], **given)) as events:
            final = await settle(events.get_final_message())
        assert json.loads(final.content[-1].text) == {"title": "Greeting"}, vendor
        assert "title" in upstream.requests[-1].body.decode()


@pytest.mark.parametrize("vendor", ["openai", "responses", "cohere", "ollama"])
async def test_claude_code_counts_tokens_of_any_model(anthropic_client, upstream, vendor):
    """Where the provider counts none, the gateway does."""
    asked = {name: CLAUDE_CODE[name] for name in ("system", "tools")}
    messages = [{"role": "user", "content": "What is in a.py?"}]
    counted = await settle(
        anthropic_client.beta.messages.count_tokens(model=NAMES[vendor], messages=messages, betas=BETAS, **asked)
    )
    assert 500 < counted.input_tokens < 5000
    assert not upstream.requests


async def test_claude_code_counts_tokens(anthropic_client, upstream):
    upstream.script = json_reply({"input_tokens": 2095})
    asked = {name: CLAUDE_CODE[name] for name in ("system", "tools", "thinking")}
    messages = [{"role": "user", "content": "What is in a.py?"}]
    counted = await settle(
        anthropic_client.beta.messages.count_tokens(model="anthropic", messages=messages, betas=BETAS, **asked)
    )
    assert counted.input_tokens == 2095
    [request] = upstream.requests
    assert request.path == "/v1/messages/count_tokens"
    assert json.loads(request.body) == {**asked, "model": "claude-sonnet-4-5", "messages": messages}


# --- Codex


def codex_function(name, **properties):
    schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return {"type": "function", "name": name, "description": f"{name}.", "strict": False, "parameters": schema}


GRAMMAR = 'start: begin_patch hunk+ end_patch\nbegin_patch: "*** Begin Patch" LF\n%import common.LF'
CODEX = {
    "instructions": "You are a coding agent running in a terminal.",
    "tools": [
        codex_function("exec_command", cmd={"type": "string", "description": "What to run."}),
        codex_function("update_plan", plan={"type": "array", "items": {"type": "object", "properties": {}}}),
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Edits files. This is a FREEFORM tool, so do not wrap the patch in JSON.",
            "format": {"type": "grammar", "syntax": "lark", "definition": GRAMMAR},
        },
        {"type": "local_shell"},
        {"type": "web_search", "external_web_access": False},
        {
            "type": "namespace",
            "name": "mcp__server",
            "description": "Tools of an MCP server.",
            "tools": [{**codex_function("look", value={"type": "string"}), "defer_loading": True}],
        },
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "019a0b3c-6f1e-7c0a-9c57-3f0d9b1f1e2d",
    "text": {"verbosity": "low"},
}
EDIT = "*** Begin Patch\n*** Update File: a.py\n@@\n-x = 'ü'\n+x = \"\\n\"\n*** End Patch"


def codex_said(vendor):
    """A command, a patch and, where the model is offered a function in its place, the local shell."""
    calls = (("call_1", "exec_command", '{"cmd": "ls"}'),)
    if vendor != "responses":
        calls += (("call_4", "mcp__server__look", '{"value": "x"}'),)
        calls += (("call_3", "local_shell", '{"command": ["cat", "a.py"], "timeout_ms": 500}'),)
    customs = (("call_2", "apply_patch", EDIT),)
    return Said("Looking.", thinking="I should look.", calls=calls, customs=customs, stop="tools")


async def codex_turn(client, vendor, items):
    events = await settle(client.responses.create(model=NAMES[vendor], input=items, stream=True, **CODEX))
    seen = [event async for event in each(events)]
    assert seen[-1].type == "response.completed"
    done = [event.item for event in seen if event.type == "response.output_item.done"]  # what Codex goes by
    assert [item.to_dict() for item in done] == [item.to_dict() for item in seen[-1].response.output]
    return done


@every
async def test_codex_for_two_turns_of_tools(openai_client, gateway, upstream, vendor):
    upstream.script = stream(vendor, codex_said(vendor))
    asked = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<permissions>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<environment_context>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Mend a.py."}]},
    ]
    done = await codex_turn(openai_client, vendor, asked)
    by_type = {item.type: item for item in reversed(done)}
    thoughts = [piece.text for item in done if item.type == "reasoning" for piece in item.summary]
    assert "".join(thoughts) == "I should look."
    assert json.loads(by_type["function_call"].arguments) == {"cmd": "ls"}
    assert by_type["custom_tool_call"].input == EDIT
    if vendor != "responses":
        [looked] = [item for item in done if getattr(item, "namespace", None)]
        assert (looked.namespace, looked.name) == ("mcp__server", "look")
        assert json.loads(looked.arguments) == {"value": "x"}
        action = by_type["local_shell_call"].action
        assert (action.command, action.timeout_ms) == (["cat", "a.py"], 500)

    upstream.script = stream(vendor, Said("Mended."))
    back = [{key: value for key, value in item.to_dict().items() if key not in ("id", "status")} for item in done]
    results = []
    for item in done:
        if item.type.endswith("_call"):
            kind = "function" if item.type == "local_shell_call" else item.type.removesuffix("_call")
            kind = f"{kind}_call_output"
            results.append({"type": kind, "call_id": item.call_id, "output": f"out of {item.call_id}"})
    final = await codex_turn(openai_client, vendor, [*asked, *back, *results])
    assert final[-1].content[0].text == "Mended."
    check_second_turn(upstream, vendor, results, [result["output"] for result in results])
    body = json.loads(upstream.requests[-1].body)
    if vendor == "responses":
        assert body == {**CODEX, "model": "gpt-5.1", "stream": True, "input": [*asked, *back, *results]}
    else:
        assert "web_search" not in json.dumps(body)
        tools = {
            "bedrock": lambda: body["toolConfig"]["tools"],
            "gemini": lambda: body["tools"][0]["functionDeclarations"],
        }.get(vendor, lambda: body["tools"])()
        assert len(tools) == 5
    assert gateway.newest()["dialect"] == "openai_responses"


# --- what the real agents sent

needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")


def recorded(pattern, api):
    found = [json.loads(path.read_bytes()) for path in sorted(RECORDED.glob(pattern))]
    bodies = [
        (exchange["id"], exchange["request"]["body"], exchange["request"]["headers"])
        for exchange in found
        if exchange["api"] == api and exchange["response"]["status"] == 200
    ]
    assert bodies
    return bodies


@needs_recordings
@every
@pytest.mark.parametrize(
    ("pattern", "api", "path"),
    [
        ("anthropic/*claude-agent-sdk*.json", "messages", "/v1/messages?beta=true"),
        ("chatgpt/*codex*.json", "responses", "/v1/responses"),
    ],
    ids=["claude-code", "codex"],
)
def test_recorded_requests_of_agents_are_taken_by_every_provider(gateway, upstream, vendor, pattern, api, path):
    wrong = []
    for id, body, headers in recorded(pattern, api):
        upstream.script = stream(vendor, Said())
        sent = {name: value for name, value in headers.items() if name.startswith("anthropic-")}
        status, _, answer = gateway.post({**body, "model": NAMES[vendor]}, path=path, key=KEY, headers=sent)
        last = {"messages": b"message_stop", "responses": b"response.completed"}[api]
        if status != 200 or last not in answer:
            wrong.append((id, status, answer[:300] if isinstance(answer, bytes) else answer))
    assert not wrong
