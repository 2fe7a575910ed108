"""Requests of other dialects are said in the Gemini API, and what it cannot say is named or refused."""

import json

import pytest
from google.genai import types

from headgate.core import events as ev
from headgate.core.chat import ChatRequest, Document, Message, PlainText, Text, Video
from headgate.core.chat import Link as Address
from headgate.core.errors import Unsupported
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects import gemini_generate as dialect
from together import together

HI = [{"role": "user", "content": "Hi"}]
SIG = "EqQBCgIYAhIM1gbc"
FUNCTION = {
    "name": "weather",
    "description": "It.",
    "parameters": {"type": "object", "properties": {"c": {"const": 1}}},
}
TOOLS = [{"type": "function", "function": FUNCTION}]


def crossed(fields, model="gemini-2.5-flash", own=openai_chat):
    """What is written, and the paths that are lost."""
    lost = []
    request = own.read_request({"messages": HI, "max_tokens": 9, **fields, "model": model})
    written = json.loads(dialect.write_request(request, lost))
    dialect.read_request({**written, "model": "m"})
    for content in written["contents"]:
        types.Content.model_validate(content)
    return written, [loss.path for loss in lost]


def claude(fields, model="gemini-2.5-flash"):
    return crossed(fields, model, anthropic_messages)


def config(fields, model="gemini-2.5-flash", own=openai_chat):
    written, lost = crossed(fields, model, own)
    return {key: value for key, value in written["generationConfig"].items() if key != "maxOutputTokens"}, lost


def test_turns_are_merged_and_the_system_prompt_moves():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A"},
        {"role": "user", "content": "B"},
        {"role": "assistant", "content": "C"},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "D"},
    ]
    written, lost = crossed({"messages": messages})
    assert written["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}
    assert [(turn["role"], [part["text"] for part in turn["parts"]]) for turn in written["contents"]] == [
        ("user", ["A", "B"]),
        ("model", ["C"]),
        ("user", ["D"]),
    ]
    assert lost == ["messages[4].role"]


CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"c": 1}'}}


def turn(*calls):
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls]
    return [*HI, {"role": "assistant", "content": None, "tool_calls": list(calls)}, *results]


@pytest.mark.parametrize(("model", "checked"), [("gemini-3-pro-preview", True), ("gemini-2.5-pro", False)])
def test_calls_and_results_have_names_ids_and_what_stands_for_a_signature(model, checked):
    written, lost = crossed({"messages": turn(CALL, {**CALL, "id": "call_2"}), "tools": TOOLS}, model)
    _, asked, answered = written["contents"]
    assert [part["functionCall"]["id"] for part in asked["parts"]] == ["call_1", "call_2"]
    assert asked["parts"][0]["functionCall"]["args"] == {"c": 1}
    proofs = [part.get("thoughtSignature") for part in asked["parts"]]
    assert proofs == ["skip_thought_signature_validator" if checked else None, None]
    result = {"id": "call_1", "name": "weather", "response": {"output": "sunny"}}
    assert answered == {"role": "user", "parts": [{"functionResponse": result},
                                                  {"functionResponse": {**result, "id": "call_2"}}]}  # fmt: skip
    assert lost == []


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("own", [openai_chat, anthropic_messages], ids=lambda module: module.name)
def test_a_proof_goes_through_a_client_of_another_dialect_and_back(own, streamed):
    """A conversation with tools on Gemini 3, led by a client that knows nothing of Gemini."""
    said = [
        ev.Start(id="x", model="gemini-3-pro-preview"),
        ev.Thinking(text="Let me think."),
        ev.Text(block=1, text="One moment."),
        ev.ToolCall(block=2, id="c1", name="weather", signature=SIG, signer="gemini_generate"),
        ev.ToolInput(block=2, json='{"c":1}'),
        ev.ToolCall(block=3, id="c2", name="weather"),
        ev.ToolInput(block=3, json="{}"),
        ev.Stop(reason="tool_use", vendor="STOP"),
    ]
    history = answer_of(own, said, streamed)
    body = {"model": "gemini-3-pro-preview", "max_tokens": 9, "messages": [*HI, history, *results_of(own)]}
    lost = []
    written = json.loads(dialect.write_request(own.read_request(body), lost))
    [_, model, user] = written["contents"]
    calls = [part for part in model["parts"] if "functionCall" in part]
    assert [(part["functionCall"]["id"], part.get("thoughtSignature")) for part in calls] == [("c1", SIG), ("c2", None)]
    assert [part["functionResponse"]["name"] for part in user["parts"]] == ["weather", "weather"]
    assert own.foreign(json.dumps(body).replace(": ", ":").encode())
    kept = []
    elsewhere = own.write_request(own.read_request({**body, "model": "some-other-model"}), kept)
    assert SIG.encode() not in elsewhere
    assert kept


