"""Replies as the vendors document them, made from one neutral saying, whole or as a stream.

https://platform.openai.com/docs/api-reference/chat/object, …/chat-streaming, …/responses, …/responses-streaming,
https://docs.claude.com/en/api/messages, …/messages-streaming, https://docs.cohere.com/reference/chat,
https://docs.ollama.com/api/chat, https://ai.google.dev/api/generate-content
"""

import base64
import json
from dataclasses import dataclass

from headgate.dialects.event_stream import write_event
from upstreams import LAST_CHUNK, as_chunk, chunked_head, json_reply, sse_event, sse_reply

OPENAI_STOPS = {"stop": "stop", "stop_sequence": "stop", "length": "length", "tools": "tool_calls"}
ANTHROPIC_STOPS = {"stop": "end_turn", "stop_sequence": "stop_sequence", "length": "max_tokens", "tools": "tool_use"}
OPENAI_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 5,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
ANTHROPIC_USAGE = {
    "input_tokens": 30,
    "cache_creation_input_tokens": 10,
    "cache_read_input_tokens": 60,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
    "output_tokens": 20,
    "service_tier": "standard",
}
RECORDED_USAGE = {
    "openai": {"input": 40, "cache_read": 60, "output": 15, "reasoning": 5, "tier": "default"},
    "responses": {"input": 40, "cache_read": 60, "output": 15, "reasoning": 5},
    "anthropic": {
        "input": 30,
        "cache_read": 60,
        "cache_write": 4,
        "cache_write_1h": 6,
        "output": 20,
        "tier": "standard",
    },
}
"""The disjoint classes a record must hold for the usage above, and the tier that served it."""
MODELS = {
    "openai": "gpt-4o-mini-2024-07-18",
    "responses": "gpt-5.1-2025-11-13",
    "anthropic": "claude-sonnet-4-5-20250929",
    "ollama": "llama3.2",
    "gemini": "gemini-3-flash",
}
IDS = {
    "openai": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "responses": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "anthropic": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
    "cohere": "c14c80c3-18eb-4519-9460-6c92edd8cfb4",
    "gemini": "mAW7aJyzKomN7M8P1vT5uAc",
}


@dataclass(frozen=True)
class Said:
    """What a model answers. `calls` are (id, name, arguments as JSON text), `customs` (id, name, input) calls of tools
    that are no functions, which only OpenAI's Responses API has."""

    text: str | None = "Hello there! Grüße, 你好 🌍"
    thinking: str | None = None
    signature: str | None = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds="
    calls: tuple[tuple[str, str, str], ...] = ()
    customs: tuple[tuple[str, str, str], ...] = ()
    stop: str = "stop"
    sequence: str | None = None

    @property
    def functions(self):
        """All calls, where there are only functions."""
        return (*self.calls, *((id, name, json.dumps({"input": given})) for id, name, given in self.customs))


WEATHER = (
    ("toolu_01A09q90qw90lq917835lq9", "get_weather", '{"city": "Zürich", "unit": "c"}'),
    ("toolu_01B19q90qw90lq917835lq9", "get_time", '{"zone":"Europe/Zurich","n":1.0}'),
)


def pieces(text, size=4):
    return [text[start : start + size] for start in range(0, len(text), size)]


def openai_message(said):
    message = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
    if said.thinking:
        message["reasoning_content"] = said.thinking
    if said.functions:
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in said.functions
        ]
    return message


def openai_body(said, **more):
    return {
        "id": IDS["openai"],
        "object": "chat.completion",
        "created": 1741569952,
        "model": MODELS["openai"],
        "choices": [
            {"index": 0, "message": openai_message(said), "logprobs": None, "finish_reason": OPENAI_STOPS[said.stop]}
        ],
        "usage": OPENAI_USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_06737a9306",
        **more,
    }


def openai_chunk(delta=None, finish=None, *, usage=None, choices=None, index=0, **more):
    choice = {"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    return {
        "id": IDS["openai"],
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": MODELS["openai"],
        "service_tier": "default",
        "system_fingerprint": "fp_06737a9306",
        "choices": [choice] if choices is None else choices,
        "usage": usage,
        **more,
    }


