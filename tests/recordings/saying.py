"""What a reply says, read from the vendor's own JSON: text, tool calls, why it stopped, and how many tokens it took.

These readings share nothing with the gateway's, so that a mistake there does not hide here.
"""

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from recordings.comparing import message_of

UNFINISHED = "cut off in the middle"
STOP, LENGTH, TOOLS, FILTER = "stop", "length", "tools", "filter"
FINISHES = {
    "openai_chat": {"length": LENGTH, "tool_calls": TOOLS, "function_call": TOOLS, "content_filter": FILTER},
    "openai_responses": {"max_output_tokens": LENGTH, "content_filter": FILTER},
    "anthropic_messages": {
        "max_tokens": LENGTH,
        "model_context_window_exceeded": LENGTH,
        "tool_use": TOOLS,
        "refusal": FILTER,
    },
    "gemini_generate": {
        "MAX_TOKENS": LENGTH,
        **dict.fromkeys(("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"), FILTER),
    },
    "bedrock_converse": {
        "max_tokens": LENGTH,
        "model_context_window_exceeded": LENGTH,
        "tool_use": TOOLS,
        "guardrail_intervened": FILTER,
        "content_filtered": FILTER,
    },
    "cohere_chat": {"MAX_TOKENS": LENGTH, "TOOL_CALL": TOOLS, "ERROR_TOXIC": FILTER},
    "ollama_chat": {"length": LENGTH},
}
"""The words for an end that is not simply the end."""


@dataclass
class Said:
    """A reply in no vendor's words. `calls` are (id, name, arguments), the id None where the API has none."""

    text: str = ""
    calls: list[tuple[str | None, str, Any]] = field(default_factory=list)
    finish: str | None = None
    prompt: int = 0
    completion: int = 0
    complete: bool = True
    """It came to an end of its own."""
    error: str | None = None
    """What an error in its middle says."""

    def ends(self, dialect, word, refused=False):
        """Most APIs say that it calls a tool, some let it be seen from the calls."""
        self.complete = word is not None
        self.finish = FINISHES[dialect].get(word, STOP)
        if refused:
            self.finish = FILTER
        elif self.calls and self.finish == STOP:
            self.finish = TOOLS
        return self


def said(dialect, reply):
    """What a whole reply says, or a stream as the list of its events."""
    events = reply if isinstance(reply, list) else [reply]
    for event in events:
        if is_error(event):
            return Said(error=message_of(event) or message_of(event.get("delta")) or "", complete=False)
    return READINGS[dialect](events)


def is_error(event):
    """Whether an event of any API is an error, and no piece of a reply."""
    if event.get("type") in ("error", "response.failed") or event.get("error"):
        return True
    delta = event.get("delta")
    ended = event.get("finish_reason") or (isinstance(delta, dict) and delta.get("finish_reason"))
    return ended == "ERROR" or any(name.endswith("Exception") for name in event)


def recorded(dialect, found):
    """What a recorded reply says."""
    response = found["response"]
    if "sse" in response:
        return said(dialect, events_of(response["sse"]))
    if "ndjson" in response:
        return said(dialect, [json.loads(line) for line in response["ndjson"].splitlines() if line.strip()])
    if "events_decoded" in response:
        return said(dialect, [{event["event"]: event["data"]} for event in response["events_decoded"]])
    return said(dialect, response["body"])


def events_of(sse):
    """The `data` of each event, until the last."""
    found = []
    for frame in sse.replace("\r\n", "\n").split("\n\n"):
        data = "\n".join(line[5:].removeprefix(" ") for line in frame.split("\n") if line.startswith("data:"))
        if data.strip() == "[DONE]":
            break
        if data or frame.startswith("{"):  # an error may come without any framing
            found.append(json.loads(data or frame))
    return found


def arguments(text):
    """The arguments of a call that stand in a string."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return UNFINISHED


def number(value):
    return int(value or 0)


def openai_chat(events):
    """https://platform.openai.com/docs/api-reference/chat"""
    found, calls, finish, usage, refused = Said(), {}, None, {}, False
    for event in events:
        usage = event.get("usage") or (event.get("x_groq") or {}).get("usage") or usage
        for choice in event.get("choices") or ():
            if choice.get("index"):
                continue
            finish = choice.get("finish_reason") or finish
            # Perplexity sends both: of a whole reply the message, of a piece the delta says what is new
            whole = "message" in choice and len(events) == 1
            message = choice.get("message" if whole else "delta") or {}
            found.text += texts(message.get("content")) + (message.get("refusal") or "")
            refused = refused or bool(message.get("refusal"))
            for place, part in enumerate(message.get("tool_calls") or ()):
                custom = part.get("custom")
                if custom and not part.get("function"):  # a tool that takes any text
                    part = {**part, "function": {"name": custom["name"], "arguments": custom["input"]}}
                add_call(calls, part.get("index") or place, part)
            if message.get("function_call"):  # the older way, in which calls have no id
                add_call(calls, 0, {"function": message["function_call"]})
    named = [call for call in calls.values() if call["name"]]
    found.calls = [(call["id"] or None, call["name"], arguments(call["arguments"])) for call in named]
    found.prompt, found.completion = openai_counts(usage)
    return found.ends("openai_chat", finish, refused)