def answer_of(own, events, streamed):
    """The assistant's message as that client keeps it."""
    writer = own.writer(streamed, {}, [])
    reply = writer.feed(events) + writer.end()
    if own is anthropic_messages:
        if not streamed:
            return {"role": "assistant", "content": json.loads(reply)["content"]}
        return {"role": "assistant", "content": gathered(reply)}
    if not streamed:
        message = json.loads(reply)["choices"][0]["message"]
        return {key: message[key] for key in ("role", "content", "tool_calls", "reasoning_content")}
    chunks = [json.loads(line[6:]) for line in reply.split(b"\n\n") if line.startswith(b"data: {")]
    deltas = [delta for chunk in chunks for delta in chunk["choices"][0]["delta"].get("tool_calls", ())]
    calls = [delta for delta in deltas if "id" in delta]
    for delta in deltas:
        calls[delta["index"]]["function"]["arguments"] += delta["function"]["arguments"] if "id" not in delta else ""
    return {"role": "assistant", "content": None, "tool_calls": calls}


def gathered(reply):
    blocks, inputs = [], {}
    for line in reply.split(b"\n"):
        event = json.loads(line[6:]) if line.startswith(b"data: ") else {}
        if event.get("type") == "content_block_start":
            blocks.append(event["content_block"])
        elif event.get("type") == "content_block_delta":
            delta, block = event["delta"], blocks[event["index"]]
            for key in ("text", "thinking", "signature"):
                if key in delta:
                    block[key] += delta[key]
            inputs[event["index"]] = inputs.get(event["index"], "") + delta.get("partial_json", "")
    for index, text in inputs.items():
        if blocks[index]["type"] == "tool_use":
            blocks[index]["input"] = json.loads(text)
    return blocks


def results_of(own):
    if own is openai_chat:
        return [{"role": "tool", "tool_call_id": id, "content": "sunny"} for id in ("c1", "c2")]
    blocks = [{"type": "tool_result", "tool_use_id": id, "content": "sunny"} for id in ("c1", "c2")]
    return [{"role": "user", "content": blocks}]


def test_the_proof_of_a_text_goes_and_comes_too():
    events = [
        ev.Start(id="x", model="m"),
        ev.Text(text="Hi!"),
        ev.Thinking(block=1, signature=SIG, signer="gemini_generate"),
        ev.Stop(reason="stop", vendor="STOP"),
    ]
    writer = anthropic_messages.writer(False, {}, [])
    content = json.loads(writer.feed(events) + writer.end())["content"]
    written, _ = claude({"messages": [*HI, {"role": "assistant", "content": content}, *HI]})
    assert written["contents"][1]["parts"] == [{"text": "Hi!"}, {"text": "", "thoughtSignature": SIG}]
    writer = openai_chat.writer(False, {}, [])
    message = json.loads(writer.feed(events) + writer.end())["choices"][0]["message"]
    assert message["extra_content"] == {"google": {"thought_signature": SIG}}
    written, _ = crossed({"messages": [*HI, message, *HI]})
    assert written["contents"][1]["parts"] == [{"text": "Hi!"}, {"text": "", "thoughtSignature": SIG}]


