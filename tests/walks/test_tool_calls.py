"""Calls of tools by the schemas that requests declare: in every dialect, whole and streamed, with the vendors' SDKs."""

import contextlib
import http.client
import json

import anthropic
import openai
import pytest

from gateways import KEY, running
from headgate.core import chat
from headgate.core.events import Start, Stop, Text, ToolCall, ToolInput, Used
from headgate.core.usage import Usage
from together import together
from ways import CHATS, PLAIN, WAYS, answering, called, place

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
PROVIDERS
breaker: {{enabled: false}}
retry: {{attempts: 1}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: eager, key: hg-eager-key-0123456789abcdef}}
guards:
  calls: {{use: tool_calls, for: {{key: [test]}}}}
  patient: {{use: tool_calls, with: {{retry: 1}}, for: {{key: [eager]}}}}
  customers: {{use: patterns, with: {{patterns: {{customer: 'C-[0-9]{{6}}'}}}}, then: redact, at: before}}
  smuggled: {{use: tool_arguments, with: {{tools: {{"*": {{allow: [path, address, sql]}}}}}}}}
"""
EAGER = "hg-eager-key-0123456789abcdef"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "pattern": "^[A-Z]"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
RIGHT, WRONG = {"city": "Bern", "days": 3}, {"city": "Bern", "days": "three"}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
TALKING = [each for each in CHATS if each.name not in ("openai_completions", "ollama_generate")]


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    providers = "\n".join(
        f"  {each.name.replace('_', '-')}: {{kind: openai_compatible, api_key: none, speaks: [{each.name}],"
        f" base_url: '{first.url}/{each.name}'}}"
        for each in CHATS
    )
    with running(tmp_path_factory.mktemp("calls"), CONFIG.replace("PROVIDERS", providers)) as made:
        yield made
        assert "Traceback" not in made.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    return first


def calling(*calls, text="Let me see. "):
    """An answer with these calls: names, and arguments as values or as JSON."""
    events = [Start(id="r", model="m", created=1), Text(text=text)]
    for block, (name, arguments) in enumerate(calls, 1):
        said = arguments if isinstance(arguments, str) else json.dumps(arguments)
        events.append(ToolCall(id=f"call_{block}", name=name, block=block))
        events += [ToolInput(json=said[start : start + 7], block=block) for start in range(0, len(said), 7)]
    return [*events, Used(usage=Usage(input=10, output=2)), Stop(reason="tool_use")]


def hello(dialect, model, stream):
    message = chat.Message(role="user", parts=[chat.Text(text="How is it?")], plain=True)
    tool = chat.Tool(name="weather", description="d", schema=SCHEMA)
    other = chat.Tool(name="time", description="d", schema={"type": "object", "properties": {}})
    request = chat.ChatRequest(dialect="", model="m", messages=[message], max_tokens=10, tools=[tool, other])
    return json.loads(dialect.write_request(request, [])) | (
        {} if dialect.in_url else {"model": model, "stream": stream}
    )


def post(gateway, path, fields, key=KEY):
    """Status, headers and body, as it came."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    with contextlib.closing(connection):
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request("POST", path, json.dumps(fields), headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


@together(["dialect", "path", "stream"], [way for way in WAYS if way[0] in TALKING])
@pytest.mark.parametrize("crossed", [False, True], ids=["own", "crossed"])
def test_calls_are_looked_at_in_every_dialect(gateway, upstream, crossed, dialect, path, stream):
    other = "openai_chat" if dialect.name == "anthropic_messages" else "anthropic_messages"
    spoken = PLAIN[other] if crossed else dialect
    model = f"{spoken.name.replace('_', '-')}/m"
    path, fields = place(path, model), hello(dialect, model, stream)
    upstream.requests.clear()
    upstream.script = answering(calling(("time", {}), ("weather", RIGHT)))
    status, _, body = post(gateway, path, fields)
    assert (status, called(dialect, stream, body)) == (200, [("time", {}), ("weather", RIGHT)])
    for wrong, category in ((("weather", WRONG), "not_as_schema"), (("delete", {}), "unknown_tool")):
        upstream.script = answering(calling(("time", {}), wrong))
        _, headers, body = post(gateway, path, fields)
        assert b"blocked_by_guard" in body, body
        assert b"three" not in body
        [verdict] = gateway.record_of(headers["x-request-id"])["guards"]
        assert (verdict["policy"], verdict["category"], verdict["path"]) == (
            "calls",
            category,
            "tool_calls[1].arguments",
        )
    upstream.requests.clear()
    upstream.script = [answering(calling(("time", {}), ("weather", WRONG))), answering(calling(("weather", RIGHT)))]
    status, headers, body = post(gateway, path, fields, EAGER)
    assert (status, headers["x-headgate-asked-again"]) == (200, "1")
    assert called(dialect, stream, body) == [("weather", RIGHT)]
    asked = spoken.read_request({**json.loads(upstream.requests[1].body), "model": "m"})
    told = [part for message in asked.messages for part in message.parts if isinstance(part, chat.ToolResult)]
    assert "This call was not made, as another one was wrong; make it again." in told[0].parts[0].text
    assert '$.days: expected type "integer"' in told[1].parts[0].text
    made = [part for message in asked.messages for part in message.parts if isinstance(part, chat.ToolCall)]
    assert [(call.name, json.loads(call.arguments)) for call in made] == [("time", {}), ("weather", WRONG)]


BROKEN = '```json\n{"days": 3, "city": "Bern"'
MENDABLE = [("openai_chat", False), ("openai_chat", True), ("openai_responses", False), ("openai_responses", True)]


@together(["name", "stream"], [*MENDABLE, ("anthropic_messages", True)])
def test_what_is_nearly_right_is_mended(gateway, upstream, name, stream):
    dialect = PLAIN[name]
    model = f"{name.replace('_', '-')}/m"
    upstream.script = answering(calling(("weather", BROKEN), ("time", {})))
    status, headers, body = post(gateway, dialect.paths[0], hello(dialect, model, stream))
    assert (status, called(dialect, stream, body)) == (200, [("weather", RIGHT), ("time", {})])
    [verdict] = gateway.record_of(headers["x-request-id"])["guards"]
    assert (verdict["category"], verdict["action"]) == ("mended", "replace")


def test_arguments_that_no_api_takes_back_are_told_as_words(gateway, upstream):
    dialect = PLAIN["openai_chat"]
    upstream.script = [answering(calling(("weather", "Bern for C-123456"))), answering(calling(("weather", RIGHT)))]
    status, _, body = post(gateway, dialect.paths[0], hello(dialect, "openai-chat/m", False), EAGER)
    assert (status, called(dialect, False, body)) == (200, [("weather", RIGHT)])
    *_, answer, result = json.loads(upstream.requests[1].body)["messages"]
    assert answer["tool_calls"][0]["function"]["arguments"] == "{}"
    told = result["content"].removeprefix("Error: ")
    assert told.startswith("The arguments were: Bern for [CUSTOMER]\nThis call was not made")  # looked at like the rest


def test_what_others_forbid_is_looked_for_in_what_is_mended(gateway, upstream):
    dialect = PLAIN["openai_chat"]
    upstream.script = answering(calling(("weather", '{"city": "B; rm -rf x"')))
    status, headers, _ = post(gateway, dialect.paths[0], hello(dialect, "openai-chat/m", False))
    assert status == 400
    assert {each["policy"] for each in gateway.record_of(headers["x-request-id"])["guards"]} == {"calls", "smuggled"}


def test_openais_clients_are_called_as_they_declared(gateway, upstream, authorities):
    given = {"http_client": openai.DefaultHttpxClient(verify=authorities), "max_retries": 0}
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, **given) as client:
        upstream.script = answering(calling(("weather", BROKEN)))
        messages = [{"role": "user", "content": "How is it?"}]
        with client.chat.completions.stream(model="openai-chat/m", messages=messages, tools=TOOLS) as stream:
            [call] = stream.get_final_completion().choices[0].message.tool_calls
        assert json.loads(call.function.arguments) == RIGHT
        tools = [{"type": "function", "name": "weather", "parameters": SCHEMA}]
        with client.responses.stream(model="openai-responses/m", input="How is it?", tools=tools) as stream:
            answer = stream.get_final_response()
        message, call = answer.output
        assert message.content[0].text == "Let me see. "
        assert json.loads(call.arguments) == RIGHT


def test_anthropics_client_is_called_as_it_declared(gateway, upstream, authorities):
    given = {"http_client": anthropic.DefaultHttpxClient(verify=authorities), "max_retries": 0}
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    with anthropic.Anthropic(base_url=gateway.url, api_key=EAGER, **given) as client:
        upstream.script = [answering(calling(("weather", WRONG))), answering(calling(("weather", RIGHT)))]
        asked = {"model": "anthropic-messages/m", "max_tokens": 100, "tools": tools}
        with client.messages.stream(**asked, messages=[{"role": "user", "content": "How is it?"}]) as stream:
            text, call = stream.get_final_message().content
        assert (text.text, call.name, call.input) == ("Let me see. ", "weather", RIGHT)
