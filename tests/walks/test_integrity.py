"""What the gateway forwards is what it was given: bodies, headers, tool calls, unknown fields, and the time of each
frame; and what clients see when a provider fails before, at, or without its first byte."""

import json
import random
import threading

import anthropic
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways import KEY, Wire, ask, http_request, rounds
from upstreams import LAST_CHUNK, Reset, Sleep, Stall, as_chunk, chunked_head, json_reply, reply, sse_event, sse_reply
from walks.conftest import UPSTREAM_KEYS, collect, each, settle
from walks.vendors import (
    Said,
    anthropic_body,
    anthropic_event,
    anthropic_events,
    error_body,
    events_of,
    openai_body,
    openai_chunk,
    openai_events,
    stream,
    whole,
)

PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-sonnet-4-5"}
ASK = {"max_tokens": 300, "messages": [{"role": "user", "content": "Hello?"}]}
both = pytest.mark.parametrize("vendor", ["openai", "anthropic"])
crossings = pytest.mark.parametrize(
    ("face", "vendor"),
    [("openai", "openai"), ("openai", "anthropic"), ("anthropic", "openai"), ("anthropic", "anthropic")],
)


def body_with(**fields):
    return json.dumps({**ASK, **fields}).encode()


@pytest.fixture
def client_of(openai_client, anthropic_client):
    """Asks in the way of one vendor's SDK: `await client_of(face)(model=…)`."""
    calls = {"openai": openai_client.chat.completions.create, "anthropic": anthropic_client.messages.create}

    def of(face):
        async def call(**fields):
            return await settle(calls[face](**{**ASK, **fields}))

        return call

    return of


# What goes up


ODD_BODIES = [
    b'{"model":"@","messages":[]}',
    b' {\t"messages" : [ {"role":"user",\r\n "content":"\\u00fc\\ud83d\\ude00 \xc3\xbc \\/"} ] ,'
    b'\n"model"\t:\r "@" , "x":1.0E+2 } \n',
    b'{"nested":{"model":"gpt-4","stream":true},"model":"@","messages":[],"big":12345678901234567890123,"f":1.10}',
    b'{"messages":[{"role":"user","content":"\\"model\\":\\"x\\""}],"\\u006dodel":"@","":null}',
    b'{"model":"@","stream":false,"temperature":0.10,"future_field":{"a":[1,2,{"b":null}]},"messages":[]}',
]


@pytest.mark.parametrize("body", ODD_BODIES)
@both
def test_a_body_goes_up_byte_for_byte_but_for_the_model(gateway, upstream, vendor, body):
    upstream.script = whole(vendor, Said())
    answer = ask(gateway, PATHS[vendor], body.replace(b'"@"', b'"%b"' % vendor.encode()))
    assert answer.status == 200, answer.body
    assert upstream.requests[0].body == body.replace(b'"@"', b'"%b"' % MODELS[vendor].encode())


@pytest.mark.parametrize("body", ODD_BODIES[:3])
@both
def test_a_body_whose_model_is_the_targets_is_not_touched(gateway, upstream, vendor, body):
    upstream.script = whole(vendor, Said())
    body = body.replace(b'"@"', b'"%b"' % MODELS[vendor].encode())
    assert ask(gateway, PATHS[vendor], body).status == 200
    assert upstream.requests[0].body == body


@pytest.mark.parametrize(
    ("options", "patched"),
    [
        (b"", b',"stream_options":{"include_usage":true}'),
        (b',"stream_options": {"include_usage": false}', b',"stream_options": {"include_usage":true}'),
        (b',"stream_options":null', b',"stream_options":{"include_usage":true}'),
        (b', "stream_options" :{ "include_usage" : true}', b', "stream_options" :{ "include_usage" : true}'),
    ],
)
def test_a_streams_usage_is_asked_for_and_nothing_else_is_changed(gateway, upstream, options, patched):
    upstream.script = stream("openai", Said())
    body = b'{ "model":"@" , "messages":[] , "stream" : true%b}'
    answer = ask(gateway, PATHS["openai"], (body % options).replace(b"@", b"openai"))
    assert answer.status == 200
    assert upstream.requests[0].body == (body % patched).replace(b"@", b"gpt-4o-mini")