def test_results_with_pictures_go_inside_where_the_model_takes_them():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    messages = [
        *HI,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "is_error": True,
                                      "content": [{"type": "text", "text": "no"}, image]}]},
    ]  # fmt: skip
    data = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    written, lost = claude({"messages": messages}, "gemini-3-flash-preview")
    [part] = written["contents"][2]["parts"]
    assert part["functionResponse"] == {"id": "c", "name": "f", "response": {"error": "no"}, "parts": [data]}
    assert lost == []
    written, lost = claude({"messages": messages})
    assert [next(iter(part)) for part in written["contents"][2]["parts"]] == ["functionResponse", "text", "inlineData"]
    assert lost == ["messages[2].content[0].content[1]"]


def test_data_and_addresses():
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "image_url", "image_url": {"url": "https://a.b/c.webp?d#e"}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
    ]
    written, lost = crossed({"messages": [{"role": "user", "content": parts}]})
    assert written["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        {"fileData": {"fileUri": "https://a.b/c.webp?d#e", "mimeType": "image/webp"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "AA=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}},
    ]
    assert lost == ["messages[0].content[3].title"]


def test_videos_of_clients_of_chat_completions_and_what_none_says_yet():
    parts = [Video(source=Address(url="https://a.b/c")), Document(source=PlainText(text="d")), Text(text="e")]
    request = ChatRequest(dialect="else", model="gemini-3-pro", messages=[Message(role="user", parts=parts)])
    written = json.loads(dialect.write_request(request, []))
    assert written["contents"][0]["parts"] == [
        {"fileData": {"fileUri": "https://a.b/c", "mimeType": "video/mp4"}},
        {"text": "d"},
        {"text": "e"},
    ]


@together(
    ("fields", "model", "wanted", "lost"),
    [
        ({"reasoning_effort": "low"}, "gemini-2.5-flash", {"includeThoughts": True, "thinkingBudget": 1024}, []),
        ({"reasoning_effort": "high"}, "gemini-2.5-pro", {"includeThoughts": True, "thinkingBudget": 24576}, []),
        ({"reasoning_effort": "none"}, "gemini-2.5-flash", {"thinkingBudget": 0}, []),
        ({"reasoning_effort": "none"}, "gemini-2.5-pro", {"thinkingBudget": 128}, ["reasoning_effort"]),
        ({"reasoning_effort": "medium"}, "gemini-3.1-pro-preview",
         {"includeThoughts": True, "thinkingLevel": "MEDIUM"}, []),
        ({"reasoning_effort": "medium"}, "gemini-3-pro-preview",
         {"includeThoughts": True, "thinkingLevel": "HIGH"}, ["reasoning_effort"]),
        ({"reasoning_effort": "minimal"}, "gemini-3-flash-preview",
         {"includeThoughts": True, "thinkingLevel": "MINIMAL"}, []),
        ({"reasoning_effort": "minimal"}, "gemini-3.8-flash",
         {"includeThoughts": True, "thinkingLevel": "LOW"}, ["reasoning_effort"]),
        ({"reasoning_effort": "none"}, "gemini-3-pro-preview", {"thinkingLevel": "LOW"}, ["reasoning_effort"]),
        ({"reasoning_effort": "xhigh"}, "gemini-flash-latest",
         {"includeThoughts": True, "thinkingLevel": "HIGH"}, ["reasoning_effort"]),
        ({"reasoning_effort": "high"}, "gemini-2.0-flash", None, ["reasoning_effort"]),
    ],
)  # fmt: skip
def test_an_effort_by_the_models_generation(fields, model, wanted, lost):
    found, named = config(fields, model)
    assert found.get("thinkingConfig") == wanted
    assert named == lost


@pytest.mark.parametrize(
    ("thinking", "model", "wanted", "lost"),
    [
        ({"type": "enabled", "budget_tokens": 4000}, "gemini-2.5-pro",
         {"includeThoughts": True, "thinkingBudget": 4000}, []),
        ({"type": "enabled", "budget_tokens": 31999}, "gemini-2.5-flash",
         {"includeThoughts": True, "thinkingBudget": 24576}, ["thinking.budget_tokens"]),
        ({"type": "enabled", "budget_tokens": 31999}, "gemini-3-pro-preview",
         {"includeThoughts": True, "thinkingLevel": "HIGH"}, ["thinking.budget_tokens"]),
        ({"type": "adaptive"}, "gemini-2.5-pro", {"includeThoughts": True, "thinkingBudget": -1}, []),
        ({"type": "adaptive"}, "gemini-3-pro-preview", {"includeThoughts": True}, []),
        ({"type": "disabled"}, "gemini-2.5-flash", {"thinkingBudget": 0}, []),
    ],
)  # fmt: skip
def test_a_budget_by_the_models_generation(thinking, model, wanted, lost):
    found, named = config({"max_tokens": 64000, "thinking": thinking}, model, anthropic_messages)
    assert found.get("thinkingConfig") == wanted
    assert named == lost