def add_call(calls, place, part):
    """A call, or a piece of one. Hosts that send calls whole may give all of them the same place."""
    function = part.get("function") or {}
    before = calls.get(place)
    if before and part.get("id") and before["id"] and part["id"] != before["id"] and function.get("name"):
        place = max(calls) + 1
    call = calls.setdefault(place, {"id": None, "name": "", "arguments": ""})
    call["id"] = call["id"] or part.get("id")
    call["name"] = call["name"] or function.get("name") or ""
    given = function.get("arguments")
    call["arguments"] += given if isinstance(given, str) else json.dumps(given) if given else ""


def texts(content):
    """Text, the texts of a list of parts (Mistral's, with its thinking beside them), or Cloudflare's JSON as JSON."""
    if isinstance(content, dict):
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if part.get("type") == "text")
    return content or ""


def openai_counts(usage):
    """Input and output; what is only in the total is the reasoning of hosts that do not count it as output."""
    prompt, completion = number(usage.get("prompt_tokens")), number(usage.get("completion_tokens"))
    beyond = number(usage.get("total_tokens")) - prompt - completion
    ins, outs = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    if beyond <= 0 and "market_cost" in usage:  # Vercel's gateway charges reasoning on top, and has it in no total
        completion += number(outs.get("reasoning_tokens"))
    if beyond > 0 and prompt:
        if beyond == number(outs.get("reasoning_tokens")) or not (ins or outs):
            completion += beyond
        elif beyond == number(ins.get("audio_tokens")):
            prompt += beyond
    return prompt, completion


def openai_responses(events):
    """https://platform.openai.com/docs/api-reference/responses"""
    found, refused = Said(), False
    response = events[-1].get("response", events[-1])
    items = response.get("output") or []
    if "type" in events[0]:  # a stream: what its pieces say
        items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        kinds = ("response.output_text.delta", "response.refusal.delta")
        found.text = "".join(event["delta"] for event in events if event["type"] in kinds)
    for item in items:
        if item["type"] == "message":
            parts = item.get("content") or []
            refused = refused or any(part["type"] == "refusal" for part in parts)
            if "type" not in events[0]:
                found.text += "".join(part.get("text") or part.get("refusal") or "" for part in parts)
        elif item["type"] == "function_call":
            found.calls.append((item["call_id"], item["name"], arguments(item["arguments"])))
        elif item["type"] == "custom_tool_call":
            given = arguments(item["input"])
            found.calls.append(
                (item["call_id"], item["name"], {"input": item["input"]} if given is UNFINISHED else given)
            )
    usage = response.get("usage") or {}
    found.prompt, found.completion = number(usage.get("input_tokens")), number(usage.get("output_tokens"))
    why = (response.get("incomplete_details") or {}).get("reason")
    return found.ends("openai_responses", why, refused)


def anthropic_messages(events):
    """https://docs.claude.com/en/api/messages"""
    blocks, usage, stop = {}, {}, None
    for event in events:
        match event["type"]:
            case "message":
                blocks = dict(enumerate(event["content"]))
                usage, stop = event["usage"], event["stop_reason"]
            case "message_start":
                usage |= event["message"].get("usage") or {}
            case "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "json": ""}
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                block["json"] += delta.get("partial_json") or ""
                block["text"] = (block.get("text") or "") + (delta.get("text") or "")
            case "message_delta":
                stop = event["delta"].get("stop_reason") or stop
                usage |= {key: value for key, value in (event.get("usage") or {}).items() if value is not None}
    found = Said()
    for block in blocks.values():
        if block["type"] == "text":
            found.text += block["text"]
        elif block["type"] == "tool_use":
            given = arguments(block["json"]) if block.get("json") else block["input"]
            found.calls.append((block["id"], block["name"], given))
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    found.prompt = sum(number(usage.get(name)) for name in names)
    found.completion = number(usage.get("output_tokens"))
    return found.ends("anthropic_messages", stop)


def gemini_generate(events):
    """https://ai.google.dev/api/generate-content"""
    found, finish, usage, refused = Said(), None, {}, False
    for event in events:
        usage = event.get("usageMetadata") or usage
        refused = refused or bool((event.get("promptFeedback") or {}).get("blockReason"))
        for candidate in event.get("candidates") or ():
            if candidate.get("index"):
                continue
            finish = candidate.get("finishReason") or finish
            for part in (candidate.get("content") or {}).get("parts") or ():
                if not part.get("thought"):
                    found.text += part.get("text") or ""
                if part.get("functionCall"):
                    take_call(found.calls, part["functionCall"])
    found.prompt = number(usage.get("promptTokenCount")) + number(usage.get("toolUsePromptTokenCount"))
    found.completion = number(usage.get("candidatesTokenCount")) + number(usage.get("thoughtsTokenCount"))
    return found.ends("gemini_generate", finish, refused)