@both
def test_a_stream_of_anthropic_is_not_asked_for_anything(gateway, upstream, vendor):
    upstream.script = stream("anthropic", Said())
    body = b'{"stream":true,"model":"claude-sonnet-4-5","messages":[],"stream_options":1}'
    assert ask(gateway, PATHS["anthropic"], body).status == 200
    assert upstream.requests[0].body == body


@crossings
def test_only_allowed_headers_go_up(gateway, upstream, face, vendor):
    upstream.script = whole(vendor, Said())
    secret = "must-not-go-up"
    names = ["cookie", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via", "referer", "origin"]
    names += ["x-stainless-lang", "user-agent", "accept-language", "te", "x-custom", "openai-organization", "x-api-key"]
    names += ["x-goog-api-key", "api-key", "proxy-authorization", "traceparent", "x-request-id", "accept"]
    headers = [(name, secret) for name in names] + [("idempotency-key", "one"), ("anthropic-beta", "b-1")]
    assert ask(gateway, PATHS[face], body_with(model=vendor), headers=headers).status == 200
    [request] = upstream.requests
    assert secret.encode() not in request.raw_head
    assert KEY.encode() not in request.raw_head
    expected = {"host", "content-type", "content-length", "accept", "user-agent"}
    if vendor == "openai":
        assert request.headers["authorization"] == f"Bearer {UPSTREAM_KEYS['openai']}"
        expected |= {"authorization", "idempotency-key"}
    else:
        assert request.headers["x-api-key"] == UPSTREAM_KEYS["anthropic"]
        expected |= {"x-api-key", "anthropic-version", "anthropic-beta"}
    assert set(request.headers) == expected
    assert request.raw_head.lower().count(b"content-length") == 1
    assert request.headers["host"] == f"127.0.0.1:{upstream.port}"


async def test_fields_the_sdk_does_not_know_go_up_and_come_back(client_of, upstream):
    novel = {"future_option": {"deep": [1, {"x": None}]}}
    for vendor in ("openai", "anthropic"):
        upstream.requests.clear()
        body = openai_body(Said(), novel=novel) if vendor == "openai" else anthropic_body(Said(), novel=novel)
        upstream.script = json_reply(body)
        answer = await client_of(vendor)(model=vendor, extra_body=novel)
        assert json.loads(upstream.requests[0].body)["future_option"] == novel["future_option"]
        assert answer.model_extra["novel"] == novel


async def test_headers_of_the_api_go_through(anthropic_client, upstream):
    limits = [("anthropic-ratelimit-requests-remaining", "49"), ("request-id", "req_1"), ("set-cookie", "a=b")]
    upstream.script = whole("anthropic", Said(), headers=limits)
    beta = {"anthropic-beta": "context-1m-2025-08-07,interleaved-thinking-2025-05-14"}
    raw = await settle(anthropic_client.messages.with_raw_response.create(model="anthropic", extra_headers=beta, **ASK))
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "49"
    assert "set-cookie" not in raw.headers
    assert upstream.requests[0].headers["anthropic-beta"] == beta["anthropic-beta"]


# What comes back


@both
def test_a_reply_comes_back_byte_for_byte(gateway, upstream, vendor):
    body = b'\n{ "x":1.50, ' + json.dumps(json.loads(whole(vendor, Said()).partition(b"\r\n\r\n")[2]))[1:].encode()
    upstream.script = reply(body)
    assert ask(gateway, PATHS[vendor], body_with(model=vendor)).body == body


@both
def test_a_stream_comes_back_byte_for_byte(gateway, upstream, vendor):
    novel = [sse_event({"novel": 1}, "future.event"), b": comment\n\n", b"id: 7\nretry: 10\nevent: other\ndata: {}\n\n"]
    events = events_of(vendor, Said())
    events[3:3] = novel
    upstream.script = sse_reply(events)
    asked = {"stream": True, "stream_options": {"include_usage": True}} if vendor == "openai" else {"stream": True}
    answer = ask(gateway, PATHS[vendor], body_with(model=vendor, **asked))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body == b"".join(events)


def test_what_asking_for_usage_brought_is_taken_out_again(gateway, upstream):
    events = openai_events(Said())
    upstream.script = sse_reply(events)
    answer = ask(gateway, PATHS["openai"], body_with(model="openai", stream=True))
    unasked = [event.replace(b',"usage":null', b"") for event in events if b'"prompt_tokens"' not in event]
    assert answer.body == b"".join(unasked)
    assert len(unasked) == len(events) - 1


arguments = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
calls = st.lists(
    st.tuples(
        st.from_regex(r"[a-zA-Z0-9_-]{1,40}", fullmatch=True),
        st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True),
        st.dictionaries(st.text(), arguments, max_size=4),
        st.sampled_from([None, 1]),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda call: call[0],
)


def written(drawn):
    return tuple(
        (id, name, json.dumps(value, indent=indent, ensure_ascii=plain)) for id, name, value, indent, plain in drawn
    )


def pieces_of(text, seed):
    """The text cut at random places."""
    dice = random.Random(seed)
    cuts = sorted(dice.sample(range(len(text) + 1), min(len(text), dice.randint(0, 6))))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@settings(max_examples=rounds(80, 5_000))
@given(drawn=calls, seed=st.integers(0, 1000))
def test_tool_calls_are_the_providers_to_the_byte(gateway, first, drawn, seed):
    """Whole and streamed, cut anywhere, in all crossings (row V7 of the reliability list)."""
    made = written(drawn)
    said = Said(text=None, calls=made, stop="tools")
    for vendor in ("openai", "anthropic"):
        events = openai_events(said) if vendor == "openai" else anthropic_events(said)
        data = b"".join(piece for piece in sse_reply(events) if isinstance(piece, bytes))
        chunks = [
            as_chunk(piece.encode("latin-1")) for piece in pieces_of(b"".join(events).decode("latin-1"), seed) if piece
        ]
        assert data
        for face in ("openai", "anthropic"):
            read = openai_calls if face == "openai" else anthropic_calls
            first.requests.clear()
            first.script = whole(vendor, said)
            answer = ask(gateway, PATHS[face], body_with(model=vendor))
            assert meant(read(answer.json())) == meant(made)
            if face == vendor:
                assert answer.body == first.script.partition(b"\r\n\r\n")[2]
            first.script = (chunked_head(), *chunks, LAST_CHUNK)
            answer = ask(gateway, PATHS[face], body_with(model=vendor, stream=True))
            assert read(events_in(answer.body)) == made


def meant(made):
    return [(id, name, json.loads(text)) for id, name, text in made]


def events_in(body):
    frames = [frame.rpartition(b"data: ")[2] for frame in body.split(b"\n\n") if frame]
    return [json.loads(data) for data in frames if data != b"[DONE]"]


def openai_calls(found):
    """The tool calls of a reply, or of a stream's chunks."""
    if isinstance(found, dict):
        calls = found["choices"][0]["message"]["tool_calls"]
        return tuple((call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls)
    calls = {}
    for chunk in found:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", ()):
                entry = calls.setdefault(call["index"], [call.get("id"), call["function"].get("name"), ""])
                entry[2] += call["function"].get("arguments", "")
    return tuple(tuple(calls[index]) for index in sorted(calls))


def anthropic_calls(found):
    if isinstance(found, dict):
        blocks = [block for block in found["content"] if block["type"] == "tool_use"]
        return tuple((block["id"], block["name"], json.dumps(block["input"])) for block in blocks)
    calls = {}
    for event in found:
        if event["type"] == "content_block_start":
            block = event["content_block"]
            calls[event["index"]] = [block["id"], block["name"], ""]
        elif event["type"] == "content_block_delta":
            calls[event["index"]][2] += event["delta"]["partial_json"]
    return tuple(map(tuple, calls.values()))


@crossings
def test_a_frame_arrives_before_the_next_one_is_sent(gateway, upstream, face, vendor):
    """The provider sends each event only when the client has what the one before became."""
    arrived = threading.Semaphore(0)
    late = []

    async def in_step(asked):
        await asked.send(chunked_head())
        for event in events_of(vendor, Said("abcdefgh" * 3)):
            await asked.send(as_chunk(event))
            if b"abcd" in event and not arrived.acquire(timeout=5):
                late.append(event)
        await asked.send(LAST_CHUNK)

    upstream.script = in_step
    with Wire(gateway.port) as wire:
        wire.send(http_request(PATHS[face], body_with(model=vendor, stream=True)))
        seen = b""
        count = 0
        while not seen.endswith(b"0\r\n\r\n"):
            seen += wire.sock.recv(65536)
            for _ in range(seen.count(b"abcd") - count):
                arrived.release()
            count = seen.count(b"abcd")
    assert not late
    assert count == 3


# When a provider fails


FAILURES = {
    "500": lambda vendor: json_reply(error_body(vendor, 500, "no"), status=500),
    "529": lambda vendor: json_reply(error_body(vendor, 529, "no"), status=529),
    "429": lambda vendor: json_reply(error_body(vendor, 429, "no"), status=429, headers=[("retry-after", "60")]),
    "reset": lambda vendor: (Reset(),),
    "html": lambda vendor: reply(b"<html>hello</html>", content_type="text/html"),
    "half": lambda vendor: (whole(vendor, Said())[:-20], Reset()),
    "empty": lambda vendor: reply(b""),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("failure", FAILURES)
@both
async def test_the_client_does_not_see_that_the_first_target_failed(
    client_of, gateway, upstream, second, vendor, failure, streamed
):
    upstream.script = FAILURES[failure](vendor)
    second.script = stream(vendor, Said()) if streamed else whole(vendor, Said())
    answer = await client_of(vendor)(model=f"{vendor}-spare", stream=streamed)
    if streamed:
        assert len([item async for item in each(answer)]) > 5
    record = gateway.newest()
    assert record["target"] == f"{vendor}_second/{MODELS[vendor]}"
    assert [attempt.get("error", "ok") for attempt in record["attempts"]][1:] == ["ok"]
    assert record["attempts"][0]["error"].startswith("provider_")
    assert (record["status"], record.get("ending", "complete")) == (200, "complete")


@pytest.mark.parametrize("face", ["openai", "anthropic"])
async def test_a_fallback_may_speak_another_dialect(client_of, gateway, upstream, second, face):
    upstream.script = json_reply(error_body("openai", 500, "no"), status=500)
    second.script = whole("anthropic", Said())
    answer = await client_of(face)(model="mixed-spare")
    text = answer.choices[0].message.content if face == "openai" else answer.content[0].text
    assert text == Said().text
    assert gateway.newest()["target"] == "anthropic_second/claude-sonnet-4-5"


@both
async def test_nobody_listens(client_of, gateway, second, vendor):
    kind = openai.InternalServerError if vendor == "openai" else anthropic.InternalServerError
    with pytest.raises(kind) as caught:
        await client_of(vendor)(model=f"{vendor}-dead")
    assert caught.value.status_code == 502
    assert caught.value.response.headers["x-headgate-error-code"] == "provider_unreachable"
    assert caught.value.response.headers["x-headgate-error-origin"] == "provider"
    second.script = whole(vendor, Said())
    await client_of(vendor)(model=f"{vendor}-revived")
    record = gateway.newest()
    assert [attempt.get("error") for attempt in record["attempts"]] == ["provider_unreachable", None]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@crossings
async def test_no_first_byte_in_time(client_of, gateway, upstream, face, vendor, streamed):
    upstream.script = (Stall(),)
    closed = len(upstream.closed_by_client)
    kind = openai.InternalServerError if face == "openai" else anthropic.GatewayTimeoutError
    if face == "anthropic":
        kind = (anthropic.InternalServerError, anthropic.DeadlineExceededError, anthropic.GatewayTimeoutError)
    with pytest.raises(kind) as caught:
        await client_of(face)(model=f"{vendor}-quick", stream=streamed)
    assert caught.value.status_code == 504
    assert caught.value.response.headers["x-headgate-error-code"] == "provider_timeout"
    record = gateway.newest()
    assert (record["ending"], record["error"]) == ("failed", "provider_timeout")
    upstream.wait_for_close(closed + 1)


@crossings
async def test_a_stream_that_falls_silent_is_an_error(client_of, gateway, upstream, face, vendor):
    *begun, _ = sse_reply(events_of(vendor, Said())[:6])
    upstream.script = (*begun, Stall())
    answer = await client_of(face)(model=f"{vendor}-quick", stream=True)
    kind = openai.APIError if face == "openai" else anthropic.APIStatusError
    with pytest.raises(kind, match=r"0\.3|time|silent|waited"):
        await collect(answer, [])
    record = gateway.newest()
    assert (record["ending"], record["error"], record["status"]) == ("cut", "provider_timeout", 200)


@crossings
async def test_a_client_that_does_not_wait_is_recorded_as_gone(client_of, gateway, upstream, face, vendor):
    kind = openai.APITimeoutError if face == "openai" else anthropic.APITimeoutError
    closed = len(upstream.closed_by_client)
    upstream.script = (Stall(),)
    with pytest.raises(kind):
        await client_of(face)(model=vendor, timeout=0.2)
    upstream.wait_for_close(closed + 1)
    [*_, record] = gateway.records(1, ending="cancelled", model=vendor)
    assert record["attempts"][0]["target"].startswith(vendor)


@crossings
async def test_a_client_that_leaves_a_stream_ends_the_providers_too(client_of, gateway, upstream, face, vendor):
    closed = len(upstream.closed_by_client)
    before = len(gateway.records(ending="cancelled", stream=True))
    *begun, _ = sse_reply(events_of(vendor, Said())[:8])
    upstream.script = (*begun, Sleep(0), Stall())
    answer = await client_of(face)(model=vendor, stream=True)
    seen = 0
    async for _ in each(answer):
        seen += 1
        if seen == 4:
            break
    await settle(answer.close())
    upstream.wait_for_close(closed + 1)
    record = gateway.records(before + 1, ending="cancelled", stream=True)[-1]
    assert record["first_token"] > 0


def test_a_chunk_without_choices_is_no_end(gateway, upstream):
    """Azure opens with one for its content filter; the stream goes on."""
    filtered = openai_chunk(choices=[], prompt_filter_results=[{"prompt_index": 0}])
    upstream.script = sse_reply([sse_event(filtered), *openai_events(Said("abc"))])
    answer = ask(gateway, PATHS["openai"], body_with(model="openai", stream=True))
    assert b"prompt_filter_results" in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_an_event_of_anthropic_that_nobody_knows_is_no_end(gateway, upstream):
    events = anthropic_events(Said("abc"))
    upstream.script = sse_reply([*events[:4], anthropic_event("novel", a=1), *events[4:]])
    answer = ask(gateway, PATHS["openai"], body_with(model="anthropic", stream=True))
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in events_in(answer.body)) == "abc"
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_events_nobody_knows_pass(anthropic_client, upstream):
    novel = anthropic_event("content_block_hint", index=0, hint={"a": 1})
    events = events_of("anthropic", Said())
    upstream.script = sse_reply([*events[:4], novel, *events[4:]])
    seen = await settle(anthropic_client.messages.create(model="anthropic", stream=True, **ASK))
    assert [event.type async for event in each(seen)].count("content_block_hint") == 1
