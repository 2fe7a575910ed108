"""An organisation's system prompt stands before every conversation, in every API, whatever the client says."""

import json

import pytest

from gateways import running
from headgate.dialects.dialect import dialects
from upstreams import ScriptedUpstream, json_reply, reply, sse_event, sse_reply

ACME, RED, MINE = "Acme answers politely.", "Red names its sources.", "Short answers."
KEY, STRICT, FREE = (f"hg-{name}-key-0123456789abcdef" for name in ("acme", "strict", "free"))
CONFIG = f"""
server: {{{{host: 127.0.0.1, port: {{PORT}}}}}}
data_dir: {{DATA}}
retry: {{{{attempts: 1}}}}
breaker: {{{{enabled: false}}}}
providers:
  openai: {{{{api_key: sk-1, base_url: '{{url}}/v1'}}}}
  anthropic: {{{{api_key: sk-1, base_url: '{{url}}'}}}}
  google: {{{{api_key: sk-1, base_url: '{{url}}'}}}}
  bedrock: {{{{access_key_id: AKIAX, secret_access_key: y, region: us-east-1, base_url: '{{url}}'}}}}
  cohere: {{{{api_key: sk-1, base_url: '{{url}}'}}}}
  ollama: {{{{base_url: '{{url}}'}}}}
organisations:
  acme: {{{{system_prompt: "{ACME}"}}}}
  stern: {{{{system_prompt: {{{{text: "{ACME}", own: refuse}}}}}}}}
teams: {{{{red: {{{{organisation: acme, system_prompt: "{RED}"}}}}}}}}
keys:
  - {{{{name: test, key: {KEY}, team: red}}}}
  - {{{{name: strict, key: {STRICT}, organisation: stern}}}}
  - {{{{name: free, key: {FREE}}}}}
"""
CACHED = "models: {kept: {targets: [openai/gpt-4o], cache: true}}\nretry:"
TARGETS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "google/gemini-3-flash", "cohere/command-a", "ollama/llama3")
SAID = {
    "openai_chat": {"messages": [{"role": "system", "content": MINE}, {"role": "user", "content": "QUESTION"}]},
    "openai_responses": {"instructions": MINE, "input": "QUESTION"},
    "openai_completions": {"prompt": "QUESTION"},
    "anthropic_messages": {
        "system": MINE, "messages": [{"role": "user", "content": "QUESTION"}], "max_tokens": 9,
    },
    "anthropic_invoke": {
        "anthropic_version": "bedrock-2023-05-31", "system": MINE, "max_tokens": 9,
        "messages": [{"role": "user", "content": "QUESTION"}],
    },
    "gemini_generate": {
        "systemInstruction": {"parts": [{"text": MINE}]},
        "contents": [{"role": "user", "parts": [{"text": "QUESTION"}]}],
    },
    "bedrock_converse": {"system": [{"text": MINE}], "messages": [{"role": "user", "content": [{"text": "QUESTION"}]}]},
    "cohere_chat": {"messages": [{"role": "system", "content": MINE}, {"role": "user", "content": "QUESTION"}]},
    "ollama_chat": {"messages": [{"role": "system", "content": MINE}, {"role": "user", "content": "QUESTION"}]},
    "ollama_generate": {"system": MINE, "prompt": "QUESTION"},
}  # fmt: skip
CHATS = [
    pytest.param(dialect, path, id=f"{dialect.name} {path}")
    for dialect in dialects([])
    if dialect.operation == "chat"
    for path in dialect.paths
]


@pytest.fixture(scope="module")
def upstream():
    async def answer(asked):
        await asked.send(json_reply({"error": {"message": "enough was heard"}}, status=400))

    with ScriptedUpstream(answer) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream):
    with running(
        tmp_path_factory.mktemp("instruct"), CONFIG.format(url=upstream.url, PORT="{PORT}", DATA="{DATA}")
    ) as made:
        yield made


def said_to(upstream, gateway, path, body, key=KEY):
    """The status, the answer, and what the provider was sent; None: nothing."""
    before = len(upstream.requests)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    status, _, answer = gateway.request("POST", path, json.dumps(body).encode(), headers)
    sent = upstream.requests[before:]
    return status, answer, sent[0].body.decode() if sent else None


@pytest.mark.parametrize(("dialect", "path"), CHATS)
def test_it_comes_first_in_every_api(gateway, upstream, dialect, path):
    crossings = 0
    for target in TARGETS:
        asked = path.replace("{model}", target)
        model = {} if "{model}" in path else {"model": target}
        for stream in ({}, {"stream": True}) if model else ({},):
            body = {**SAID[dialect.name], **model, **stream}
            status, answer, sent = said_to(upstream, gateway, asked, body)
            if sent is None:
                assert b"QUESTION" not in json.dumps(answer).encode()
                assert status == 400, answer
                continue
            crossings += 1
            assert "QUESTION" in sent
            places = [sent.index(text) for text in (ACME, RED, MINE) if text is not MINE or "prompt" not in body]
            assert places == sorted(places)
    assert crossings >= 1


