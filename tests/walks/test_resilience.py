"""Whatever breaks at one provider, clients get an answer, as long as another one is well."""

import asyncio
import itertools
import json
import time

import openai
import pytest

from gateways import KEY, running
from upstreams import Close, Reset, ScriptedUpstream, Sleep, Stall, json_reply, sse_reply
from walks.vendors import Said, events_of, openai_body, whole

HELLO = [{"role": "user", "content": "Hello"}]
CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 3, backoff: 0.01}}
breaker: {{failures: 5, error_rate: 0.9, rest: 0.4, check: {check}}}
catalogue: {{models: {{small/tiny: {{base_model: openai/gpt-4o-mini, context: 50}}}}}}
providers:
{providers}
  good: {{kind: openai, api_key: sk-of-the-good-one, base_url: '{good}/v1'}}
  keyed:
    kind: openai
    base_url: '{bad}/v1'
    api_keys:
      - {{name: spent, api_key: sk-of-the-spent-key, weight: 1000}}
      - {{name: fresh, api_key: sk-of-the-fresh-key}}
models:
{models}
  special:
    targets: [small/m]
    fallbacks: [small/n]
    fallbacks_on: {{context_overflow: good/long, refusal: good/liberal}}
  keyed: keyed/m
  tiny: {{targets: small/tiny, fallbacks_on: {{context_overflow: good/long}}}}
keys:
  - {{name: test, key: {key}}}
