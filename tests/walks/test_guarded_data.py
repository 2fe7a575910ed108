"""Personal data and secrets over HTTP: nothing of them leaves the gateway, whole, in tool arguments, or in streams."""

import inspect
import json

import pytest

from gateways import KEY, running
from headgate.redaction.fingerprints import Registry, numbers
from traffic import answering, chunk, whole
from upstreams import LAST_CHUNK, as_chunk, chunked_head

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  openai: {{api_key: sk-upstream, base_url: 'URL/v1'}}
  home: {{kind: openai_compatible, base_url: 'URL/v1', api_key: none, internal: true}}
models:
  chat: openai/gpt-4o-mini
  named: openai/gpt-4o-mini
  coding: {{targets: [openai/gpt-4o-mini], fallbacks: [home/small]}}
keys: [{{name: test, key: {KEY}}}]
guards:
  personal: {{use: personal, with: {{also: [diagnosis]}}, then: {{card: mask, "*": redact}}}}
  secrets: {{use: secrets}}
  code: {{use: code, with: {{owners: [ACME Ltd.], registered: KNOWN}}, external_only: true}}
  names: {{use: personal, with: {{kinds: [imei], names: true}}, for: {{model: named}}}}
"""
KEY_FOUND = "sk-proj-" + "a1B2c3D4" * 5
PLANTED = [
    "joe.public@mail.example.com",
    "078-05-1120",
    "4111 1111 1111 1111",
    KEY_FOUND,
    "1985-05-03",
    "asthma",
    "5551234567",
]
TEXT = (
    "Ünal (joe.public@mail.example.com, SSN 078-05-1120, born on 1985-05-03, asthma) "
    f"pays with 4111 1111 1111 1111; the key is {KEY_FOUND}, call 5551234567 please."
)
TOLD = (
    "Ünal ([EMAIL], SSN [SSN], born on [BIRTH_DATE], [DIAGNOSIS]) "
    "pays with **** **** **** 1111; the key is [API_KEY], call [PHONE] please."
)

CODE = inspect.getsource(inspect.getmodulename)


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    Registry(numbers(CODE.encode())).save(folder / "known")
    config = CONFIG.replace("URL", first.url).replace("KNOWN", str(folder / "known"))
    with running(folder, config) as started:
        yield started
        output = started.output()
        assert "Traceback" not in output
        assert not [each for each in PLANTED if each in output]


def test_nothing_of_it_reaches_the_provider_the_record_or_the_log(gateway, first):
    first.requests.clear()
    first.script = answering()
    call = {"name": "pay", "arguments": json.dumps({"customerPhone": "5551234567", "note": TEXT})}
    messages = [
        {"role": "user", "content": TEXT},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps([{"phone": 5551234567, "text": TEXT}])},
    ]
    status, headers, body = gateway.post({"model": "chat", "messages": messages})
    assert status == 200
    sent = first.requests[0].body.decode()
    record = json.dumps(gateway.record_of(headers["x-request-id"]))
    for planted in PLANTED:
        assert planted not in sent
        assert planted not in record
        assert planted not in json.dumps(body)
    assert json.loads(sent)["messages"][0]["content"] == TOLD
    assert headers["x-headgate-guard"] == "changed=personal,secrets"


@pytest.mark.parametrize("size", [1, 7, 40])
def test_nothing_of_it_leaves_in_a_stream_however_it_is_split(gateway, first, size):
    pieces = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
    frames = b"".join(as_chunk(chunk({"content": piece})) for piece in pieces)
    end = as_chunk(chunk({}, "stop")) + as_chunk(b"data: [DONE]\n\n") + LAST_CHUNK
    first.script = (chunked_head() + frames + end,)
    status, _, body = gateway.post({"model": "chat", "messages": [{"role": "user", "content": "Who?"}], "stream": True})
    assert status == 200
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    said = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    assert said == TOLD


LETTER = (
    "Dear Mrs. Lindqvist, I have moved to 42 Birchwood Avenue, Springfield. "
    "Best regards, Margaret Okafor, from the café"
)
WITHOUT = "Dear Mrs. [PERSON], I have moved to [ADDRESS]. Best regards, [PERSON], from the café"


def test_names_and_addresses_stay_here_where_it_is_asked_to(gateway, first):
    first.requests.clear()
    first.script = (whole("Dear Margaret Okafor"),)
    status, headers, body = gateway.post({"model": "named", "messages": [{"role": "user", "content": LETTER}]})
    assert status == 200
    assert json.loads(first.requests[0].body)["messages"][0]["content"] == WITHOUT
    assert body["choices"][0]["message"]["content"] == "Dear [PERSON]"
    assert "Lindqvist" not in json.dumps(gateway.record_of(headers["x-request-id"]))


@pytest.mark.parametrize("size", [1, 9])
def test_no_name_leaves_in_a_stream_however_it_is_split(gateway, first, size):
    frames = b"".join(as_chunk(chunk({"content": LETTER[at : at + size]})) for at in range(0, len(LETTER), size))
    end = as_chunk(chunk({}, "stop")) + as_chunk(b"data: [DONE]\n\n") + LAST_CHUNK
    first.script = (chunked_head() + frames + end,)
    status, _, body = gateway.post({"model": "named", "messages": [{"role": "user", "content": "Hi"}], "stream": True})
    assert status == 200
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    said = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    assert said == WITHOUT


def test_what_holds_nothing_is_forwarded_byte_for_byte(gateway, first):
    first.requests.clear()
    first.script = (whole("ok"),)
    body = b'{ "model":"openai/gpt-4o-mini",  "messages":[{"role":"user","content":"order 12345678901, v1.2.3.4"}]}'
    sent = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    status, headers, _ = gateway.request("POST", "/v1/chat/completions", body, sent)
    assert status == 200
    assert first.requests[0].body == body.replace(b"openai/gpt", b"gpt")
    assert "x-headgate-guard" not in headers


@pytest.mark.parametrize(
    "code", [CODE.replace("\n", "\n\t"), "# Copyright 2024 ACME Ltd.\nx = 1", "# Internal use only\nx = 1"]
)
def test_own_code_goes_to_ones_own_models_only(gateway, first, code):
    first.requests.clear()
    first.script = answering()
    messages = [{"role": "user", "content": f"Mend this:\n{code}"}]
    status, headers, body = gateway.post({"model": "chat", "messages": messages})
    assert (status, body["error"]["code"], len(first.requests)) == (400, "blocked_by_guard", 0)
    status, headers, _ = gateway.post({"model": "coding", "messages": messages})
    assert (status, headers["x-headgate-model"]) == (200, "home/small")
    assert json.loads(first.requests[0].body)["messages"] == messages
