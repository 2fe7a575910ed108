"""What is hidden from providers comes back in the reply, whole, streamed and in tool arguments, and stays nowhere."""

import asyncio
import json
import time

import pytest

from gateways import KEY, OTHER_KEY, running
from traffic import chunk, whole
from upstreams import LAST_CHUNK, as_chunk, chunked_head, json_reply, reply

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  openai: {{api_key: sk-upstream, base_url: 'URL/v1'}}
  home: {{kind: openai_compatible, base_url: 'URL/home/v1', api_key: none, internal: true}}
models:
  chat: openai/gpt-4o-mini
  kept: {{targets: [openai/gpt-4o-mini], cache: {{ttl: 3600, tool_calls: true}}}}
  both: {{targets: [home/small], fallbacks: [openai/gpt-4o-mini]}}
  judged: {{targets: [home/small], judge: {{target: openai/judge, share: 1}}}}
  real: openai/gpt-4o-mini
  resumed: {{targets: [home/small], fallbacks: [openai/gpt-4o-mini], resume: true}}
  copied: {{targets: [home/small], shadow: {{target: openai/other, share: 1}}}}
  abroad: {{targets: [openai/gpt-4o-mini], cache: {{ttl: 3600}}}}
payloads: {{keep: full}}
teams: {{support: }}
keys:
  - {{name: test, key: {KEY}, team: support}}
  - {{name: other, key: {OTHER_KEY}, team: support}}
guards:
  personal: {{use: personal, then: tokenise, for: {{model: [chat, kept]}}}}
  made_up: {{use: personal, with: {{names: true}}, then: surrogate, for: {{model: real}}}}
  customers:
    use: patterns
    with: {{patterns: {{customer: 'C-[0-9]{{6}}'}}}}
    then: tokenise
    external_only: true
    for: {{model: [both, abroad, judged, copied, resumed], team: support}}
