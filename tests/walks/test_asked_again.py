"""A model whose answer is not as a policy wants it is told so and asked again: in every dialect, whole and streamed."""

import json

import openai
import pytest

from gateways import KEY, OTHER_KEY, Wire, http_request, running
from headgate.core import chat
from headgate.core.errors import Unsupported
from headgate.core.events import Start, Stop, Text, Used
from headgate.core.usage import Usage
from together import together
from upstreams import Close, Stall, as_chunk, chunked_head, json_reply, sse_event
from ways import CHATS, PLAIN, WAYS, answering, place

WRONG, RIGHT = 'It is {"count": "many"}', '{"item": "tea", "count": 3}'
PRICES = "{prices: {input: 1, output: 2}}"
LEAVER = "hg-leaver-key-0123456789abcdef"
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
PROVIDERS
models:
  once: {{targets: [{{model: openai-chat/once, concurrency: 1}}]}}
  twice: openai-chat/twice
  told: openai-chat/told
  soon: {{targets: [openai-chat/soon], deadline: 0.4}}
  kept: {{targets: [openai-chat/kept], cache: {{ttl: 3600}}}}
catalogue: {{models: {{openai-chat/once: {PRICES}, openai-chat/twice: {PRICES}, openai-chat/kept: {PRICES}}}}}
breaker: {{enabled: false}}
retry: {{attempts: 1}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: poor, key: {OTHER_KEY}, limits: [{{tokens: 1200, every: month}}]}}
  - name: leaver
    key: {LEAVER}
    limits: [{{tokens: 9000, every: month}}, {{money: 1, every: month}}, {{requests: 9, every: month}}]
  - {{name: loose, key: hg-loose-key-0123456789abcdef, tags: [loose]}}
guards:
  customers: {{use: patterns, with: {{patterns: {{customer: 'C-[0-9]{{6}}'}}}}, then: redact, at: before}}
  orders:
    use: schema
    with:
      retry: 1
      schema:
        type: object
        required: [item, count]
        properties: {{item: {{type: string}}, count: {{type: integer}}}}
    for: {{model: [once, soon, kept, NAMES], key: [test, poor, leaver]}}
  patient: {{use: schema, with: {{schema: {{type: object}}, retry: 3}}, for: {{model: [twice]}}}}
  lenient: {{use: schema, with: {{schema: {{type: object}}, retry: 1}}, then: flag, for: {{model: [told]}}}}
