"""What other dialects say reaches Bedrock and comes back, except what is named as lost."""

import json
from pathlib import Path

import pytest
from botocore.validate import ParamValidator

from dialects.bedrock_converse.laws import FIXTURES, STREAMS, WHOLE, framed, parse, read, service
from headgate.core import chat, plugin
from headgate.core import events as ev
from headgate.core.errors import InvalidRequest, ProviderError, Unsupported
from headgate.dialects import bedrock_converse as dialect
from headgate.dialects import gemini_generate
from headgate.dialects.bedrock_converse.families import family_of
from headgate.dialects.dialect import crossed
from together import together

HERE = Path(__file__).parents[1]
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NEW_CLAUDE = "us.anthropic.claude-opus-4-7-v1"
NOVA, NOVA_2 = "amazon.nova-pro-v1:0", "us.amazon.nova-2-lite-v1:0"
GPT_OSS, LLAMA = "openai.gpt-oss-120b-1:0", "us.meta.llama4-scout-17b-instruct-v1:0"
MODELS = [CLAUDE, NEW_CLAUDE, NOVA, NOVA_2, GPT_OSS, LLAMA]
OTHERS = [
    module
    for module in (plugin.module("dialects", name) for name in plugin.names("dialects"))
    if getattr(module, "operation", None) == "chat" and module is not dialect
]


def features(owner, kind):
    path = HERE / owner.name / "fixtures" / "features" / f"{kind}.json"
    groups = json.loads(path.read_bytes()) if path.exists() else {}
    return [
        pytest.param(owner, body, id=f"{owner.name}-{name}") for rows in groups.values() for name, body in rows.items()
    ]


def fixtures(owner):
    found = sorted((HERE / owner.name / "fixtures" / "requests").glob("*.json"))
    return [pytest.param(owner, json.loads(path.read_bytes()), id=f"{owner.name}-{path.stem}") for path in found]


DATA = (chat.Image, chat.Document, chat.Video, chat.Audio)
REQUESTS = [case for owner in OTHERS for case in features(owner, "requests") + fixtures(owner)]
OWN_REQUESTS = features(dialect, "requests") + fixtures(dialect)


def said(parts):
    """The texts, calls and results of a turn; data by its kind."""
    found = []
    for part in parts:
        match part:
            case chat.Text(text=text) | chat.Refusal(text=text):
                if text.strip():
                    found.append(text.strip())
            case chat.ToolCall():
                found.append(("call", part.name, json.loads(part.arguments or "{}")))
            case chat.ToolResult():
                found.append(("result", *said(part.parts)))
            case chat.Image() | chat.Document() | chat.Video() | chat.Audio():
                found.append(next(kind for kind in DATA if isinstance(part, kind)))
    return found


def turns(request):
    """All that is said in the conversation, apart from who is told it as a system prompt and where."""
    system, rest = [], []
    for message in request.messages:
        (system if message.role in ("system", "developer") else rest).extend(said(message.parts))
    return system, rest


def cross(owner, body, model):
    """The request at Bedrock, and what was lost on the way."""
    fields, lost = {"stream": False, **body}, []
    request = owner.read_request(fields)
    request.model = model
    return request, json.loads(crossed(dialect, request, lost)), lost


@pytest.mark.parametrize("model", MODELS)
@together(("owner", "body"), REQUESTS)
def test_a_request_is_carried_named_as_lost_or_refused(owner, body, model):
    try:
        request, written, lost = cross(owner, body, model)
    except InvalidRequest as error:
        assert error.param  # noqa: PT017
        assert error.message  # noqa: PT017
        return
    assert all(loss.path and loss.why for loss in lost)
    operation = service().operation_model("Converse")
    report = ParamValidator().validate({"modelId": model, **written}, operation.input_shape)
    problems = [line for line in report.generate_report().splitlines() if "blob" not in line and "pattern" not in line]
    assert not problems
    back = dialect.read_request({**written, "model": model, "stream": False})
    before, after = turns(request), turns(back)
    assert [text for text in after[1] if isinstance(text, tuple)] == [
        one for one in before[1] if isinstance(one, tuple)
    ]
    assert [text for text in after[1] if not isinstance(text, tuple)] == [
        one for one in before[1] if not isinstance(one, tuple)
    ]
    assert after[0] == before[0]
    assert [tool.name for tool in back.tools] == [
        tool.name
        for tool in request.tools
        if request.tool_choice is None
        or (request.tool_choice.kind != "none" and request.tool_choice.kind != "allowed")
        or tool.name in request.tool_choice.names
    ]
    for field in ("max_tokens", "temperature", "top_p", "top_k"):
        if getattr(request, field) is not None and not any(loss.path == field for loss in lost):
            assert getattr(back, field) == getattr(request, field), field