def openai_chunks(said):
    """Its chunks, as sent when usage was asked for: null in each, and one of its own at the end."""
    chunks = [openai_chunk({"role": "assistant", "content": "" if said.text else None, "refusal": None})]
    chunks += [openai_chunk({"reasoning_content": piece}) for piece in pieces(said.thinking or "")]
    chunks += [openai_chunk({"content": piece}) for piece in pieces(said.text or "")]
    for place, (id, name, arguments) in enumerate(said.functions):
        function = {"name": name, "arguments": ""}
        call = {"index": place, "id": id, "type": "function", "function": function}
        chunks.append(openai_chunk({"tool_calls": [call]}))
        for piece in pieces(arguments):
            chunks.append(openai_chunk({"tool_calls": [{"index": place, "function": {"arguments": piece}}]}))
    chunks.append(openai_chunk({}, OPENAI_STOPS[said.stop]))
    chunks.append(openai_chunk(usage=OPENAI_USAGE, choices=[]))
    return chunks


def openai_events(said):
    return [*(sse_event(chunk) for chunk in openai_chunks(said)), sse_event("[DONE]")]


def anthropic_body(said, **more):
    content = []
    if said.thinking:
        content.append({"type": "thinking", "thinking": said.thinking, "signature": said.signature})
    if said.text is not None:
        content.append({"type": "text", "text": said.text})
    for id, name, arguments in said.functions:
        content.append({"type": "tool_use", "id": id, "name": name, "input": json.loads(arguments)})
    return {
        "id": IDS["anthropic"],
        "type": "message",
        "role": "assistant",
        "model": MODELS["anthropic"],
        "content": content,
        "stop_reason": ANTHROPIC_STOPS[said.stop],
        "stop_sequence": said.sequence,
        "usage": ANTHROPIC_USAGE,
        **more,
    }


def anthropic_event(kind, **fields):
    return sse_event({"type": kind, **fields}, kind)


def anthropic_block(index, block, *deltas):
    """One content block: its start, its deltas, its end."""
    return [
        anthropic_event("content_block_start", index=index, content_block=block),
        *(anthropic_event("content_block_delta", index=index, delta=delta) for delta in deltas),
        anthropic_event("content_block_stop", index=index),
    ]


