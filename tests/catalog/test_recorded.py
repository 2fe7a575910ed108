"""What recorded replies cost is what their vendors' own numbers come to, reckoned here in another way."""

import json
from collections import Counter
from decimal import Decimal

import msgspec

from headgate.catalog.cost import Tariff
from headgate.core.errors import GatewayError
from headgate.dialects import (
    anthropic_messages,
    bedrock_converse,
    cohere_chat,
    gemini_generate,
    ollama_chat,
    openai_chat,
    openai_completions,
    openai_responses,
)
from recordings.replies import RECORDED, needs_recordings, recorded_reply

PRICES = {"input": "3", "cache_read": "0.3", "cache_write": "3.75", "cache_write_1h": "6", "output": "15"}
DIALECTS = {
    "chat_completions": openai_chat,
    "completions": openai_completions,
    "responses": openai_responses,
    "messages": anthropic_messages,
    "generateContent": gemini_generate,
    "converse": bedrock_converse,
    "chat_v2": cohere_chat,
    "ollama_chat": ollama_chat,
}


def frames(exchange):
    """The JSON values of a reply, whole or a stream, as they were recorded."""
    reply = exchange["response"]
    if "events_decoded" in reply:
        return [event["data"] for event in reply["events_decoded"]]
    if "sse" in reply:
        lines = (line.partition(":")[2].strip() for line in reply["sse"].splitlines() if line.startswith("data:"))
        return [json.loads(line) for line in lines if line.startswith("{")]
    if "ndjson" in reply:
        text = reply["ndjson"]
        return [json.loads(line) for line in text.splitlines() if line.strip()] if isinstance(text, str) else text
    return [reply["body"]]


def usages_in(frames):
    """What each frame says was used, where its API says it, to the end of the first answer."""
    found = []
    for frame in frames:
        places = [frame, *(frame.get(name) for name in ("response", "message", "delta", "x_groq"))]
        known = [place for place in places if isinstance(place, dict)]
        found += [
            place[name] for place in known for name in ("usage", "usageMetadata") if isinstance(place.get(name), dict)
        ]
        if frame.get("type") in ("message_stop", "response.completed", "response.incomplete", "response.failed"):
            break
    return found


def of(counts, *path):
    for name in path:
        counts = counts.get(name) if isinstance(counts, dict) else None
    return counts if isinstance(counts, int | float) else 0


def as_openai(usages):
    """Totals with details in them; what the sum has beyond is a class on top (xAI's reasoning, Mistral's sound)."""
    last = usages[-1]
    prompt = of(last, "prompt_tokens") or of(last, "input_tokens")
    said = of(last, "completion_tokens") or of(last, "output_tokens")
    ins = last.get("prompt_tokens_details") or last.get("input_tokens_details")
    beyond = max(of(last, "total_tokens") - prompt - said, 0)
    if beyond and beyond == of(ins, "audio_tokens"):
        prompt += beyond
    else:
        said += beyond
    if "market_cost" in last:  # Vercel
        said += of(last, "completion_tokens_details", "reasoning_tokens")
    told = (of(last, name) for name in ("prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens"))
    read = min(max(of(ins, "cached_tokens"), *told), prompt)
    written = min(of(ins, "cache_write_tokens"), prompt - read)
    return prompt - read - written, read, written, 0, said


def as_claude(usages):
    last = {}
    for usage in usages:
        last |= {name: value for name, value in usage.items() if value is not None}
    hour = of(last, "cache_creation", "ephemeral_1h_input_tokens")
    written = of(last, "cache_creation_input_tokens") - hour
    return of(last, "input_tokens"), of(last, "cache_read_input_tokens"), written, hour, of(last, "output_tokens")


def as_gemini(usages):
    last = usages[-1]
    read = of(last, "cachedContentTokenCount")
    asked = of(last, "promptTokenCount") + of(last, "toolUsePromptTokenCount")
    return asked - read, read, 0, 0, of(last, "candidatesTokenCount") + of(last, "thoughtsTokenCount")


def as_bedrock(usages):
    last = usages[-1]
    return (
        of(last, "inputTokens"), of(last, "cacheReadInputTokens"), of(last, "cacheWriteInputTokens"), 0,
        of(last, "outputTokens"),
    )  # fmt: skip


def as_cohere(usages):
    billed = usages[-1].get("billed_units") or usages[-1].get("tokens") or {}
    return of(billed, "input_tokens"), 0, 0, 0, of(billed, "output_tokens")


def classes(exchange):
    """Tokens as they are paid; None where the reply does not say them."""
    said = frames(exchange)
    if exchange["api"] == "ollama_chat":
        last = said[-1]
        return (of(last, "prompt_eval_count"), 0, 0, 0, of(last, "eval_count")) if "eval_count" in last else None
    usages = usages_in(said)
    if not usages:
        return None
    readers = {"messages": as_claude, "generateContent": as_gemini, "converse": as_bedrock, "chat_v2": as_cohere}
    return readers.get(exchange["api"], as_openai)(usages)


def paid(exchange, given):
    """What the record would have: nanodollars; None where the reply is none, or does not say what was used."""
    relay = DIALECTS[exchange["api"]].relay(given[1], {"model": "m", "stream": given[1]})
    try:
        relay.feed(given[0])
    except GatewayError:
        return None
    if relay.usage is None or not relay.complete:
        return None
    tokens = msgspec.structs.replace(relay.usage, server_tools={}, units={})
    return Tariff(PRICES, None).bill(tokens).nano


@needs_recordings
def test_it_costs_what_the_vendors_numbers_come_to():
    seen, wrong = Counter(), []
    for path in sorted(RECORDED.glob("*/*.json")):
        exchange = json.loads(path.read_bytes())
        if exchange["api"] not in DIALECTS or exchange["response"]["status"] != 200:
            continue
        given = recorded_reply(exchange)
        nano = paid(exchange, given) if given is not None else None
        if nano is None:
            continue
        counts = classes(exchange)
        seen[exchange["api"]] += 1
        due = sum(count * Decimal(price) for count, price in zip(counts or [0] * 5, PRICES.values(), strict=True))
        if nano != due * 1000:
            wrong.append((exchange["id"], nano, due * 1000, counts))
    assert not wrong, "\n".join(map(str, wrong[:40]))
    assert min(seen.values()) > 20, seen
    assert sum(seen.values()) > 2500