@pytest.mark.parametrize("owner", OTHERS, ids=lambda owner: owner.name)
@together(("own", "body"), OWN_REQUESTS)
def test_a_request_from_here_is_carried_named_as_lost_or_refused_elsewhere(owner, own, body):
    request, lost = own.read_request(body), []
    try:
        written = json.loads(crossed(owner, request, lost))
    except Unsupported as error:
        assert error.param  # noqa: PT017
        return
    back = owner.read_request({"model": "m", "stream": False, **written})
    assert turns(back)[0] == turns(request)[0]
    calls = [one for one in turns(request)[1] if isinstance(one, tuple) and one[0] == "call"]
    assert [one for one in turns(back)[1] if isinstance(one, tuple) and one[0] == "call"] == calls


def openai(**more):
    return chat.ChatRequest(
        dialect="openai_chat", model=more.pop("model", CLAUDE), messages=more.pop("messages", [user("Hi")]), **more
    )


def user(*parts):
    return chat.Message(role="user", parts=[chat.Text(text=part) if isinstance(part, str) else part for part in parts])


def assistant(*parts):
    return chat.Message(role="assistant", parts=list(parts))


def written(request):
    lost = []
    return json.loads(dialect.write_request(request, lost)), [loss.path for loss in lost]


def nova(effort):
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}


EFFORTS = [
    (CLAUDE, {"effort": "low"}, {}, {"thinking": {"type": "enabled", "budget_tokens": 2048}}, []),
    (NEW_CLAUDE, {"effort": "xhigh"}, {}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, []),
    (NOVA, {"effort": "low"}, {}, None, ["reasoning_effort"]),
    (NOVA, {"effort": "none"}, {}, None, []),
    (NOVA_2, {"effort": "low"}, {}, nova("low"), []),
    (NOVA_2, {"mode": "disabled"}, {}, {"reasoningConfig": {"type": "disabled"}}, []),
    (NOVA_2, {"budget": 20000}, {}, nova("high"), ["thinking.budget_tokens"]),
    (NOVA_2, {"effort": "high"}, {"temperature": 0.1}, nova("high"), ["temperature"]),
    (NOVA_2, {"effort": "high"}, {"max_tokens": 9}, nova("medium"), ["reasoning_effort"]),
    (GPT_OSS, {"effort": "medium"}, {}, {"reasoning_effort": "medium"}, []),
    (GPT_OSS, {"effort": "xhigh"}, {}, {"reasoning_effort": "high"}, ["reasoning_effort"]),
    ("us.openai.gpt-5.2", {"effort": "xhigh"}, {}, {"reasoning": {"effort": "xhigh"}}, []),
    ("moonshot.kimi-k2-thinking", {"effort": "low"}, {}, {"reasoning_effort": "low"}, []),
    (LLAMA, {"effort": "low"}, {}, None, ["reasoning_effort"]),
]  # fmt: skip


@together(("model", "reasoning", "more", "additional", "lost"), EFFORTS)
def test_an_effort_is_said_in_the_familys_words(model, reasoning, more, additional, lost):
    body, named = written(openai(model=model, reasoning=chat.Reasoning(**reasoning), **more))
    assert body.get("additionalModelRequestFields") == additional
    assert named == lost