"""
JOE, ANN = "joe.public@mail.example.com", "ann@other.example.org"
CUSTOMER = "C-123456"


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    with running(tmp_path_factory.mktemp("gateway"), CONFIG.replace("URL", first.url)) as started:
        yield started
        output = started.output()
        assert "Traceback" not in output
        seen = "".join(started.metrics())
        assert not [each for each in (JOE, ANN, CUSTOMER) if each in seen]
        for path in started.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert not [each for each in (JOE, ANN) if each.encode() in data], path


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = echo
    return first


async def echo(asked):
    """Says the question again; where it is streamed letter by letter."""
    body = json.loads(asked.request.body)
    text = f"You said: {body['messages'][-1]['content']}"
    if not body.get("stream"):
        await asked.send(whole(text))
        return
    frames = b"".join(as_chunk(chunk({"content": letter})) for letter in text)
    end = as_chunk(chunk({}, "stop")) + as_chunk(b"data: [DONE]\n\n") + LAST_CHUNK
    await asked.send(chunked_head() + frames + end)


def ask(gateway, text, model="chat", key=KEY, **more):
    messages = [{"role": "user", "content": text}]
    status, headers, body = gateway.post({"model": model, "messages": messages, **more}, key=key)
    assert status == 200, body
    if more.get("stream"):
        events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
        return headers, "".join(choice["delta"].get("content") or "" for each in events for choice in each["choices"])
    return headers, body["choices"][0]["message"]["content"]


def asked(upstream, number=-1):
    return json.loads(upstream.requests[number].body)["messages"][-1]["content"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_says_what_the_provider_was_not_told(gateway, upstream, stream):
    text = f"Write to {JOE} and {ANN}, then to {JOE}; not to <EMAIL_1>"
    headers, said = ask(gateway, text, stream=stream)
    assert asked(upstream) == "Write to <EMAIL_2> and <EMAIL_3>, then to <EMAIL_2>; not to <EMAIL_1>"
    assert said == f"You said: {text}"
    assert headers["x-headgate-guard"] == "changed=personal"
    record = gateway.record_of(headers["x-request-id"])
    assert [each["action"] for each in record["guards"]] == ["tokenise"] * 3
    assert JOE not in json.dumps(record)


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_with_what_the_provider_was_not_told(gateway, upstream, stream):
    arguments = '{"to": "<EMAIL_1>", "note": "\\"<email_1>\\"\\n"}'
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "send", "arguments": arguments}}
    if stream:
        pieces = [{**call, "function": {"name": "send", "arguments": ""}}]
        pieces += [{"index": 0, "function": {"arguments": letter}} for letter in arguments]
        frames = b"".join(as_chunk(chunk({"tool_calls": [piece]})) for piece in pieces)
        end = as_chunk(chunk({}, "tool_calls")) + as_chunk(b"data: [DONE]\n\n") + LAST_CHUNK
        upstream.script = (chunked_head() + frames + end,)
    else:
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        upstream.script = json_reply({"id": "c", "choices": [{"index": 0, "message": message}]})
    messages = [{"role": "user", "content": f"Write to {JOE}"}]
    _, _, body = gateway.post({"model": "chat", "messages": messages, "stream": stream})
    if stream:
        events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
        calls = [call for each in events for call in each["choices"][0]["delta"].get("tool_calls", ())]
        given = "".join(each["function"]["arguments"] for each in calls)
    else:
        given = body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(given) == {"to": JOE, "note": f'"{JOE}"\n'}


def test_what_was_put_back_is_hidden_again_when_it_is_said_again(gateway, upstream):
    call = {"name": "send", "arguments": json.dumps({"to": JOE})}
    messages = [
        {"role": "user", "content": f"I am {JOE}"},
        {
            "role": "assistant",
            "content": f"Hello {JOE}",
            "tool_calls": [{"id": "1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "1", "content": f"sent to {JOE}"},
        {"role": "user", "content": f"and {ANN}?"},
    ]
    gateway.post({"model": "chat", "messages": messages})
    told = json.loads(upstream.requests[0].body)["messages"]
    assert [each["content"] for each in told] == [
        "I am <EMAIL_1>", "Hello <EMAIL_1>", "sent to <EMAIL_1>", "and <EMAIL_2>?",
    ]  # fmt: skip
    assert json.loads(told[1]["tool_calls"][0]["function"]["arguments"]) == {"to": "<EMAIL_1>"}


def test_an_answer_that_is_kept_names_whoever_asks_for_it(gateway, upstream):
    assert ask(gateway, f"Greet {JOE}", "kept")[1] == f"You said: Greet {JOE}"
    headers, said = ask(gateway, f"Greet {ANN}", "kept")
    assert (headers["x-headgate-cache"], said) == ("hit", f"You said: Greet {ANN}")
    assert ask(gateway, f"Greet {JOE}", "kept", stream=True)[1] == f"You said: Greet {JOE}"
    assert len(upstream.requests) == 1


def test_an_answer_to_what_only_others_are_not_told_is_given_again(gateway, upstream):
    for how in ("miss", "hit"):
        headers, said = ask(gateway, f"Greet {CUSTOMER}", "abroad")
        assert (headers["x-headgate-cache"], said) == (how, f"You said: Greet {CUSTOMER}")
    assert asked(upstream) == "Greet <CUSTOMER_1>"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_ones_own_model_is_told_it_and_another_that_is_asked_instead_is_not(gateway, upstream, stream):
    assert ask(gateway, f"Who is {CUSTOMER}?", "both", stream=stream)[1] == f"You said: Who is {CUSTOMER}?"
    assert asked(upstream) == f"Who is {CUSTOMER}?"

    async def broken(asked):
        if asked.request.path.startswith("/home"):
            await asked.send(reply(b"{}", status=500))
        else:
            await echo(asked)

    upstream.script = broken
    headers, said = ask(gateway, f"Who is {CUSTOMER}?", "both", stream=stream)
    assert headers["x-headgate-model"] == "openai/gpt-4o-mini"
    assert said == f"You said: Who is {CUSTOMER}?"
    assert asked(upstream) == "Who is <CUSTOMER_1>?"


def test_who_goes_on_elsewhere_with_what_ones_own_model_began_is_told_as_little(gateway, upstream):
    async def cut(asked):
        if asked.request.path.startswith("/home"):
            await asked.send(chunked_head() + as_chunk(chunk({"content": f"It is {CUSTOMER}, who "})))
            await asyncio.sleep(0.02)
            asked.reset()
        pieces = ("lives near <CUST", "OMER_1>", ".")
        frames = b"".join(as_chunk(chunk({"content": piece})) for piece in pieces)
        await asked.send(
            chunked_head() + frames + as_chunk(chunk({}, "stop")) + as_chunk(b"data: [DONE]\n\n") + LAST_CHUNK
        )

    upstream.script = cut
    _, said = ask(gateway, f"Who is {CUSTOMER}?", "resumed", stream=True)
    assert said == f"It is {CUSTOMER}, who lives near {CUSTOMER}."
    assert CUSTOMER in upstream.requests[0].body.decode()
    assert CUSTOMER not in upstream.requests[1].body.decode()


def test_judges_and_copies_elsewhere_are_told_as_little(gateway, upstream):
    for model, times in (("judged", 2), ("copied", 1)):
        upstream.requests.clear()
        ask(gateway, f"Who is {CUSTOMER}?", model)
        until = time.monotonic() + 20
        while len(upstream.requests) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert asked(upstream, 0) == f"Who is {CUSTOMER}?"
        assert CUSTOMER not in asked(upstream)
        assert asked(upstream).count("<CUSTOMER_1>") == times


@pytest.mark.parametrize("stream", [False, True])
def test_something_made_up_is_what_a_provider_is_told(gateway, upstream, stream):
    text = f"Dear Mrs. Ada Lovelace: {JOE} now pays with 4111 1111 1111 1111. Yours, Ada Lovelace"
    _, said = ask(gateway, text, "real", stream=stream)
    told = asked(upstream)
    assert said == f"You said: {text}"
    assert "@example.com now pays with 4" in told
    assert not [each for each in ("Lovelace", JOE, "1111 1111") if each in told]
    assert "<" not in told
