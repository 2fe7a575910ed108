"""Guards over HTTP: what policies block, change and tell, in requests and replies, whole and streamed."""

import json

import pytest

from gateways import KEY, OTHER_KEY, running
from traffic import answering, chunk, whole
from upstreams import LAST_CHUNK, Sleep, as_chunk, chunked_head, reply

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  openai: {{api_key: sk-upstream, base_url: 'URL/v1'}}
  home: {{kind: openai_compatible, base_url: 'URL/v1', api_key: none, internal: true}}
models:
  chat: openai/gpt-4o-mini
  aside: home/small
  both: {{targets: [home/small], fallbacks: [openai/gpt-4o-mini]}}
teams: {{research: }}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: other, key: {OTHER_KEY}, team: research}}
guards:
  projects: {{use: words, with: {{words: {{project: [blue bird, zeppelin*]}}}}, then: block}}
  numbers:
    use: patterns
    with: {{patterns: {{customer: 'C-[0-9]{{6}}'}}, longest: 16}}
    then: redact
  team:
    use: words
    with: {{words: {{rival: [acme]}}}}
    for: {{team: research}}
    mode: monitor
    then: block
  abroad:
    use: words
    with: {{words: {{place: [vienna]}}}}
    at: before
    external_only: true
    then: mask
  detour:
    use: words
    with: {{words: {{homework: [essay]}}}}
    then: route
    at: before
    model: aside
  polite:
    use: words
    with: {{words: {{rude: [damn]}}}}
    refusal: Let us stay polite.