@pytest.mark.parametrize(
    ("model", "additional"),
    [
        (CLAUDE, {"top_k": 5}),
        (NOVA, {"inferenceConfig": {"topK": 5}}),
        ("cohere.command-r-v1:0", {"k": 5}),
        (LLAMA, {"top_k": 5}),
    ],
)
def test_top_k_is_said_in_the_familys_words(model, additional):
    assert written(openai(model=model, top_k=5))[0]["additionalModelRequestFields"] == additional


@together(
    ("model", "family"),
    [
        (CLAUDE, "claude"),
        ("anthropic.claude-v2:1", "claude"),
        ("global.anthropic.claude-opus-4-6-v1", "claude"),
        ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", "claude"),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2", "claude"),
        ("arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-pro-v1:0", "nova"),
        ("arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123", "other"),
        (GPT_OSS, "gpt-oss"),
        ("mistral.mistral-large-2402-v1:0", "other"),
        ("", "other"),
    ],
)
def test_the_family_of_a_model(model, family):
    assert family_of(model) == family


def call(arguments, **more):
    return chat.ToolCall(id="a", name="f", arguments=arguments, **more)


REFUSED = [
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"native": {"modalities": ["text", "audio"]}}, "modalities"),
    ({"native": {"web_search_options": {"x": 1}}}, "web_search_options"),
    ({"messages": []}, "messages"),
    ({"messages": [user(chat.Image(source=chat.Link("https://example.com/a.png")))]}, "messages[0].content[0]"),
    ({"messages": [user(chat.Image(source=chat.Stored("file-1")))]}, "messages[0].content[0]"),
    ({"messages": [user(chat.Image(source=chat.Bytes("AA==", "image/bmp")))]}, "messages[0].content[0]"),
    ({"messages": [user(chat.Document(source=chat.Bytes("AA==", "image/png")))]}, "messages[0].content[0]"),
    ({"messages": [user(chat.Audio(source=chat.Bytes("AA=="), format="tape"))]}, "messages[0].content[0]"),
    ({"messages": [user(chat.NativePart(dialect="x", value={"type": "y"}))]}, "messages[0].content[0]"),
    ({"messages": [user("x"), assistant(call("{}"))]}, "tools"),
    ({"messages": [user("x"), assistant(call("["))]}, "messages[1].tool_calls[0].function.arguments"),
    ({"messages": [user("x"), assistant(call("x", custom=True))]}, "messages[1].tool_calls[0]"),
    ({"tools": [chat.Tool(name="x", builtin={"type": "web_search"})]}, "tools[0]"),
    ({"tool_choice": chat.ToolChoice(kind="required")}, "tool_choice"),
    (
        {
            "messages": [user("x"), assistant(call("{}"))],
            "tools": [chat.Tool(name="f")],
            "tool_choice": chat.ToolChoice(kind="none"),
        },
        "tool_choice",
    ),
]  # fmt: skip


@together(("change", "param"), REFUSED)
def test_what_cannot_be_left_out_is_refused(change, param):
    with pytest.raises(Unsupported) as caught:
        dialect.write_request(openai(**change), [])
    assert caught.value.param == param


def test_documents_get_names_of_their_own():
    pdf = chat.Bytes("JVBERi0=", "application/pdf")
    parts = [
        chat.Document(source=pdf, title="re_port.pdf"),
        chat.Document(source=pdf, title="re port pdf"),
        chat.Document(source=chat.PlainText("x")),
        chat.Document(source=chat.PlainText("y")),
    ]
    body, lost = written(openai(messages=[user(*parts, "What?")]))
    names = [block["document"]["name"] for block in body["messages"][0]["content"][:4]]
    assert names == ["re port pdf", "re port pdf (2)", "document", "document (2)"]
    assert lost == ["messages[0].content[0].title"]