"""


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    names = {dialect.name: dialect.name.replace("_", "-") for dialect in CHATS}
    providers = "\n".join(
        f"  {named}: {{kind: openai_compatible, api_key: none, base_url: '{first.url}/{name}', speaks: [{name}]}}"
        for name, named in names.items()
    )
    config = CONFIG.replace("PROVIDERS", providers).replace("NAMES", ", ".join(f"{name}/m" for name in names.values()))
    with running(tmp_path_factory.mktemp("again"), config) as made:
        yield made
        assert "Traceback" not in made.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    return first


def events(text, output=2):
    usage = Used(usage=Usage(input=10, output=output))
    words = [Text(text=text[start : start + 5]) for start in range(0, len(text), 5)]
    return [Start(id="r", model="m", created=1), *words, usage, Stop(reason="stop")]


def saying(text, output=2):
    return answering(events(text, output))


def said(dialect, stream, body):
    reader = dialect.reader(stream)
    return "".join(each.text for each in [*reader.feed(body), *reader.end()] if isinstance(each, Text))


def ask(gateway, model, text="Order tea", key=KEY, **more):
    return gateway.post({"model": model, "messages": [{"role": "user", "content": text}], **more}, key=key)


def posted(gateway, path, fields):
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    status, headers, body = gateway.request("POST", path, json.dumps(fields).encode(), headers)
    return status, headers, body if isinstance(body, bytes) else json.dumps(body).encode()


def hello(dialect, model, stream):
    """A request in this dialect; a prompt where it takes no conversation."""
    message = chat.Message(role="user", parts=[chat.Text(text="Order tea")], plain=True)
    try:
        body = dialect.write_request(chat.ChatRequest(dialect="", model="m", messages=[message], max_tokens=10), [])
    except Unsupported:
        body = b'{"prompt": "Order tea"}'
    return json.loads(body) | ({} if dialect.in_url else {"model": model, "stream": stream})


ALONE = {"openai_completions", "ollama_generate"}
"""Go on from one prompt, and take no answer of their own back."""


@together(["dialect", "path", "stream"], WAYS)
@pytest.mark.parametrize("crossed", [False, True], ids=["own", "crossed"])
def test_the_model_is_told_what_is_wrong_in_every_dialect(gateway, upstream, crossed, dialect, path, stream):
    other = "openai_chat" if dialect.name == "anthropic_messages" else "anthropic_messages"
    spoken = PLAIN[other] if crossed else dialect
    model = f"{spoken.name.replace('_', '-')}/m"
    upstream.requests.clear()
    upstream.script = [saying(WRONG), saying(RIGHT)]
    status, headers, body = posted(gateway, place(path, model), hello(dialect, model, stream))
    if spoken.name in ALONE:
        assert b"blocked_by_guard" in body
        assert (headers.get("x-headgate-asked-again"), len(upstream.requests)) == (None, 1)
        return
    assert (status, headers.get("x-headgate-asked-again"), headers["x-headgate-attempts"]) == (200, "1", "2"), body
    assert said(dialect, stream, body) == RIGHT
    answer, complaint = spoken.read_request({**json.loads(upstream.requests[1].body), "model": "m"}).messages[-2:]
    assert (answer.role, "".join(part.text for part in answer.parts)) == ("assistant", WRONG)
    assert complaint.role == "user"
    assert '$.count: expected type "integer"' in complaint.parts[0].text
    assert '$ lacks ["item"]' in complaint.parts[0].text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_answer_is_paid_for_and_told(gateway, upstream, stream):
    upstream.script = [saying(WRONG, 30), saying(RIGHT, 5)]
    tokens = gateway.metric("headgate_tokens_total", model="once")
    faulty = gateway.metric("headgate_attempts_total", target="openai-chat/once", outcome="faulty")
    status, headers, _ = ask(gateway, "once", stream=stream)
    assert status == 200
    record = gateway.record_of(headers["x-request-id"])
    rejected, taken = record["attempts"]
    assert (rejected["error"], rejected["message"], rejected["status"]) == ("faulty", "orders: not_as_schema", 200)
    assert (rejected["usage"]["output"], rejected["cost"]) == (30, "0.00007")
    assert "error" not in taken
    assert "usage" not in taken
    assert (record["usage"]["output"], record["cost"]) == (5, "0.00002")
    assert headers.get("x-headgate-cost") == (None if stream else "0.00009")
    [verdict] = record["guards"]
    assert (verdict["policy"], verdict["action"]) == ("orders", "flag")
    assert verdict["reason"].startswith("the model was asked again: ")
    assert "did not answer" not in gateway.told_by("explain", record["id"])
    assert "answered 200: faulty" in gateway.told_by("explain", record["id"])
    assert gateway.metric("headgate_tokens_total", model="once") - tokens == 55
    assert gateway.metric("headgate_attempts_total", target="openai-chat/once", outcome="faulty") - faulty == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_it_is_asked_so_often_and_then_blocked(gateway, upstream, stream):
    upstream.script = saying("I would rather not.")
    status, headers, body = ask(gateway, "twice", stream=stream)
    assert b"blocked_by_guard" in (body if stream else json.dumps(body).encode())
    assert (status, len(upstream.requests)) == (200 if stream else 400, 4)
    assert headers["x-headgate-attempts"] == "4"
    turns = json.loads(upstream.requests[3].body)["messages"]
    assert [turn["role"] for turn in turns] == ["user", *["assistant", "user"] * 3]
    record = gateway.record_of(headers["x-request-id"])
    assert [each.get("error") for each in record["attempts"]] == ["faulty", "faulty", "faulty", None]


def test_what_is_still_wrong_is_let_through_where_the_policy_says_so(gateway, upstream):
    upstream.script = saying("I would rather not.")
    status, headers, body = ask(gateway, "told")
    assert (status, headers["x-headgate-asked-again"]) == (200, "1")
    assert body["choices"][0]["message"]["content"] == "I would rather not."


def test_where_nobody_answers_again_the_first_answer_counts(gateway, upstream):
    for stream in (False, True):
        upstream.requests.clear()
        upstream.script = [saying(WRONG, 30), json_reply({"error": {"message": "no"}}, status=500)]
        _, headers, body = ask(gateway, "once", stream=stream)
        assert b"blocked_by_guard" in (body if stream else json.dumps(body).encode())
        record = gateway.record_of(headers["x-request-id"])
        first, second = record["attempts"]
        assert (first.get("error"), first.get("usage"), second["status"]) == (None, None, 500)
        assert (record["usage"]["output"], record["cost"]) == (30, "0.00007")
        assert "no other answer came" in record["decision"]["why"]


def test_only_a_good_answer_is_kept(gateway, upstream):
    for stream in (False, True):
        upstream.requests.clear()
        question = f"Order tea for {stream}"
        upstream.script = [saying(WRONG), saying(WRONG), saying(WRONG), saying(RIGHT)]
        ask(gateway, "kept", question, stream=stream)  # blocked, and not kept
        _, headers, _ = ask(gateway, "kept", question, stream=stream)
        assert (headers["x-headgate-cache"], headers["x-headgate-asked-again"]) == ("miss", "1")
        for _ in range(2):
            status, headers, body = ask(gateway, "kept", question)
            assert (status, headers["x-headgate-cache"]) == (200, "hit")
            assert "x-headgate-asked-again" not in headers
            assert body["choices"][0]["message"]["content"] == RIGHT
        assert len(upstream.requests) == 4


def test_what_others_are_given_is_kept_apart(gateway, upstream):
    upstream.script = [saying(WRONG), saying(WRONG), saying(RIGHT)]
    _, headers, _ = ask(gateway, "kept", "Order coffee", key="hg-loose-key-0123456789abcdef")
    assert headers["x-headgate-cache"] == "miss"
    status, headers, _ = ask(gateway, "kept", "Order coffee")
    assert (status, headers["x-headgate-cache"], headers["x-headgate-asked-again"]) == (200, "miss", "1")


def test_a_limit_without_room_has_nobody_asked_again(gateway, upstream):
    upstream.script = [saying(WRONG), saying(RIGHT)]
    status, headers, _ = ask(gateway, "once", key=OTHER_KEY)  # of 1,200 tokens an answer may take a thousand
    assert (status, len(upstream.requests)) == (400, 1)
    assert "a limit has no room" in gateway.record_of(headers["x-request-id"])["decision"]["why"]
    upstream.requests.clear()
    upstream.script = [saying(WRONG, 30), saying(RIGHT, 5)]
    status, headers, _ = ask(gateway, "once", key=OTHER_KEY, max_tokens=100)
    assert status == 200
    record = gateway.record_of(headers["x-request-id"])
    assert sum(record["counted"].values()) == 55


def test_the_deadline_is_one_for_all_answers(gateway, upstream):
    upstream.script = [saying(WRONG), (Stall(),)]
    status, headers, _ = ask(gateway, "soon")
    assert status == 400
    record = gateway.record_of(headers["x-request-id"])
    assert [each.get("error") for each in record["attempts"]] == [None, "provider_timeout"]
    assert record["duration"] < 2


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_who_goes_away_pays_for_what_was_answered(gateway, upstream, stream):
    before = left(gateway, upstream, [(Stall(),)], stream)
    closed = len(upstream.closed_by_client)
    record = left(gateway, upstream, [saying(WRONG, 30), (Stall(),)], stream)
    assert (record["ending"], len(record["attempts"])) == ("cancelled", 2)
    assert (record["attempts"][0]["usage"]["output"], record["attempts"][0]["cost"]) == (30, "0.00007")
    # of the answer under way what it may come to, as of the one alone, and the one before it
    more = {"tokens": 40, "money": 70_000, "requests": 0}
    assert counted(record) == {what: amount + more[what] for what, amount in counted(before).items()}
    assert len(upstream.closed_by_client) > closed
    upstream.script = saying(RIGHT)
    status, _, _ = ask(gateway, "once")  # the target's only place is free
    assert status == 200


def left(gateway, upstream, script, stream):
    """The record of a request whose client goes away once its last answer is under way."""
    upstream.script = script
    upstream.requests.clear()
    body = {"model": "once", "messages": [{"role": "user", "content": "Order tea"}], "stream": stream, "max_tokens": 50}
    with Wire(gateway.port) as wire:
        wire.send(http_request("/v1/chat/completions", json.dumps(body).encode(), key=LEAVER))
        gateway.wait_for_metric(1, "headgate_in_flight")
        while len(upstream.requests) < len(script):
            pass
    gateway.wait_for_metric(0, "headgate_in_flight")
    return gateway.newest()


def counted(record):
    """What limits count, by what that is."""
    return {name.partition(" | ")[2].partition(" ")[0]: amount for name, amount in record["counted"].items()}


def test_a_stream_that_breaks_off_is_an_error_and_paid_for(gateway, upstream):
    begun = b"".join(
        as_chunk(sse_event({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]}))
        for text in ("It ", "is " * 40)
    )
    upstream.script = [(chunked_head() + begun, Close())]
    status, headers, body = ask(gateway, "once", stream=True)
    assert (status, body["error"]["code"]) == (502, "provider_cut")
    record = gateway.record_of(headers["x-request-id"])
    [attempt] = record["attempts"]
    assert attempt["error"] == "provider_cut"
    assert attempt["usage"]["output"] > 20


def test_the_words_that_go_back_are_looked_at(gateway, upstream):
    upstream.script = [saying("It is for C-123456"), saying(RIGHT)]
    status, _, _ = ask(gateway, "once")
    assert status == 200
    assert json.loads(upstream.requests[1].body)["messages"][1]["content"] == "It is for [CUSTOMER]"


def test_openais_client_parses_what_comes_of_it(gateway, upstream, authorities):
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1",
        api_key=KEY,
        max_retries=0,
        http_client=openai.DefaultHttpxClient(verify=authorities),
    ) as client:
        question = {"model": "once", "messages": [{"role": "user", "content": "Order tea"}]}
        upstream.script = [saying(WRONG), saying(RIGHT)]
        answer = client.chat.completions.with_raw_response.create(**question)
        assert answer.headers["x-headgate-asked-again"] == "1"
        assert json.loads(answer.parse().choices[0].message.content) == json.loads(RIGHT)
        upstream.script = [saying(WRONG), saying(RIGHT)]
        with client.chat.completions.stream(**question) as stream:
            assert stream.get_final_completion().choices[0].message.content == RIGHT