def test_of_several_prompts_each_has_it_and_one_of_tokens_cannot(gateway, upstream):
    body = {"model": "openai/gpt-3.5-turbo-instruct", "prompt": ["one", "two"]}
    _, _, sent = said_to(upstream, gateway, "/v1/completions", body)
    assert json.loads(sent)["prompt"] == [f"{ACME}\n\n{RED}\n\n{each}" for each in ("one", "two")]
    status, answer, sent = said_to(upstream, gateway, "/v1/completions", {**body, "prompt": [1, 2, 3]})
    assert (status, sent) == (400, None)
    assert "send it as text" in json.dumps(answer)


def test_an_organisation_may_let_no_other_prompt_follow(gateway, upstream):
    chat = {"model": "openai/gpt-4o", **SAID["openai_chat"]}
    status, answer, sent = said_to(upstream, gateway, "/v1/chat/completions", chat, STRICT)
    assert (status, sent) == (400, None)
    assert "organisation stern says the system prompt" in answer["error"]["message"]
    chat["messages"] = chat["messages"][1:]
    _, _, sent = said_to(upstream, gateway, "/v1/chat/completions", chat, STRICT)
    assert [each["content"] for each in json.loads(sent)["messages"]] == [ACME, "QUESTION"]


@pytest.mark.parametrize(
    ("path", "model", "field"),
    [
        ("/api/generate", "ollama/llama3", {"template": "{{ .Prompt }}"}),
        ("/api/generate", "ollama/llama3", {"suffix": "."}),
        ("/v1/chat/completions", "openai/gpt-4o", {"chat_template": "{{ messages[-1].content }}"}),
        ("/v1/chat/completions", "openai/gpt-4o", {"extra_body": {"messages": SAID["openai_chat"]["messages"]}}),
        ("/v1/completions", "openai/davinci", {"prompt_embeds": "AAAA"}),
        ("/v1/messages", "anthropic/claude-sonnet-4-5", {"System": MINE}),
        ("/v2/chat", "cohere/command-a", {"preamble": MINE}),
        ("/model/bedrock%2Fclaude/converse", "", {"additionalModelRequestFields": {"system": MINE}}),
    ],
)
def test_no_field_displaces_it(gateway, upstream, path, model, field):
    said = next(
        SAID[dialect.name]
        for dialect in dialects([])
        for each in dialect.paths
        if each == path or (not model and dialect.name == "bedrock_converse")
    )
    body = {**said, **({"model": model} if model else {})}
    status, answer, sent = said_to(upstream, gateway, path, {**body, **field})
    assert (status, sent) == (400, None)
    assert "organisation acme says the system prompt" in json.dumps(answer)
    assert said_to(upstream, gateway, path, {**body, **field}, FREE)[2] is not None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", {"model": "openai/gpt-4o", "prompt": {"id": "pmpt_1"}}),
        (
            "/v1beta/models/google/gemini-3-flash:generateContent",
            {"contents": SAID["gemini_generate"]["contents"], "cachedContent": "cachedContents/1"},
        ),
    ],
)
def test_where_no_other_prompt_may_follow_none_that_is_stored_may(gateway, upstream, path, body):
    status, answer, sent = said_to(upstream, gateway, path, body, STRICT)
    assert (status, sent) == (400, None)
    assert "which may hold one" in json.dumps(answer)
    assert ACME in said_to(upstream, gateway, path, body)[2]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"model": "openai/davinci", "prompt": "QUESTION", "echo": True}),
        ("/v1/chat/completions", {"model": "openai/gpt-4o", **SAID["openai_chat"], "prompt_logprobs": 0}),
        ("/v1/chat/completions", {"model": "openai/gpt-4o", **SAID["openai_chat"], "extra_body": {"echo": True}}),
        ("/v1/responses", {"model": "openai/gpt-4o", "input": "QUESTION", "enable_response_messages": True}),
        ("/api/chat", {"model": "ollama/llama3", **SAID["ollama_chat"], "_debug_render_only": True}),
    ],
)
def test_no_field_has_it_repeated(gateway, upstream, path, body):
    status, answer, sent = said_to(upstream, gateway, path, body)
    assert (status, sent) == (400, None)
    assert "may have it repeated" in json.dumps(answer)
    assert said_to(upstream, gateway, path, body, FREE)[2] is not None
    off = {name: False if name == list(body)[-1] else value for name, value in body.items()}
    assert said_to(upstream, gateway, path, off)[2] is not None