def anthropic_start(**more):
    usage = {**ANTHROPIC_USAGE, "output_tokens": 1}
    message = {
        "id": IDS["anthropic"],
        "type": "message",
        "role": "assistant",
        "model": MODELS["anthropic"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
        **more,
    }
    return anthropic_event("message_start", message=message)


def anthropic_end(stop="stop", sequence=None, **more):
    delta = {"stop_reason": ANTHROPIC_STOPS.get(stop, stop), "stop_sequence": sequence, **more}
    return [
        anthropic_event("message_delta", delta=delta, usage={"output_tokens": 20}),
        anthropic_event("message_stop"),
    ]


def anthropic_events(said):
    blocks = []
    if said.thinking:
        blocks.append(
            (
                {"type": "thinking", "thinking": "", "signature": ""},
                *({"type": "thinking_delta", "thinking": piece} for piece in pieces(said.thinking)),
                {"type": "signature_delta", "signature": said.signature},
            )
        )
    if said.text is not None:
        blocks.append(
            (
                {"type": "text", "text": ""},
                *({"type": "text_delta", "text": piece} for piece in pieces(said.text)),
            )
        )
    for id, name, arguments in said.functions:
        blocks.append(
            (
                {"type": "tool_use", "id": id, "name": name, "input": {}},
                *({"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(arguments)]),
            )
        )
    events = [anthropic_start(), anthropic_event("ping")]
    for index, (block, *deltas) in enumerate(blocks):
        events += anthropic_block(index, block, *deltas)
    return events + anthropic_end(said.stop, said.sequence)


RESPONSES_USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}


def responses_items(said):
    items = []
    if said.thinking:
        summary = [{"type": "summary_text", "text": said.thinking}]
        items.append({"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": said.signature})
    if said.text is not None:
        part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        items.append(message)
    for place, (id, name, arguments) in enumerate(said.calls):
        call = {"id": f"fc_{place}", "type": "function_call", "status": "completed", "call_id": id, "name": name}
        items.append({**call, "arguments": arguments})
    for place, (id, name, given) in enumerate(said.customs):
        call = {"id": f"ctc_{place}", "type": "custom_tool_call", "status": "completed", "call_id": id, "name": name}
        items.append({**call, "input": given})
    return items


def responses_body(said, **more):
    cut = said.stop == "length"
    return {
        "id": IDS["responses"],
        "object": "response",
        "created_at": 1741569952,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": None,
        "max_output_tokens": None,
        "model": MODELS["responses"],
        "output": responses_items(said),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": RESPONSES_USAGE,
        "metadata": {},
        **more,
    }


def responses_item_events(place, item):
    """(type, fields) of one item: its begin, what is added to it, its end."""
    kind, where = item["type"], {"item_id": item["id"], "output_index": place}
    if kind == "message":
        [part] = item["content"]
        begun, at = {**item, "status": "in_progress", "content": []}, {**where, "content_index": 0}
        inner = [("response.content_part.added", {**at, "part": {**part, "text": ""}})]
        inner += [
            ("response.output_text.delta", {**at, "delta": piece, "logprobs": []}) for piece in pieces(part["text"])
        ]
        inner.append(("response.output_text.done", {**at, "text": part["text"], "logprobs": []}))
        inner.append(("response.content_part.done", {**at, "part": part}))
    elif kind == "reasoning":
        [part] = item["summary"]
        begun, at = {**item, "summary": [], "encrypted_content": None}, {**where, "summary_index": 0}
        inner = [("response.reasoning_summary_part.added", {**at, "part": {**part, "text": ""}})]
        inner += [("response.reasoning_summary_text.delta", {**at, "delta": piece}) for piece in pieces(part["text"])]
        inner.append(("response.reasoning_summary_text.done", {**at, "text": part["text"]}))
        inner.append(("response.reasoning_summary_part.done", {**at, "part": part}))
    else:
        field, word = ("arguments", "function_call_arguments")
        if kind == "custom_tool_call":
            field, word = ("input", "custom_tool_call_input")
        begun = {**item, "status": "in_progress", field: ""}
        inner = [(f"response.{word}.delta", {**where, "delta": piece}) for piece in pieces(item[field])]
        inner.append((f"response.{word}.done", {**where, field: item[field]}))
    return [
        ("response.output_item.added", {"output_index": place, "item": begun}),
        *inner,
        ("response.output_item.done", {"output_index": place, "item": item}),
    ]


def responses_events(said):
    whole = responses_body(said)
    begun = {**whole, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    events = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
    for place, item in enumerate(whole["output"]):
        events += responses_item_events(place, item)
    events.append((f"response.{whole['status']}", {"response": whole}))
    return [
        sse_event({"type": kind, "sequence_number": number, **fields}, kind)
        for number, (kind, fields) in enumerate(events)
    ]


COHERE_STOPS = {"stop": "COMPLETE", "stop_sequence": "STOP_SEQUENCE", "length": "MAX_TOKENS", "tools": "TOOL_CALL"}
COHERE_USAGE = {
    "billed_units": {"input_tokens": 100, "output_tokens": 20},
    "tokens": {"input_tokens": 1100, "output_tokens": 22, "reasoning_tokens": 5},
    "cached_tokens": 960,
}


def cohere_body(said):
    message = {"role": "assistant"}
    if said.functions and said.text:
        message["tool_plan"] = said.text
    content = [{"type": "thinking", "thinking": said.thinking}] if said.thinking else []
    if said.text and not said.functions:
        content.append({"type": "text", "text": said.text})
    if content:
        message["content"] = content
    if said.functions:
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in said.functions
        ]
    return {"id": IDS["cohere"], "message": message, "finish_reason": COHERE_STOPS[said.stop], "usage": COHERE_USAGE}


def cohere_event(kind, message=None, **fields):
    delta = {} if message is None else {"delta": {"message": message}}
    return sse_event({"type": kind, **fields, **delta}, kind)


def cohere_content(index, kind, text):
    """One piece of content: its start, its deltas, its end."""
    return [
        cohere_event("content-start", {"content": {"type": kind, kind: ""}}, index=index),
        *(cohere_event("content-delta", {"content": {kind: piece}}, index=index) for piece in pieces(text)),
        cohere_event("content-end", index=index),
    ]


def cohere_events(said):
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    events = [cohere_event("message-start", start, id=IDS["cohere"])]
    contents = [("thinking", said.thinking)] if said.thinking else []
    if said.text and said.functions:
        events += [cohere_event("tool-plan-delta", {"tool_plan": piece}) for piece in pieces(said.text)]
    elif said.text:
        contents.append(("text", said.text))
    for index, (kind, text) in enumerate(contents):
        events += cohere_content(index, kind, text)
    for index, (id, name, arguments) in enumerate(said.functions):
        call = {"id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        events.append(cohere_event("tool-call-start", {"tool_calls": call}, index=index))
        for piece in pieces(arguments):
            events.append(
                cohere_event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}}, index=index)
            )
        events.append(cohere_event("tool-call-end", index=index))
    delta = {"finish_reason": COHERE_STOPS[said.stop], "usage": COHERE_USAGE}
    events.append(sse_event({"type": "message-end", "delta": delta}, "message-end"))
    return [*events, sse_event("[DONE]")]


