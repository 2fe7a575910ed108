"""Recorded traffic of the two vendors, replayed through the gateway: what went up, what came back, what crossed.

The recordings stand beside the checkout and are not part of it; without them there is nothing to test here.
"""

import http.client
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import ANY

import anthropic
import openai
import pytest

from gateways import KEY, free_port, running

RECORDED = Path(__file__).parents[3] / "shared" / "recorded"
pytestmark = pytest.mark.skipif(
    not (RECORDED / "replay_server.py").exists(), reason="no recorded traffic beside the checkout (../shared/recorded)"
)
APIS = {"openai": "chat_completions", "anthropic": "messages"}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
KEYS = re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_.*-]{5,}[A-Za-z0-9_*-]")
UNFINISHED = "cut off by max_tokens"
PROMPT = {"max_tokens": 4000, "messages": [{"role": "user", "content": "Hello."}]}


class Replay:
    """The replay server, and a connection to tell it what comes next."""

    def __init__(self, port):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def call(self, verb, body=None):
        data = None if body is None else json.dumps(body)
        self.connection.request("POST" if data else "GET", f"/__replay__/{verb}", data)
        answer = self.connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def replay():
    port = free_port()
    command = [
        sys.executable,
        RECORDED / "replay_server.py",
        "--cassettes",
        RECORDED / "exchanges",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while True:
            server = Replay(port)
            try:
                server.call("health")
                break
            except ConnectionError:
                assert time.monotonic() < until, "the replay server does not start"
                time.sleep(0.05)
        yield server
        server.connection.close()
    finally:
        process.terminate()
        process.wait(20)


def recordings(provider):
    for path in sorted((RECORDED / "exchanges" / provider).glob("*.json")):
        found = json.loads(path.read_bytes())
        if found["api"] == APIS[provider]:
            yield found


@pytest.fixture(scope="module")
def gateway(replay, tmp_path_factory):
    models = {f"{provider}-any": f"replayed_{provider}/any" for provider in APIS}
    for provider in APIS:
        for found in recordings(provider):
            model = (found["request"].get("body") or {}).get("model")
            if model:
                models[model] = f"replayed_{provider}/{model}"
    url = f"http://127.0.0.1:{replay.port}"
    config = {
        "server": {"host": "127.0.0.1", "port": "{PORT}", "compression": {"enabled": False}},
        "data_dir": "{DATA}",
        "retry": {"attempts": 1},
        "catalogue": {"enforce": False},  # errors of providers are among what is replayed
        "providers": {
            "replayed_openai": {"kind": "openai", "api_key": "sk-test", "base_url": f"{url}/v1"},
            "replayed_anthropic": {"kind": "anthropic", "api_key": "sk-test", "base_url": url},
        },
        "models": models,
        "keys": [{"name": "test", "key": KEY}],
    }
    text = json.dumps(config, indent=1).replace('"{PORT}"', "{PORT}")
    with running(tmp_path_factory.mktemp("gateway"), text) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture(scope="module")
def wire(gateway):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    yield connection
    connection.close()


def send(wire, path, body, headers=()):
    given = {"authorization": f"Bearer {KEY}", "content-type": "application/json", **dict(headers)}
    wire.request("POST", path, body, given)
    answer = wire.getresponse()
    return answer.status, answer.read()


def chosen(provider, status_ok, streamed=None):
    """The recordings of one kind."""
    kind = [
        found
        for found in recordings(provider)
        if (found["response"]["status"] == 200) == status_ok and streamed in (None, found["stream"])
    ]
    assert len(kind) > 5
    return kind


def frames(sse):
    """The `data` of each event, JSON where it is."""
    text = sse.decode() if isinstance(sse, bytes) else sse
    found = []
    for frame in text.replace("\r\n", "\n").split("\n\n"):
        data = "\n".join(line[5:].removeprefix(" ") for line in frame.split("\n") if line.startswith("data:"))
        if data:
            found.append(data if data == "[DONE]" else json.loads(data))
    return found


def asked_for_usage(body):
    return bool((body.get("stream_options") or {}).get("include_usage"))


def without_usage(events):
    """A stream's events less what asking for usage adds."""
    kept = []
    for event in events:
        if event != "[DONE]" and "usage" in event:
            if not event.get("choices") and event["usage"]:
                continue
            if event["usage"] is None:
                event = {key: value for key, value in event.items() if key != "usage"}
        kept.append(event)
    return kept


def wrong_with_request(replay, body):
    """What the replay server saw amiss; only asking for usage may be added."""
    seen = replay.call("last")
    if seen["diff"]["verdict"] == "equal":
        return None
    expected = dict(body)
    if body.get("stream") and not asked_for_usage(body):
        expected["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return None if seen["body"] == expected else seen["diff"]["items"]


def wrong_with_reply(found, status, got):
    response = found["response"]
    if "error_mid_stream" in found["features"] and status >= 500:
        return None  # it came together with the first event, so the client could be told by the status
    if status != response["status"]:
        return f"status {status}: {got[:300]!r}"
    if "sse" not in response:
        body = json.loads(KEYS.sub("[key]", json.dumps(response["body"]))) if status >= 400 else response["body"]
        return None if json.loads(got) == body else f"body: {got[:300]!r}"
    seen = frames(got)
    expected = expected_frames(found)
    if "error_mid_stream" in found["features"] and len(seen) > len(expected):
        assert "error" in seen.pop()
    if seen != expected:
        pairs = [(a, b) for a, b in zip(expected, seen, strict=False) if a != b]
        return f"{len(seen)} events, not {len(expected)}: {str(pairs[:1] or seen[-1:])[:600]}"
    return None


def expected_frames(found):
    """The recorded events up to the last one the API has; some hosts send another marker after it."""
    events = frames(found["response"]["sse"])
    if found["provider"] == "openai":
        return events if asked_for_usage(found["request"]["body"]) else without_usage(events)
    end = next((place for place, event in enumerate(events) if event["type"] == "message_stop"), len(events))
    return events[: end + 1]


@pytest.mark.parametrize("kind", ["whole", "streamed", "errors"])
@pytest.mark.parametrize("provider", APIS)
def test_recorded_exchanges_pass_unchanged(replay, gateway, wire, provider, kind):
    wrong = []
    count = 0
    for found in chosen(provider, kind != "errors", None if kind == "errors" else kind == "streamed"):
        body = found["request"].get("body")
        if not body or not isinstance(body.get("model"), str):
            continue
        replay.call("next", {"id": found["id"]})
        headers = [
            (name, value) for name, value in found["request"]["headers"].items() if name.startswith("anthropic-")
        ]
        status, got = send(wire, PATHS[provider], json.dumps(body, ensure_ascii=False).encode(), headers)
        amiss = wrong_with_request(replay, body) or wrong_with_reply(found, status, got)
        if amiss:
            wrong.append((found["id"], amiss))
            replay.call("reset", {})
        count += 1
    assert not wrong, f"{len(wrong)} of {count}: {wrong[:3]}"
    assert count > 3


# Crossings: a vendor's recorded reply, seen by the other one's client


def arguments_of(text):
    try:
        return json.loads(text or "{}")
    except ValueError:
        return UNFINISHED


def said_by_anthropic(found):
    """(text, tool calls, stop reason, prompt tokens, completion tokens) of a recorded reply."""
    response = found["response"]
    if "sse" not in response:
        message = response["body"]
        blocks, usage, stop = message["content"], message["usage"], message["stop_reason"]
    else:
        blocks, usage, stop = anthropic_stream(expected_frames(found))
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return text, calls, stop, sum(usage.get(name) or 0 for name in names), usage["output_tokens"]


def anthropic_stream(events):
    blocks, usage, stop = {}, {}, None
    for event in events:
        match event["type"]:
            case "message_start":
                usage |= event["message"]["usage"]
            case "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "json": ""}
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                block["json"] += delta.get("partial_json", "")
                block["text"] = block.get("text", "") + delta.get("text", "")
            case "message_delta":
                stop = event["delta"]["stop_reason"] or stop
                usage |= {key: value for key, value in event.get("usage", {}).items() if value is not None}
    for block in blocks.values():
        if block["json"] and block["type"] == "tool_use":
            block["input"] = arguments_of(block["json"])
    return list(blocks.values()), usage, stop


def said_by_openai(found):
    response = found["response"]
    if "sse" not in response:
        choice = response["body"]["choices"][0]
        message, finish, usage = choice["message"], choice["finish_reason"], response["body"].get("usage")
    else:
        message, finish, usage = openai_stream(frames(response["sse"]))
    calls = [
        (call["id"], call["function"]["name"], arguments_of(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
        if "function" in call
    ]
    if "function_call" in message:  # the older way, in which calls have no id
        calls = [(ANY, message["function_call"]["name"], arguments_of(message["function_call"]["arguments"]))]
    text = (message.get("content") or "") + (message.get("refusal") or "")
    usage = usage or {}
    return text, calls, finish, usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)


def openai_stream(events):
    message, finish, usage, calls = {"content": "", "refusal": ""}, None, None, {}
    for event in events:
        if event == "[DONE]":
            break
        usage = event.get("usage") or usage
        for choice in event.get("choices") or ():
            if choice["index"]:
                continue
            delta = choice.get("delta") or {}
            finish = choice.get("finish_reason") or finish
            for name in ("content", "refusal"):
                message[name] += delta.get(name) or ""
            for part in delta.get("tool_calls") or ():
                call = calls.setdefault(part["index"], {"id": "", "function": {"name": "", "arguments": ""}})
                call["id"] = part.get("id") or call["id"]
                function = part.get("function") or {}
                call["function"]["name"] = function.get("name") or call["function"]["name"]
                call["function"]["arguments"] += function.get("arguments") or ""
    return {**message, "tool_calls": list(calls.values())}, finish, usage


def heard_by_openai(client, streamed):
    given = {"model": "anthropic-any", "messages": PROMPT["messages"]}
    if streamed:
        chunks = client.chat.completions.create(**given, stream=True, stream_options={"include_usage": True})
        message, finish, usage = openai_stream(json.loads(chunk.to_json(exclude_unset=True)) for chunk in chunks)
    else:
        reply = client.chat.completions.create(**given)
        message, finish, usage = (
            reply.choices[0].message.to_dict(),
            reply.choices[0].finish_reason,
            reply.usage.to_dict(),
        )
    calls = [
        (call["id"], call["function"]["name"], arguments_of(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
    ]
    return message["content"] or "", calls, finish, usage["prompt_tokens"], usage["completion_tokens"]


def heard_by_anthropic(client, streamed):
    if streamed:
        with client.messages.stream(model="openai-any", **PROMPT) as events:
            reply = events.get_final_message()
    else:
        reply = client.messages.create(model="openai-any", **PROMPT)
    text = "".join(block.text for block in reply.content if block.type == "text")
    calls = [(block.id, block.name, block.input) for block in reply.content if block.type == "tool_use"]
    usage = reply.usage
    prompt = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return text, calls, reply.stop_reason, prompt, usage.output_tokens


FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
STOPS = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def finish_of(found, said):
    """The other vendor's word for the end."""
    if found["provider"] == "anthropic":
        return FINISHES[said[2]]
    if said[2] in ("stop", None) and said[1]:
        return "tool_use"
    refused = '"refusal":"' in json.dumps(found["response"], separators=(",", ":")).replace("\\", "")
    return STOPS.get(said[2], "refusal" if refused else "end_turn")


def is_one_reply(found):
    """Not an error, not a list of stored replies, not two replies in one stream."""
    response = found["response"]
    if "sse" in response:
        return "error_mid_stream" not in found["features"] and response["sse"].count("event: message_start") < 2
    return response["body"].get("object") != "list"


def other_client(gateway, provider):
    if provider == "anthropic":
        return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0), heard_by_openai
    return anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0), heard_by_anthropic


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", APIS)
def test_recorded_replies_are_understood_by_the_others_sdk(replay, gateway, provider, streamed):
    wrong = []
    client, listen = other_client(gateway, provider)
    read = said_by_openai if provider == "openai" else said_by_anthropic
    with client:
        for found in chosen(provider, True, streamed):
            if not is_one_reply(found):
                continue
            said = read(found)
            replay.call("next", {"id": found["id"]})
            try:
                heard = listen(client, streamed)
            except (openai.OpenAIError, anthropic.AnthropicError) as error:
                wrong.append((found["id"], repr(error)))
                replay.call("reset", {})
                continue
            if UNFINISHED in [call[2] for call in said[1]]:  # each SDK has its own way with half a JSON
                heard = (heard[0], said[1], *heard[2:])
            expected = (*said[:2], finish_of(found, said), *said[3:])
            differ = [(name, a, b) for name, a, b in zip(NAMES, expected, heard, strict=True) if a != b]
            if differ:
                wrong.append((found["id"], str(differ)[:500]))
    assert not wrong, f"{len(wrong)}: {wrong[:4]}"


NAMES = ("text", "calls", "finish", "prompt tokens", "completion tokens")