def test_cache_marks_become_cache_points_where_there_is_a_cache():
    mark = chat.CacheMark("1h")
    messages = [user(chat.Text(text="Long.", cache=mark), "Short.")]
    tools = [chat.Tool(name="f", cache=chat.CacheMark())]
    body, lost = written(openai(messages=messages, tools=tools))
    assert body["messages"][0]["content"][1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert body["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}
    assert lost == []
    body, lost = written(openai(model=NOVA, messages=messages, tools=tools))
    assert body["messages"][0]["content"][1] == {"cachePoint": {"type": "default"}}
    assert lost == ["messages[0].content[0].cache_control.ttl", "tools[0].cache_control"]
    body, lost = written(openai(model=LLAMA, messages=messages))
    assert len(body["messages"][0]["content"]) == 2
    assert lost == ["messages[0].content[0].cache_control"]


@pytest.mark.parametrize(
    ("signer", "model", "kept"),
    [
        ("anthropic_messages", CLAUDE, True),
        ("bedrock_converse", CLAUDE, True),
        ("gemini_generate", CLAUDE, False),
        ("anthropic_messages", NOVA_2, False),
    ],
)
def test_claude_takes_its_own_thinking_back_wherever_it_thought(signer, model, kept):
    thinking = chat.Thinking(text="Hm.", signature="c2ln", signer=signer)
    hidden = chat.Thinking(redacted="cmVk", signer=signer)
    request = openai(model=model, messages=[user("x"), assistant(thinking, hidden, chat.Text(text="y")), user("z")])
    body, lost = written(request)
    assert len(body["messages"][1]["content"]) == (3 if kept else 1)
    assert lost == ([] if kept else ["messages[1].reasoning_content"] * 2)


def test_the_stop_sequence_that_was_met_is_asked_for():
    assert written(openai(stop=["END"]))[0]["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    streamed = written(openai(stop=["END"], stream=True))[0]
    assert streamed["additionalModelResponseFieldPaths"] == ["/delta/stop_sequence"]
    assert "additionalModelResponseFieldPaths" not in written(openai(model=NOVA, stop=["END"]))[0]


@pytest.mark.parametrize(
    ("tier", "said", "lost"),
    [
        ("auto", None, []),
        ("default", "default", []),
        ("standard_only", "default", []),
        ("flex", "flex", []),
        ("scale", None, ["service_tier"]),
    ],
)
def test_service_tiers(tier, said, lost):
    body, named = written(openai(service_tier=tier))
    assert body.get("serviceTier") == ({"type": said} if said else None)
    assert named == lost


# --- replies


def told(events):
    """What a reply says in the words all dialects have, of the first choice."""
    text, thinking, calls, usage, stop = "", "", {}, None, None
    for event in events:
        if event.choice:
            continue
        match event:
            case ev.Text() | ev.Refusal():
                text += event.text
            case ev.Thinking():
                thinking += event.text
            case ev.ToolCall():
                calls[event.block] = [event.name, ""]
            case ev.ToolInput():
                calls[event.block][1] += event.json
            case ev.Used():
                usage = (event.usage.prompt, event.usage.completion, event.usage.cache_read)
            case ev.Stop():
                stop = event.reason
    return {
        "text": text,
        "thinking": thinking,
        "calls": [(name, arguments(given)) for name, given in calls.values()],
        "usage": usage if usage and any(usage) else None,
        "stop": stop,
    }


def arguments(text):
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


REPLIES = [case for owner in OTHERS for case in features(owner, "replies")]
LIKE = {"pause": "stop", "stop_sequence": "stop", "context": "length"}
"""What some APIs have fewer words for."""


def check(events, before, stream):
    lost = []
    writer = dialect.writer(stream, {}, lost)
    data = writer.feed(events) + writer.end()
    parse(data, stream)
    after = told(read(data, stream))
    if any("input" in loss.path for loss in lost):
        before = {**before, "calls": after["calls"]}
    if {before["stop"], after["stop"]} & {"refusal", "tool_use", "pause"}:
        before = {**before, "stop": after["stop"]}
    assert after == before, (stream, lost)


@together(("owner", "body"), REPLIES)
def test_a_reply_crosses_from_elsewhere(owner, body):
    reader = owner.reader(False)
    try:
        events = reader.feed(json.dumps(body).encode()) + reader.end()
    except ProviderError:
        return  # an error in place of a reply
    for stream in (True, False):
        check(events, told(events), stream)


def named(lost, what):
    return any(what in loss.path for loss in lost)


@together("owner", OTHERS)
@together("stream", [True, False])
@together("path", [*WHOLE, *STREAMS])
def test_a_reply_crosses_from_here(owner, path, stream):
    events = read(framed(path), True) if path.parent.name == "streams" else read(path.read_bytes(), False)
    if isinstance(events[-1], ev.Failed) or events[-1].reason == "cut":
        return
    lost = []
    writer = owner.writer(stream, {"model": "m", "stream": stream, "stream_options": {"include_usage": True}}, lost)
    data = writer.feed(events) + writer.end()
    reader = owner.reader(stream)
    after, before = told(reader.feed(data) + reader.end()), told(events)
    assert after["text"] == before["text"]
    assert after["calls"] == before["calls"] or named(lost, "tool_calls")
    assert after["usage"] == before["usage"] or lost or before["usage"] is None
    if named(lost, "tool_calls"):
        return  # nor can it be said that there are calls
    wanted = LIKE.get(before["stop"], before["stop"])
    assert LIKE.get(after["stop"], after["stop"]) in ({wanted, "stop"} if wanted == "refusal" else {wanted})


@pytest.mark.parametrize("owner", OTHERS, ids=lambda owner: owner.name)
def test_a_stream_that_fails_here_fails_everywhere(owner):
    [error] = [event.error for event in read(framed(FIXTURES / "streams" / "error_in_stream.json"), True)[2:]]
    assert isinstance(error, ProviderError)
    assert b"Too many tokens" in owner.write_error(error, "req", streaming=True)
    assert owner.read_error(429, owner.write_error(error, "req", streaming=False)).status == 429


@pytest.mark.parametrize("thinking", ["Hm.", None])
@pytest.mark.parametrize("stream", [True, False])
def test_geminis_proof_of_a_call_goes_back_to_gemini(stream, thinking):
    """Out in the reasoning before the call, the one field for proofs there is, back in the next request."""
    thoughts = [{"text": thinking, "thought": True}] if thinking else []
    call = {"functionCall": {"id": "c1", "name": "f", "args": {}}, "thoughtSignature": "gAAAA"}
    candidate = {"content": {"role": "model", "parts": [*thoughts, call]}, "finishReason": "STOP"}
    reader, lost = gemini_generate.reader(False), []
    events = reader.feed(json.dumps({"candidates": [candidate]}).encode()) + reader.end()
    writer = dialect.writer(stream, {}, lost)
    data = writer.feed(events) + writer.end()
    content = blocks(data) if stream else json.loads(data)["output"]["message"]["content"]
    result = {"toolResult": {"toolUseId": "c1", "content": [{"text": "Sunny."}]}}
    turns = [("user", [{"text": "x"}]), ("assistant", content), ("user", [result])]
    fields = {
        "model": "gemini-3-flash",
        "messages": [{"role": role, "content": said} for role, said in turns],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]},
    }
    body = json.loads(crossed(gemini_generate, dialect.read_request(fields), lost))
    assert body["contents"][1]["parts"] == [*thoughts, call]


def blocks(data):
    """The content of a stream, as boto3's clients put it together."""
    found = {}
    for frame in parse(data, True):
        if "contentBlockStart" in frame:
            start = frame["contentBlockStart"]
            found[start["contentBlockIndex"]] = {"toolUse": {**start["start"]["toolUse"], "input": {}}}
        elif "contentBlockDelta" in frame:
            delta = frame["contentBlockDelta"]
            thought = delta["delta"].get("reasoningContent")
            if thought:
                empty = {"reasoningContent": {"reasoningText": {"text": "", "signature": ""}}}
                text = found.setdefault(delta["contentBlockIndex"], empty)["reasoningContent"]["reasoningText"]
                text |= {key: text[key] + value for key, value in thought.items()}
    return [found[index] for index in sorted(found)]