OLLAMA_COUNTS = {
    "total_duration": 5191566416,
    "load_duration": 2154458,
    "prompt_eval_count": 100,
    "prompt_eval_duration": 383809000,
    "eval_count": 20,
    "eval_duration": 4799921000,
}


def ollama_line(message=None, **more):
    message = {"role": "assistant", "content": "", **(message or {})}
    line = {"model": MODELS["ollama"], "created_at": "2025-03-10T02:19:12.123456Z", "message": message, "done": False}
    return line | more


def ollama_end(said):
    reason = "length" if said.stop == "length" else "stop"
    return {"done": True, "done_reason": reason, **OLLAMA_COUNTS}


def ollama_calls(said):
    return [
        {"id": id, "function": {"index": place, "name": name, "arguments": json.loads(arguments)}}
        for place, (id, name, arguments) in enumerate(said.functions)
    ]


def ollama_body(said):
    message = {"content": said.text or ""}
    if said.thinking:
        message["thinking"] = said.thinking
    if said.functions:
        message["tool_calls"] = ollama_calls(said)
    return ollama_line(message, **ollama_end(said))


def ollama_lines(said):
    lines = [ollama_line({"thinking": piece}) for piece in pieces(said.thinking or "")]
    lines += [ollama_line({"content": piece}) for piece in pieces(said.text or "")]
    lines += [ollama_line({"tool_calls": [call]}) for call in ollama_calls(said)]
    return [json.dumps(line).encode() + b"\n" for line in [*lines, ollama_line(**ollama_end(said))]]


BEDROCK_STOPS = {"stop": "end_turn", "stop_sequence": "stop_sequence", "length": "max_tokens", "tools": "tool_use"}
BEDROCK_USAGE = {
    "inputTokens": 30,
    "outputTokens": 20,
    "totalTokens": 120,
    "cacheReadInputTokens": 60,
    "cacheWriteInputTokens": 10,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 6}, {"ttl": "5m", "inputTokens": 4}],
}
AMAZON_STREAM = "application/vnd.amazon.eventstream"


def bedrock_body(said):
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"""
    content = []
    if said.thinking:
        thought = {"text": said.thinking, "signature": said.signature}
        content.append({"reasoningContent": {"reasoningText": thought}})
    if said.text:
        content.append({"text": said.text})
    for id, name, arguments in said.functions:
        content.append({"toolUse": {"toolUseId": id, "name": name, "input": json.loads(arguments)}})
    return {
        "metrics": {"latencyMs": 551},
        "output": {"message": {"content": content, "role": "assistant"}},
        "stopReason": BEDROCK_STOPS[said.stop],
        "usage": BEDROCK_USAGE,
    }


def bedrock_events(said):
    events, index = [("messageStart", {"role": "assistant"})], 0

    def block(deltas, start=None):
        nonlocal index
        if start is not None:
            events.append(("contentBlockStart", {"contentBlockIndex": index, "start": start}))
        events.extend(("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}) for delta in deltas)
        events.append(("contentBlockStop", {"contentBlockIndex": index}))
        index += 1

    if said.thinking:
        thoughts = [{"reasoningContent": {"text": piece}} for piece in pieces(said.thinking)]
        block([*thoughts, {"reasoningContent": {"signature": said.signature}}])
    if said.text:
        block([{"text": piece} for piece in pieces(said.text)])
    for id, name, arguments in said.functions:
        inputs = [{"toolUse": {"input": piece}} for piece in pieces(arguments)]
        block(inputs, {"toolUse": {"toolUseId": id, "name": name}})
    events.append(("messageStop", {"stopReason": BEDROCK_STOPS[said.stop]}))
    events.append(("metadata", {"usage": BEDROCK_USAGE, "metrics": {"latencyMs": 551}}))
    return [write_event(name, json.dumps({**data, "p": "abcdef"}).encode()) for name, data in events]


def invoked_events(said):
    """Anthropic's events as InvokeModelWithResponseStream carries them."""
    chunks = [event.split(b"data: ", 1)[1].strip() for event in anthropic_events(said) if b"data: " in event]
    return [
        write_event("chunk", json.dumps({"bytes": base64.b64encode(chunk).decode(), "p": "abc"}).encode())
        for chunk in chunks
    ]