def test_structured_output_keeps_its_json_schema():
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^a"}}, "additionalProperties": False}
    form = {
        "type": "json_schema",
        "json_schema": {"name": "Out", "description": "D.", "schema": schema, "strict": True},
    }
    found, lost = config({"response_format": form})
    assert found == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"description": "D.", **schema},
    }
    assert lost == [f"response_format.json_schema.{key}" for key in ("schema", "name", "description")]
    assert config({"response_format": {"type": "json_object"}}) == ({"responseMimeType": "application/json"}, [])


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "weather"}}, {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
            {"type": "function", "function": {"name": "weather"}}]}},
         {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)  # fmt: skip
def test_tools_and_choices(choice, wanted):
    written, lost = crossed({"tools": TOOLS, "tool_choice": choice})
    declared = {"name": "weather", "description": "It.", "parametersJsonSchema": FUNCTION["parameters"]}
    assert written["tools"] == [{"functionDeclarations": [declared]}]
    assert written["toolConfig"] == {"functionCallingConfig": wanted}
    assert lost == []


def test_strict_tools_are_asked_for_strictly_where_that_is_known():
    strict = [{"type": "function", "function": {**FUNCTION, "strict": True}}]
    written, lost = crossed({"tools": strict})
    assert written["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert lost == []
    written, lost = crossed({"tools": strict}, "gemini-2.0-flash")
    assert "toolConfig" not in written
    assert lost == ["tools[0].strict"]


def test_sampling():
    fields = {
        "temperature": 1.5, "top_p": 0.5, "seed": 3, "n": 2, "stop": ["a"], "frequency_penalty": 0.5,
        "presence_penalty": 0.25, "logprobs": True, "top_logprobs": 3, "service_tier": "flex",
    }  # fmt: skip
    found, lost = config(fields)
    assert found == {
        "temperature": 1.5, "topP": 0.5, "seed": 3, "candidateCount": 2, "stopSequences": ["a"],
        "frequencyPenalty": 0.5, "presencePenalty": 0.25, "responseLogprobs": True, "logprobs": 3,
    }  # fmt: skip
    assert lost == []
    assert crossed(fields)[0]["serviceTier"] == "flex"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"user": "u"}, "user"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"tools": TOOLS, "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"service_tier": "scale"}, "service_tier"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"messages": [{"role": "user", "content": "x", "name": "n"}]}, "messages[0].name"),
    ],
)
def test_what_is_named_as_lost(fields, path):
    assert crossed(fields)[1] == [path]


@together(
    ("fields", "model", "param"),
    [
        ({"messages": [{"role": "system", "content": "x"}]}, "gemini-3-pro", "messages"),
        ({"stop": list("abcdef")}, "gemini-3-pro", "stop"),
        ({"modalities": ["text", "audio"]}, "gemini-3-pro", "modalities"),
        ({"web_search_options": {"a": 1}}, "gemini-3-pro", "web_search_options"),
        ({"tool_choice": "required"}, "gemini-3-pro", "tool_choice"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "gemini-3-pro", "tools[0]"),
        ({"messages": turn({**CALL, "function": {"name": "f", "arguments": "{oops"}})}, "gemini-3-pro",
         "messages[1].tool_calls"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}, "gemini-3-pro",
         "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}]}]}, "gemini-2.0-flash",
         "messages[0].content[0]"),
    ],
)  # fmt: skip
def test_what_is_refused(fields, model, param):
    with pytest.raises(Unsupported) as caught:
        crossed(fields, model)
    assert caught.value.param == param
