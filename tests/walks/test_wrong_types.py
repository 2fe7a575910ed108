"""A value of the wrong type anywhere in a request, in every API and to a provider of every API: the client is told
which field, or the provider decides; it is never the gateway's failure. Also where guards look at it."""

import contextlib
import copy
import http.client
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dialects.mutations import places_in
from gateways import KEY, running
from headgate.core import chat
from headgate.core.errors import Unsupported
from headgate.core.events import Start, Stop, ToolCall, ToolInput, Used
from headgate.core.usage import Usage
from upstreams import ScriptedUpstream
from ways import CHATS, answering
from ways import place as located

SOAK = os.environ.get("HEADGATE_SOAK") == "1"
GUARDED = "hg-guarded-key-0123456789abcdef"
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
PROVIDERS
  openai: {{api_key: sk-1, speaks: [openai_chat], base_url: URL/openai_chat}}
  simulator: {{}}
breaker: {{enabled: false}}
retry: {{attempts: 1}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: guarded, key: {GUARDED}}}
guards:
  calls: {{use: tool_calls, for: {{key: [guarded]}}}}
  attacks: {{use: injection, then: flag, for: {{key: [guarded]}}}}
  hidden: {{use: hidden_text, for: {{key: [guarded]}}}}
  smuggled: {{use: tool_arguments, for: {{key: [guarded]}}}}
"""
PROVIDERS = {each.name.replace("_", "-"): each.name for each in CHATS}
TARGETS = [*(f"{name}/m" for name in PROVIDERS), "simulator/sim", "openai/gpt-3.5-turbo"]
"""Of the last one it is known what it cannot do."""
DIALECTS = Path(__file__).parents[1] / "dialects"
MORE = {
    "openai_chat": [{"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]}],
    "openai_responses": [
        {
            "input": [
                {
                    "type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
                    "content": [{"type": "output_text", "text": "It is.", "annotations": [{"type": "url_citation"}]}],
                },
                {"role": "user", "content": "Why?"},
            ]
        }
    ],
}  # fmt: skip
ODD = [5, "x", [], {}, True, None]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PICTURE = chat.Bytes(base64="iVBORw0KGgo=", media_type="image/png")
CALLING = [
    Start(id="1", model="m"),
    ToolCall(id="call_2", name="weather"),
    ToolInput(json='{"city":"Bern"}'),
    Used(usage=Usage(input=10, output=2)),
    Stop(reason="tool_use"),
]
SAID = chat.ChatRequest(
    dialect="",
    model="m",
    max_tokens=100,
    temperature=0.5,
    messages=[
        chat.Message(role="system", parts=[chat.Text(text="Be brief.")], plain=True),
        chat.Message(role="user", parts=[chat.Text(text="How is it?")], plain=True),
        chat.Message(role="assistant", parts=[chat.ToolCall(id="call_1", name="weather", arguments='{"city":"Bern"}')]),
        chat.Message(role="tool", parts=[chat.ToolResult(id="call_1", parts=[chat.Text(text="Rain")], plain=True)]),
        chat.Message(role="user", parts=[chat.Text(text="And here?"), chat.Image(source=PICTURE)]),
    ],
    tools=[chat.Tool(name="weather", description="Of a city", schema=SCHEMA)],
    tool_choice=chat.ToolChoice(kind="required"),
)
FORMED = chat.ChatRequest(
    dialect="",
    model="m",
    max_tokens=100,
    messages=[chat.Message(role="user", parts=[chat.Text(text="How is it?")], plain=True)],
    format=chat.ResponseFormat(kind="schema", name="weather", schema={**SCHEMA, "additionalProperties": False}),
)
PROMPT = chat.ChatRequest(dialect="", model="m", max_tokens=100, messages=FORMED.messages)


ANSWER = answering(CALLING)


async def lenient(asked):
    """A provider that takes everything."""
    fields = json.loads(asked.request.body)
    stream = {"stream": fields["stream"]} if isinstance(fields.get("stream"), bool) else {}
    asked.request = replace(asked.request, body=json.dumps(stream).encode())
    await ANSWER(asked)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with ScriptedUpstream(lenient) as upstream:
        providers = "\n".join(
            f"  {name}: {{kind: openai_compatible, api_key: none, speaks: [{dialect}],"
            f" base_url: '{upstream.url}/{dialect}'}}"
            for name, dialect in PROVIDERS.items()
        )
        with running(
            tmp_path_factory.mktemp("types"), CONFIG.replace("PROVIDERS", providers).replace("URL", upstream.url)
        ) as made:
            yield made
            assert "Traceback" not in made.output()


def requests(dialect):
    """Requests of an API in which there is much to be wrong; with HEADGATE_SOAK=1 those of all its features, too."""
    if dialect.name == "openai_completions":
        yield {"prompt": ["How is it?"], "stop": ["."], "max_tokens": 9, "logprobs": 1, "logit_bias": {"1": 1}}
    for request in (SAID, FORMED, PROMPT):
        with contextlib.suppress(Unsupported):
            yield json.loads(dialect.write_request(request, []))
    yield from MORE.get(dialect.name, ())
    features = DIALECTS / dialect.name / "fixtures" / "features" / "requests.json"
    if SOAK and features.exists():
        for group in json.loads(features.read_bytes()).values():
            yield from (fields for fields in group.values() if isinstance(fields, dict))


def spoiled(dialect):
    """Each with one value that is of another type than it should be."""
    for fields in requests(dialect):
        for place, (holder, key) in enumerate(list(places_in(fields))):
            for odd in () if holder is fields and key in ("model", "stream") else ODD:
                one = copy.deepcopy(fields)
                holder, key = list(places_in(one))[place]
                holder[key] = copy.deepcopy(odd)
                yield one


@pytest.mark.parametrize("dialect", CHATS, ids=lambda dialect: dialect.name)
def test_it_is_the_clients_fault_and_no_others(gateway, dialect):
    """Each goes to one provider after the other; with HEADGATE_SOAK=1 to all."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    with contextlib.closing(connection):
        failed, answered = [], Counter()
        for number, fields in enumerate(spoiled(dialect)):
            named = [name.encode() for name in fields]
            for target in TARGETS if SOAK else [TARGETS[number % len(TARGETS)]]:
                path, model = located(dialect.paths[0], target), {} if dialect.in_url else {"model": target}
                body = json.dumps({**fields, **model})
                for key in (KEY, GUARDED):
                    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
                    connection.request("POST", path, body, headers)
                    answer = connection.getresponse()
                    told = answer.read()
                    answered[answer.status] += 1
                    wrong = answer.headers["x-headgate-error-code"] == "invalid_request"
                    if answer.status not in (200, 400) or (wrong and not any(name in told for name in named)):
                        failed.append((target, answer.status, told[:200], body[:800]))
        assert not failed, "\n".join(map(str, failed[:5]))
        assert answered[200]
        assert answered[400]