def amazon_stream(events):
    """A script for a stream of Amazon's, each message in a write of its own."""
    return (chunked_head(content_type=AMAZON_STREAM), *map(as_chunk, events), LAST_CHUNK)


GEMINI_PROOF = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYd"
GEMINI_STOPS = {"stop": "STOP", "stop_sequence": "STOP", "length": "MAX_TOKENS", "tools": "STOP"}
GEMINI_USAGE = {
    "promptTokenCount": 100,
    "cachedContentTokenCount": 60,
    "candidatesTokenCount": 15,
    "thoughtsTokenCount": 5,
    "totalTokenCount": 120,
}


def gemini_parts(said, size=None):
    """The parts of an answer, texts cut into pieces of `size`, with a proof at the first call."""

    def cut(text):
        return pieces(text, size) if size and text else [text] if text else []

    parts = [{"text": piece, "thought": True} for piece in cut(said.thinking)]
    parts += [{"text": piece} for piece in cut(said.text)]
    calls = [
        {"functionCall": {"id": id, "name": name, "args": json.loads(arguments)}}
        for id, name, arguments in said.functions
    ]
    if calls:
        calls[0]["thoughtSignature"] = GEMINI_PROOF
    return parts + calls


def gemini_piece(parts, finish=None):
    end = {} if finish is None else {"finishReason": finish}
    return {
        "candidates": [{"content": {"parts": parts, "role": "model"}, **end, "index": 0}],
        "usageMetadata": GEMINI_USAGE,
        "modelVersion": MODELS["gemini"],
        "responseId": IDS["gemini"],
    }


def gemini_body(said):
    return gemini_piece(gemini_parts(said), GEMINI_STOPS[said.stop])


def gemini_pieces(said):
    """The objects of a stream; the last one says why it stopped."""
    *first, last = [[part] for part in gemini_parts(said, 4)]
    return [*map(gemini_piece, first), gemini_piece(last, GEMINI_STOPS[said.stop])]


def gemini_events(said):
    return [b"data: " + json.dumps(piece).encode() + b"\r\n\r\n" for piece in gemini_pieces(said)]


BODIES = {
    "openai": openai_body,
    "responses": responses_body,
    "anthropic": anthropic_body,
    "cohere": cohere_body,
    "ollama": ollama_body,
    "bedrock": bedrock_body,
    "gemini": gemini_body,
}
EVENTS = {
    "openai": openai_events,
    "responses": responses_events,
    "anthropic": anthropic_events,
    "cohere": cohere_events,
    "ollama": ollama_lines,
    "bedrock": bedrock_events,
    "gemini": gemini_events,
}


def body_of(vendor, said):
    return BODIES[vendor](said)


def events_of(vendor, said):
    return EVENTS[vendor](said)


def whole(vendor, said, headers=()):
    """An upstream's script for a reply in one piece."""
    return json_reply(body_of(vendor, said), headers=headers)


def stream(vendor, said):
    """An upstream's script for a stream, each event in a write of its own."""
    if vendor == "ollama":
        lines = (as_chunk(line) for line in ollama_lines(said))
        return (chunked_head(content_type="application/x-ndjson"), *lines, LAST_CHUNK)
    if vendor == "bedrock":
        return amazon_stream(bedrock_events(said))
    return sse_reply(events_of(vendor, said))


ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
OPENAI_ERRORS = {
    400: ("invalid_request_error", "unsupported_value", "messages[0].content"),
    401: ("invalid_request_error", "invalid_api_key", None),
    403: ("invalid_request_error", "unsupported_country_region_territory", None),
    404: ("invalid_request_error", "model_not_found", None),
    413: ("invalid_request_error", "request_too_large", None),
    429: ("requests", "rate_limit_exceeded", None),
    500: ("server_error", None, None),
    529: ("server_error", "overloaded", None),
}

GEMINI_STATUSES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def error_body(vendor, status, message):
    """See https://platform.openai.com/docs/guides/error-codes, https://docs.claude.com/en/api/errors and
    https://ai.google.dev/gemini-api/docs/troubleshooting."""
    if vendor == "gemini":
        return {"error": {"code": status, "message": message, "status": GEMINI_STATUSES[status]}}
    if vendor in ("openai", "responses"):
        kind, code, param = OPENAI_ERRORS[status]
        return {"error": {"message": message, "type": kind, "param": param, "code": code}}
    inner = {"type": ERROR_TYPES[status], "message": message}
    return {"type": "error", "error": inner, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}