"""


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    config = CONFIG.replace("URL", first.url)
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = answering()
    return first


def ask(gateway, text, key=KEY, **more):
    messages = [{"role": "user", "content": text}]
    return gateway.post({"model": "chat", "messages": messages, **more}, key=key)


def streaming(pieces):
    """A script: a stream of these."""
    frames = b"".join(as_chunk(chunk({"content": piece})) for piece in pieces)
    return (chunked_head() + frames + as_chunk(chunk({}, "stop")) + as_chunk(b"data: [DONE]\n\n") + LAST_CHUNK,)


def said(answer):
    """The text of a stream."""
    events = [json.loads(line[6:]) for line in answer.decode().splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event.get("choices", ()))


def test_what_is_blocked_reaches_nobody(gateway, upstream):
    status, headers, body = ask(gateway, "What of Blue\n Bird?")
    assert (status, headers["x-headgate-error-code"]) == (400, "blocked_by_guard")
    assert body["error"]["code"] == "blocked_by_guard"
    assert "'projects'" in body["error"]["message"]
    assert "Blue" not in json.dumps(body)
    assert not upstream.requests
    record = gateway.record_of(headers["x-request-id"])
    [verdict] = record["guards"]
    assert verdict.pop("hash")
    assert verdict == {
        "policy": "projects", "guard": "words", "category": "project", "action": "block", "path": "messages[0].content",
        "score": 1.0, "start": 8, "end": 18, "reason": "a word of the list",
    }  # fmt: skip
    assert record["ending"] == "refused"
    assert "Blue" not in json.dumps(record)


def test_what_is_redacted_goes_on_so_and_the_rest_as_it_was(gateway, upstream):
    body = b'{ "model":"chat",  "messages":[{"role":"user","content":"Who is C-123456?"}], "x": 1.50 }'
    sent = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    status, headers, answer = gateway.request("POST", "/v1/chat/completions", body, sent)
    assert status == 200
    assert upstream.requests[0].body.endswith(b', "x": 1.50 }')
    assert b"Who is [CUSTOMER]?" in upstream.requests[0].body
    assert headers["x-headgate-guard"] == "changed=numbers"
    assert answer["choices"][0]["message"]["content"] == "Who is [CUSTOMER]?"


def test_what_nobody_finds_anything_in_is_forwarded_byte_for_byte(gateway, upstream):
    body = b'{ "model":"openai/gpt-4o-mini",  "messages":[{"role":"user","content":"\\u0048ello"}], "x": 1.50 }'
    sent = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    status, headers, _ = gateway.request("POST", "/v1/chat/completions", body, sent)
    assert status == 200
    assert upstream.requests[0].body == body.replace(b"openai/gpt", b"gpt")
    assert "x-headgate-guard" not in headers


@pytest.mark.parametrize("stream", [False, True])
def test_replies_are_looked_at(gateway, first, stream):
    first.requests.clear()
    text = "It is C-123456, or C-654321 perhaps."
    if stream:
        first.script = streaming(text)
    else:
        first.script = (whole(text),)
    status, headers, body = ask(gateway, "Who?", stream=stream)
    assert status == 200
    answer = said(body) if stream else body["choices"][0]["message"]["content"]
    assert answer == "It is [CUSTOMER], or [CUSTOMER] perhaps."
    record = gateway.record_of(headers["x-request-id"])
    assert [each["action"] for each in record["guards"]] == ["redact", "redact"]
    assert {each["side"] for each in record["guards"]} == {"reply"}
    assert headers["x-headgate-guard"].endswith("=numbers")
    if stream:
        assert body.endswith(b"data: [DONE]\n\n")


def test_a_stream_ends_where_it_is_blocked(gateway, first):
    pieces = ["Once upon a time ", "there was a blue", " bi", "rd over the hills", " and far away"]
    first.script = streaming(pieces)
    status, headers, body = ask(gateway, "Tell me", stream=True)
    assert status == 200
    assert b"blue" not in body
    assert b"blocked_by_guard" in body
    record = gateway.record_of(headers["x-request-id"])
    assert (record["ending"], record["error"], record["origin"]) == ("cut", "blocked_by_guard", "gateway")


def test_a_policy_is_for_whom_it_names_and_monitoring_changes_nothing(gateway, upstream):
    for key, found in ((KEY, 0), (OTHER_KEY, 1)):
        status, headers, _ = ask(gateway, "Hello Acme", key=key)
        assert status == 200
        verdicts = gateway.record_of(headers["x-request-id"]).get("guards", [])
        asked = [each for each in verdicts if each.get("side") != "reply"]
        assert [each["mode"] for each in asked] == ["monitor"] * found
    assert b"Hello Acme" in upstream.requests[1].body


def test_only_what_goes_abroad_is_masked(gateway, upstream):
    ask(gateway, "From Vienna", model="aside")
    assert b"From Vienna" in upstream.requests[-1].body
    ask(gateway, "From Vienna")
    assert b"From ***nna" in upstream.requests[-1].body


def test_on_fallback_too(gateway, first):
    first.requests.clear()

    async def failing(asked):
        answer = reply(b"{}", status=500) if b"small" in asked.request.body else whole("ok")
        await asked.send(answer)

    first.script = failing
    status, headers, _ = ask(gateway, "From Vienna", model="both")
    assert status == 200
    assert headers["x-headgate-model"] == "openai/gpt-4o-mini"
    assert b"From Vienna" in first.requests[0].body
    assert b"From ***nna" in first.requests[-1].body


def test_another_model_is_asked(gateway, upstream):
    _, headers, _ = ask(gateway, "Write my essay")
    assert headers["x-headgate-model"] == "home/small"


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_an_answer(gateway, upstream, stream):
    status, _, body = ask(gateway, "damn it", stream=stream)
    assert status == 200
    assert (said(body) if stream else body["choices"][0]["message"]["content"]) == "Let us stay polite."
    assert not upstream.requests


CALLS = [
    {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "pay", "arguments": ""}}]},
    *(
        {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
        for text in ('{"to": "C-12', '3456", "sum"', ": 5}")
    ),
]


def calling(deltas):
    """A script: a stream that calls a tool; and its bytes."""
    frames = b"".join(chunk(delta) for delta in deltas) + chunk({}, "tool_calls") + b"data: [DONE]\n\n"
    return (chunked_head() + as_chunk(frames) + LAST_CHUNK,), frames


@pytest.mark.parametrize("changed", [False, True], ids=["untouched", "changed"])
def test_calls_of_tools_are_the_providers_unless_a_policy_changes_them_and_says_so(gateway, first, changed):
    deltas = json.loads(json.dumps(CALLS) if changed else json.dumps(CALLS).replace("C-12", "X-12"))
    first.script, frames = calling(deltas)
    _, headers, body = ask(gateway, "Pay", stream=True)
    record = gateway.record_of(headers["x-request-id"])
    assert headers["x-headgate-guard"] == "watching=numbers"
    if not changed:
        assert body == frames
        assert not record.get("guards")
        return
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    calls = [call for event in events for call in event["choices"][0]["delta"].get("tool_calls", ())]
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"to": "[CUSTOMER]", "sum": 5}
    [verdict] = record["guards"]
    assert (verdict["policy"], verdict["action"], verdict["part"]) == ("numbers", "redact", "tool_argument")


def test_a_dry_run_tells_what_guards_find(gateway, upstream):
    messages = [{"role": "user", "content": "C-123456"}]
    status, _, body = gateway.post({"model": "chat", "messages": messages}, headers={"x-headgate-explain": "true"})
    assert (status, [each["policy"] for each in body["guards"]]) == (200, ["numbers"])
    assert not upstream.requests


def test_what_a_provider_says_in_refusing_is_looked_at(gateway, first):
    said = json.dumps({"error": {"message": "C-123456 is unknown", "type": "invalid_request_error"}}).encode()
    first.script = reply(said, status=400)
    status, headers, body = ask(gateway, "Who?")
    assert (status, body["error"]["message"]) == (400, "[CUSTOMER] is unknown")
    record = gateway.record_of(headers["x-request-id"])
    assert "C-123456" not in json.dumps(record)


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_provider_says_that_is_no_answer_is_looked_at(gateway, first, stream):
    """Errors quote its beginning."""
    said = b'{"C-123456": "is no answer"}'
    first.script = (chunked_head() + as_chunk(b"data: " + said + b"\n\n") + LAST_CHUNK,) if stream else reply(said)
    status, headers, body = ask(gateway, "Who?", stream=stream)
    assert b"C-123456" not in (body if isinstance(body, bytes) else json.dumps(body).encode())
    assert "C-123456" not in json.dumps(gateway.record_of(headers["x-request-id"]))
    assert stream or (status, "[CUSTOMER]" in body["error"]["message"]) == (502, True)


def test_an_error_in_the_middle_of_a_stream_is_looked_at(gateway, first):
    error = b'data: {"error":{"message":"C-123456 is too much","type":"server_error"}}\n\n'
    begun = chunked_head() + as_chunk(chunk({"content": "So it is. " * 20}))
    first.script = (begun, Sleep(0.05), as_chunk(error) + LAST_CHUNK)  # else it is no answer that has begun
    _, headers, body = ask(gateway, "Who?", stream=True)
    assert b"[CUSTOMER] is too much" in body
    assert b"C-123456" not in body
    assert "C-123456" not in json.dumps(gateway.record_of(headers["x-request-id"]))