@pytest.fixture(scope="module")
def echoing(tmp_path_factory):
    """A gateway before a provider that says its instructions again, as OpenAI's Responses API does."""

    async def answer(asked):
        said = json.loads(asked.request.body)
        text = {"type": "output_text", "text": "Hi", "annotations": []}
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
        usage = {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}
        begun = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o", "error": None}
        begun |= {"status": "in_progress", "instructions": said.get("instructions"), "temperature": 1.50, "output": []}
        done = {**begun, "status": "completed", "output": [message], "usage": usage}
        events = [
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
            {"type": "response.output_text.delta", "delta": "Hi", "item_id": "msg_1"},
            {"type": "response.completed", "response": done},
        ]
        stream = sse_reply([sse_event(event, event["type"]) for event in events])
        await asked.play(stream if said.get("stream") else (json_reply(done),))

    with ScriptedUpstream(answer) as made:
        config = CONFIG.format(url=made.url, PORT="{PORT}", DATA="{DATA}").replace("retry:", CACHED)
        with running(tmp_path_factory.mktemp("echoing"), config) as gateway:
            yield made, gateway


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("own", [MINE, "", None])
def test_a_response_says_the_clients_instructions_again_and_no_others(echoing, own, stream):
    upstream, gateway = echoing
    given = {} if own is None else {"instructions": own}
    body = {"model": "kept", "input": f"QUESTION, stream {stream}", **given, "stream": stream}
    before = len(upstream.requests)
    for _ in range(4):  # asked, and from the cache in each of its ways
        _, _, answer = gateway.post(body, "/v1/responses", KEY)
        said = responses(answer) if stream else [answer]
        assert [response["instructions"] for response in said] == [own] * (3 if stream else 1)
        assert ACME not in json.dumps(answer if not stream else answer.decode())
        assert said[-1]["output"][0]["content"][0]["text"] == "Hi"
        assert said[-1]["temperature"] == 1.5
    assert len(upstream.requests) == before + 1
    assert ACME in upstream.requests[-1].body.decode()


def responses(stream):
    """What the events of a stream say of the response as a whole."""
    events = [json.loads(line[6:]) for line in stream.decode().splitlines() if line.startswith("data: {")]
    assert [event["type"] for event in events if "response" in event] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    return [event["response"] for event in events if "response" in event]


def test_what_is_forwarded_unread_is_no_way_around_it(gateway, upstream):
    body = {"model": "gpt-4o", **SAID["openai_chat"]}
    status, answer, sent = said_to(upstream, gateway, "/openai/v1/chat/completions", body)
    assert (status, sent) == (403, None)
    assert "system prompt of organisation acme" in answer["error"]["message"]
    assert said_to(upstream, gateway, "/openai/v1/chat/completions", body, FREE)[2] is not None


def test_it_is_in_the_record_and_the_requests_of_others_go_as_they_came(gateway, upstream):
    chat = {"model": "openai/gpt-4o", **SAID["openai_chat"]}
    said_to(upstream, gateway, "/v1/chat/completions", chat)
    assert gateway.records(key="test")[-1]["instructed"] == ["organisation acme", "team red"]
    _, _, sent = said_to(upstream, gateway, "/v1/chat/completions", chat, FREE)
    assert json.loads(sent)["messages"] == chat["messages"]
    assert "instructed" not in gateway.records(key="free")[-1]


def test_count_tokens_counts_it(gateway):
    counts = []
    for key in (KEY, FREE):
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        body = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
        counts.append(gateway.request("POST", "/v1/messages/count_tokens", json.dumps(body).encode(), headers)[2])
    assert counts[0]["input_tokens"] > counts[1]["input_tokens"]


@pytest.mark.parametrize("stream", [False, True])
def test_its_tokens_are_not_told(tmp_path_factory, stream):
    """Ollama's generate says those of all that it was asked."""
    done = {"model": "llama3", "created_at": "2026-01-01T00:00:00Z", "response": "Hi", "done": True, "context": [1, 2]}

    async def answer(asked):
        line = json.dumps({**done, "done_reason": "stop", "eval_count": 2}).encode() + b"\n"
        await asked.play((reply(line, content_type="application/x-ndjson" if stream else "application/json"),))

    with ScriptedUpstream(answer) as made:
        config = CONFIG.format(url=made.url, PORT="{PORT}", DATA="{DATA}")
        with running(tmp_path_factory.mktemp("tokens"), config) as gateway:
            for key, told in ((KEY, False), (FREE, True)):
                body = {"model": "ollama/llama3", "prompt": "QUESTION", "stream": stream}
                status, _, said = gateway.post(body, "/api/generate", key)
                lines = [json.loads(line) for line in said.splitlines()] if isinstance(said, bytes) else [said]
                assert (status, "".join(line["response"] for line in lines)) == (200, "Hi")
                assert lines[-1]["eval_count"] == 2
                assert any("context" in line for line in lines) is told
