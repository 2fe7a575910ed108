"""Guards of content from outside: answers that are mended or kept back, whole and streamed, in several dialects."""

import json

import pytest

from gateways import KEY, running
from traffic import chunk, whole
from upstreams import LAST_CHUNK, ScriptedUpstream, as_chunk, chunked_head

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{openai: {{api_key: sk-upstream, base_url: 'URL/v1'}}}}
models: {{orders: openai/a, faq: openai/b, plain: openai/c}}
keys: [{{name: test, key: {KEY}}}]
guards:
  orders:
    use: schema
    for: {{model: [orders]}}
    with: {{schema: {{type: object, required: [item], properties: {{item: {{type: string}}}}}}}}
  sources: {{use: grounded, for: {{model: [faq]}}}}
  short: {{use: length, with: {{characters: 300}}, for: {{model: [plain]}}}}
  refusals: {{use: refusal, for: {{model: [plain]}}}}
  german: {{use: languages, with: {{denied: [de]}}, for: {{model: [plain]}}, refusal: English only.}}
"""
GERMAN = "Könnten Sie mir bitte erklären, wie ich meine Rechnung vom letzten Monat noch einmal bekommen kann?"


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(whole("Hi")) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream):
    with running(tmp_path_factory.mktemp("content"), CONFIG.replace("URL", upstream.url)) as made:
        yield made


def streaming(pieces):
    frames = b"".join(as_chunk(chunk({"content": piece})) for piece in pieces)
    return (chunked_head() + frames + as_chunk(chunk({}, "stop")) + as_chunk(b"data: [DONE]\n\n") + LAST_CHUNK,)


def ask(gateway, model, text="Hello", **more):
    return gateway.post({"model": model, "messages": [{"role": "user", "content": text}], **more})


def said(body):
    """The text of a streamed answer."""
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: {")]
    return "".join(each["delta"].get("content") or "" for line in lines for each in json.loads(line).get("choices", ()))


def test_what_is_nearly_json_is_mended_whole_and_streamed(gateway, upstream):
    upstream.script = whole('Here: ```json\n{"item": "tea",}\n```')
    status, headers, body = ask(gateway, "orders")
    assert (status, headers["x-headgate-guard"]) == (200, "changed=orders")
    assert json.loads(body["choices"][0]["message"]["content"]) == {"item": "tea"}
    assert gateway.record_of(headers["x-request-id"])["guards"][0]["category"] == "mended"
    upstream.script = streaming(["```js", 'on\n{"it', 'em": "te', 'a"', "}\n```"])
    status, headers, body = ask(gateway, "orders", stream=True)
    assert headers["x-headgate-guard"] == "watching=orders"
    assert json.loads(said(body)) == {"item": "tea"}


def test_what_cannot_be_is_kept_back(gateway, upstream):
    upstream.script = whole("I would rather not.")
    status, _, body = ask(gateway, "orders")
    assert (status, body["error"]["code"]) == (400, "blocked_by_guard")
    upstream.script = streaming(["I would ", "rather not."])
    _, _, body = ask(gateway, "orders", stream=True)
    assert b"blocked_by_guard" in body
    assert b"rather" not in body


def test_what_was_not_given_is_told(gateway, upstream):
    upstream.script = whole("The bridge was opened in 1932. It has 77 lamps and a toll.")
    messages = [
        {"role": "system", "content": "The bridge was opened in 1932 and has a toll."},
        {"role": "user", "content": "Tell me of the bridge"},
    ]
    status, headers, _ = gateway.post({"model": "faq", "messages": messages})
    assert status == 200
    [verdict] = gateway.record_of(headers["x-request-id"])["guards"]
    assert (verdict["category"], verdict["action"], verdict["side"]) == ("number_not_given", "flag", "reply")
    assert verdict["start"] == 30


def test_how_much_and_in_which_language_may_be_asked(gateway, upstream):
    upstream.script = whole("I'm sorry, but I can't help with that.")
    status, _, body = ask(gateway, "plain", "so " * 101)
    assert (status, body["error"]["code"]) == (400, "blocked_by_guard")
    status, _, body = ask(gateway, "plain", GERMAN)
    assert (status, body["choices"][0]["message"]["content"]) == (200, "English only.")
    status, headers, _ = ask(gateway, "plain")
    assert status == 200
    [verdict] = gateway.record_of(headers["x-request-id"])["guards"]
    assert (verdict["policy"], verdict["category"], verdict["action"]) == ("refusals", "refusal", "flag")