"""
FLAKY = ("reset", "429", "500", "503", "529", "timeout", "late", "half", "garbage", "tls")
OTHERS = ("dead", "small", "circuit", "alone", "broken", "slow")


@pytest.fixture(scope="module")
def bad():
    with ScriptedUpstream(whole("openai", Said())) as started:
        yield started


@pytest.fixture(scope="module")
def good():
    with ScriptedUpstream(whole("openai", Said(text="from the good one"))) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(bad, good, tmp_path_factory):
    def provider(name):
        scheme = "https" if name == "tls" else "http"
        return f"  {name}: {{kind: openai, api_key: sk-of-the-bad-one, base_url: '{scheme}://127.0.0.1:{bad.port}/v1'}}"

    models = [
        f"  {name}: {{targets: [{name}/m, good/m], first_token: 0.3, whole_answer: 0.3}}"
        for name in (*FLAKY, "dead", "circuit")
    ]
    models.append("  alone: alone/m")
    models.append("  resumed: {targets: [broken/m, good/m], resume: true}")
    models.append("  hedged: {targets: [slow/m, good/m], hedge: 0.1}")
    config = CONFIG.format(
        providers="\n".join(map(provider, (*FLAKY, *OTHERS))),
        models="\n".join(models),
        bad=bad.url,
        good=good.url,
        key=KEY,
        check="false",
    )
    with running(tmp_path_factory.mktemp("resilience"), config) as started:
        yield started


@pytest.fixture
async def client(gateway):
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{gateway.url}/v1", max_retries=0) as made:
        yield made


def refused(status, **more):
    return json_reply({"error": {"message": "no", "type": "server_error", "code": None}}, status=status, **more)


def said(streamed):
    return sse_reply(events_of("openai", Said())) if streamed else whole("openai", Said())


FAULTS = {
    "reset": (Reset(),),
    "429": refused(429),
    "500": refused(500),
    "503": refused(503),
    "529": refused(529),
    "timeout": (Stall(),),
    "late": (*sse_reply([])[:1], Sleep(5.0)),
    "half": (whole("openai", Said())[:-40], Close()),
    "garbage": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n<html>no!",
    "tls": b"this is no TLS",
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", FLAKY)
async def test_one_call_in_five_fails_and_every_client_is_answered(client, bad, good, fault, streamed):
    calls = itertools.count(1)
    good.script = said(streamed)

    async def answer(asked):
        fails = next(calls) % 5 == 0
        reply = FAULTS[fault] if fails else said(streamed)
        await asked.play(reply if isinstance(reply, tuple) else (reply,))

    bad.script = answer

    async def ask():
        reply = await client.chat.completions.create(model=fault, messages=HELLO, stream=streamed)
        if not streamed:
            return reply.choices[0].message.content
        return "".join([chunk.choices[0].delta.content or "" async for chunk in reply if chunk.choices])

    answers = [await asyncio.gather(*(ask() for _ in range(10))) for _ in range(2)]
    assert {answer for batch in answers for answer in batch} == {Said().text}


async def test_an_outage_under_load_is_not_noticed(client, gateway, bad, good):
    """The target dies in the middle, and comes back; it is asked a handful of times meanwhile."""
    good.script = bad.script = said(False)
    took = []

    async def ask():
        began = time.monotonic()
        reply = await client.chat.completions.create(model="dead", messages=HELLO)
        took.append(time.monotonic() - began)
        assert reply.choices[0].message.content == Said().text

    for _ in range(3):
        await asyncio.gather(*(ask() for _ in range(10)))
    bad.script = refused(503)
    before = len(bad.requests)
    until = time.monotonic() + 0.9
    while time.monotonic() < until:
        await asyncio.gather(*(ask() for _ in range(10)))
    assert len(bad.requests) - before <= 5 + 10 + 3  # failures in a row, those then under way, probes
    bad.script = said(False)
    until = time.monotonic() + 20
    while not _answered_by(gateway, "dead").startswith("dead/") and time.monotonic() < until:
        await ask()
        await asyncio.sleep(0.05)
    assert _answered_by(gateway, "dead") == "dead/m"


def _answered_by(gateway, model):
    return [record for record in gateway.records() if record["model"] == model][-1]["target"]


async def test_a_target_that_is_alone_and_broken_is_told_at_once(client, bad):
    bad.script = refused(500)
    for _ in range(3):
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="alone", messages=HELLO)
    asked = len(bad.requests)
    assert caught.value.response.headers["x-headgate-error-code"] == "no_target"
    assert "alone/m" in caught.value.message
    assert int(caught.value.response.headers["retry-after"]) == 1
    bad.script = said(False)
    await asyncio.sleep(0.5)
    assert (await client.chat.completions.create(model="alone", messages=HELLO)).choices
    assert len(bad.requests) == asked + 1


async def test_checks_bring_a_target_back_that_nobody_asks_for(gateway, client, bad):
    bad.script = refused(500)
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="alone", messages=HELLO)
    config = gateway.config.read_text()
    try:
        gateway.change(config.replace("check: false", "check: true"))
        bad.script, until = said(False), time.monotonic() + 5
        while not (checks := gateway.records(path="check", target="alone/m")) and time.monotonic() < until:
            await asyncio.sleep(0.05)
        assert "key" not in checks[-1]
        assert json.loads(bad.requests[-1].body)["messages"] == [{"role": "user", "content": "Say OK."}]
    finally:
        gateway.change(config)
        gateway.says("the configuration was reloaded", times=2)


async def test_a_hung_provider_does_not_slow_another(client, bad, good):
    bad.script = (Stall(),)
    good.script = said(False)
    hung = [
        asyncio.create_task(client.chat.completions.create(model="small/m", messages=HELLO, timeout=5))
        for _ in range(50)
    ]
    await asyncio.sleep(0.1)
    began = time.monotonic()
    for _ in range(20):
        await client.chat.completions.create(model="good/m", messages=HELLO)
    assert time.monotonic() - began < 5
    for task in hung:
        task.cancel()
    await asyncio.wait(hung)


async def test_a_prompt_too_long_and_a_refusal_go_to_their_own_targets(client, gateway, bad, good):
    good.script = said(False)
    told = {"error": {"message": "maximum context length is 10", "type": "x", "code": "context_length_exceeded"}}
    bad.script = json_reply(told, status=400)
    assert (await client.chat.completions.create(model="special", messages=HELLO)).choices
    assert _answered_by(gateway, "special") == "good/long"
    filtered = openai_body(Said())
    filtered["choices"][0].update(finish_reason="content_filter")
    bad.script = json_reply(filtered)
    assert (await client.chat.completions.create(model="special", messages=HELLO)).choices[0].finish_reason == "stop"
    assert _answered_by(gateway, "special") == "good/liberal"


async def test_a_prompt_that_is_known_to_be_too_long_goes_there_at_once(client, gateway, bad, good):
    good.script, before = said(False), len(bad.requests)
    words = [{"role": "user", "content": "a word " * 200}]
    assert (await client.chat.completions.create(model="tiny", messages=words)).choices
    assert (_answered_by(gateway, "tiny"), len(bad.requests)) == ("good/long", before)


async def test_a_key_that_is_spent_is_replaced_by_another(client, gateway, bad):
    async def answer(asked):
        spent = "spent" in asked.request.headers["authorization"]
        await asked.send(refused(402) if spent else said(False))

    bad.script = answer
    before = len(bad.requests)
    for _ in range(10):
        assert (await client.chat.completions.create(model="keyed", messages=HELLO)).choices
    keys = [request.headers["authorization"] for request in bad.requests[before:]]
    assert keys.count("Bearer sk-of-the-spent-key") == 1
    record = next(record for record in gateway.records() if record["model"] == "keyed")
    assert [(attempt["credential"], attempt.get("error")) for attempt in record["attempts"]] == [
        ("spent", "provider_refused"),
        ("fresh", None),
    ]
    assert "sk-of-the" not in json.dumps(record)


class TestResume:
    """A stream that breaks off is continued elsewhere."""

    events = events_of("openai", Said(text="One, two, three, four."))

    async def ask(self, client):
        reply = await client.chat.completions.create(
            model="resumed", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in reply]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        return text, chunks

    async def test_the_client_sees_one_answer(self, client, gateway, bad, good):
        bad.script = (*sse_reply(self.events[:3]), Sleep(0.02), Reset())
        good.script = sse_reply(events_of("openai", Said(text=" And the rest.")))
        text, chunks = await self.ask(client)
        begun = text.removesuffix(" And the rest.")
        assert begun
        assert "One, two, three, four.".startswith(begun)
        assert len({chunk.id for chunk in chunks}) == 1
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
        assert len([chunk for chunk in chunks if chunk.usage]) == 1
        asked = json.loads(good.requests[-1].body)["messages"]
        assert [turn["role"] for turn in asked] == ["user", "assistant", "user"]
        assert asked[1]["content"] == begun
        record = next(record for record in reversed(gateway.records()) if record["model"] == "resumed")
        assert (record.get("ending", "complete"), record["resumed"], record["target"]) == ("complete", 1, "good/m")
        assert "broke off (provider_cut) after" in record["decision"]["why"]

    async def test_where_nobody_goes_on_the_error_is_told(self, client, gateway, bad, good):
        bad.script = (*sse_reply(self.events[:3]), Sleep(0.02), Reset())
        good.script = refused(500)
        with pytest.raises(openai.APIError, match=r"broke off|connection"):
            await self.ask(client)
        record = next(record for record in reversed(gateway.records()) if record["model"] == "resumed")
        assert (record["ending"], record["error"]) == ("cut", "provider_cut")

    async def test_a_call_of_a_tool_is_not_gone_on_from(self, client, bad, good):
        said = Said(text=None, calls=[("call_1", "look", '{"at": "this and that"}')])
        bad.script = (*sse_reply(events_of("openai", said)[:3]), Sleep(0.02), Reset())
        before = len(good.requests)
        with pytest.raises(openai.APIError):
            await self.ask(client)
        assert len(good.requests) == before


async def test_a_second_target_answers_where_the_first_is_slow(client, gateway, bad, good):
    bad.script, good.script = (Sleep(3.0), said(False)), said(False)
    began = time.monotonic()
    assert (await client.chat.completions.create(model="hedged", messages=HELLO)).choices
    assert time.monotonic() - began < 2.5
    record = next(record for record in reversed(gateway.records()) if record["model"] == "hedged")
    assert [(attempt["target"], attempt.get("error")) for attempt in record["attempts"]] == [
        ("slow/m", "hedged"),
        ("good/m", None),
    ]