def take_call(calls, call):
    """A call, or a piece of one: Vertex AI sends arguments by place and piece where it is asked to (`partialArgs`)."""
    if call.get("name"):
        calls.append((call.get("id"), call["name"], call.get("args") or {}))
    for piece in call.get("partialArgs") or ():
        here = calls[-1][2]
        path = [int(index) if index else name for name, index in PLACE.findall(piece["jsonPath"])]
        last = path[-1]
        for step, after in itertools.pairwise(path):
            here = descend(here, step, [] if isinstance(after, int) else {})
        value = next((piece[kind] for kind in ("stringValue", "numberValue", "boolValue") if kind in piece), None)
        if isinstance(value, str):
            value = descend(here, last, "") + value
        if isinstance(here, list):
            here[last:] = [value]
        else:
            here[last] = value


PLACE = re.compile(r"\.(\w+)|\[(\d+)\]")


def descend(here, step, empty):
    """What stands at a place, `empty` where nothing does yet."""
    if isinstance(here, dict):
        return here.setdefault(step, empty)
    if len(here) <= step:
        here.append(empty)
    return here[step]


def bedrock_converse(events):
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"""
    blocks, usage, stop = {}, {}, None
    for event in events:
        if "output" in event:
            blocks = dict(enumerate(event["output"]["message"]["content"]))
        stop = event.get("stopReason") or (event.get("messageStop") or {}).get("stopReason") or stop
        usage = event.get("usage") or (event.get("metadata") or {}).get("usage") or usage
        start, delta = event.get("contentBlockStart"), event.get("contentBlockDelta")
        if start:
            blocks[start["contentBlockIndex"]] = {key: {**value, "json": ""} for key, value in start["start"].items()}
        if delta:
            block = blocks.setdefault(delta["contentBlockIndex"], {})
            if "text" in delta["delta"]:
                block["text"] = block.get("text", "") + delta["delta"]["text"]
            if "toolUse" in delta["delta"]:
                block["toolUse"]["json"] += delta["delta"]["toolUse"]["input"]
    found = Said()
    for block in blocks.values():
        found.text += block.get("text") or ""
        found.text += "".join(part["text"] for part in (block.get("citationsContent") or {}).get("content") or ())
        if "toolUse" in block and block["toolUse"].get("type") != "server_tool_use":
            call = block["toolUse"]
            given = arguments(call["json"]) if "json" in call else call["input"]
            found.calls.append((call["toolUseId"], call["name"], given))
    names = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    found.prompt = sum(number(usage.get(name)) for name in names)
    found.completion = number(usage.get("outputTokens"))
    return found.ends("bedrock_converse", stop)


def cohere_chat(events):
    """https://docs.cohere.com/reference/chat, …/chat-stream"""
    found, calls, finish, usage = Said(), {}, None, {}
    for event in events:
        delta = event.get("delta") or {}
        message = event.get("message") or delta.get("message") or {}
        usage = event.get("usage") or delta.get("usage") or usage
        finish = event.get("finish_reason") or delta.get("finish_reason") or finish
        found.text += message.get("tool_plan") or ""
        content = message.get("content") or []
        for part in content if isinstance(content, list) else [content]:
            found.text += part.get("text") or ""
        given = message.get("tool_calls") or []
        for place, part in enumerate(given if isinstance(given, list) else [given]):
            add_call(calls, event.get("index", place), part)
    found.calls = [(call["id"], call["name"], arguments(call["arguments"])) for call in calls.values()]
    counts = usage.get("billed_units") or usage.get("tokens") or {}
    found.prompt, found.completion = number(counts.get("input_tokens")), number(counts.get("output_tokens"))
    return found.ends("cohere_chat", finish)


def ollama_chat(events):
    """https://docs.ollama.com/api/chat"""
    found, finish = Said(), None
    for event in events:
        message = event.get("message") or {}
        found.text += message.get("content") or ""
        for call in message.get("tool_calls") or ():
            found.calls.append((call.get("id"), call["function"]["name"], call["function"].get("arguments") or {}))
        finish = event.get("done_reason") or finish
        found.prompt = number(event.get("prompt_eval_count")) or found.prompt
        found.completion = number(event.get("eval_count")) or found.completion
    return found.ends("ollama_chat", finish)


READINGS = {
    reading.__name__: reading
    for reading in (
        openai_chat,
        openai_responses,
        anthropic_messages,
        gemini_generate,
        bedrock_converse,
        cohere_chat,
        ollama_chat,
    )
}
