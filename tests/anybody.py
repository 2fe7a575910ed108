"""A provider that is whoever it is asked as: it answers in the dialect a path belongs to, whole or as a stream.

Conversations are answered from `walks.vendors`, everything else with the vendors' documented replies that stand among
the dialects' fixtures.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from headgate.core import plugin
from headgate.providers.provider import Provider
from upstreams import reply
from walks.vendors import AMAZON_STREAM, Said, body_of, error_body, events_of

FIXTURES = Path(__file__).parent / "dialects"
SHAPES = {
    "openai_chat": "openai",
    "anthropic_messages": "anthropic",
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "gemini_generate": "gemini",
    "ollama_chat": "ollama",
}
"""Whose replies `walks.vendors` has for a dialect of chats."""
STREAM_TYPES = {"bedrock": AMAZON_STREAM, "ollama": "application/x-ndjson"}
ELSEWHERE = {
    r"/text/chat(_stream)?$": "openai_chat",  # watsonx.ai
    r"/v1/chat$": "openai_chat",  # Writer
    r":(streamR|r)awPredict$": "anthropic_messages",  # Vertex AI
    r"/count-tokens:rawPredict$": "anthropic_count_tokens",
    r"/stable-image/generate/\w+$": "stability",
    r"/text-to-speech/[^/]+(/stream)?$": "elevenlabs_speech",
}
"""Addresses of hosts that put a dialect elsewhere than its vendor does; the last that fits counts."""
SPOKEN = b"ID3\x04\x00 sound of a voice"
TRANSCRIPT = "Mont Blanc."
PAINTED = "data:image/png;base64,iVBORw0KGgo="
BRIEF = {
    "anthropic_count_tokens": {"input_tokens": 14},
    "bedrock_count_tokens": {"inputTokens": 14},
    "gemini_count_tokens": {"totalTokens": 14},
    "assemblyai": {"id": "t-1", "status": "completed", "text": TRANSCRIPT, "audio_duration": 3},
    "deepgram_listen": {
        "metadata": {"request_id": "d-1", "duration": 3.0, "channels": 1},
        "results": {"channels": [{"alternatives": [{"transcript": TRANSCRIPT, "confidence": 0.9, "words": []}]}]},
    },
    "elevenlabs_transcripts": {"language_code": "en", "language_probability": 1, "text": TRANSCRIPT, "words": []},
    "bfl": {"polling_url": "http://127.0.0.1:9/v1/get_result?id=1", "status": "Ready", "result": {"sample": PAINTED}},
    "replicate": {"id": "r-1", "status": "succeeded", "output": [PAINTED]},
    "stability": {"image": "iVBORw0KGgo=", "finish_reason": "SUCCESS"},
    "openai_audio": {"text": TRANSCRIPT, "usage": {"type": "duration", "seconds": 3}},
}
"""Replies too short for a file."""
FAILURE = "Rate limit reached for this model"
TOKENS = (("Hi", -0.25), ("!", -0.5))
CHOICES = ("Hello!", "Good day!")


@dataclass(frozen=True)
class Answer:
    """`status` None: this reply is not at hand."""

    status: int | None
    kind: str = "application/json"
    body: bytes = b""

    @property
    def script(self):
        return reply(self.body, status=self.status or 500, content_type=self.kind)


def answer(path, body, said):
    """What the provider whose name begins the path says. `said` is a Said, or one of "failure", "choices", "logprobs"
    and "opaque"."""
    provider = _kinds()[path.split("/")[1].partition("__")[0]]
    if said == "opaque":
        return Answer(200, "text/plain", b"as it came")
    if path.endswith("/v2/upload"):  # AssemblyAI's first step
        return Answer(200, body=b'{"upload_url":"https://cdn.example/upload/1"}')
    dialect = dialect_at(path.partition("?")[0], provider.dialects)
    if dialect is None:
        return Answer(None)
    if dialect.operation == "chat":
        return _chat(dialect.name, path, json.loads(body), said)
    if dialect.name in BRIEF:
        return Answer(200, body=json.dumps(BRIEF[dialect.name]).encode())
    if dialect.operation == "speech":
        return Answer(200, "audio/mpeg", SPOKEN)
    return _documented(dialect.name)


@cache
def _kinds():
    return plugin.every("providers", Provider)


def dialect_at(path, dialects):
    """The one of these dialects that a path belongs to."""
    elsewhere = [name for pattern, name in ELSEWHERE.items() if re.search(pattern, path)]
    if elsewhere:
        return next(dialect for dialect in dialects if dialect.name == elsewhere[-1])
    places = [(place, dialect) for dialect in dialects for place in (dialect.upstream_path, *dialect.paths)]
    fitting = [(len(place), dialect) for place, dialect in places if re.search(_pattern(place), path)]
    return max(fitting, key=lambda found: found[0], default=(0, None))[1]


@cache
def _pattern(template):
    return re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)) + "$"


@cache
def _documented(name):
    for path in sorted((FIXTURES / name / "fixtures" / "whole").glob("*.json")):
        found = json.loads(path.read_bytes())
        return Answer(200, body=json.dumps(found.get("reply", found)).encode())
    return Answer(None)


def _chat(name, path, fields, said):
    shape = SHAPES.get(name)
    if shape is None:
        return Answer(None)
    if said == "failure":
        return Answer(429, body=json.dumps(error_body(shape, 429, FAILURE)).encode())
    verb = path.partition("?")[0].rpartition("/")[2].lower()
    streamed = "stream" in verb or fields.get("stream", shape == "ollama")
    if isinstance(said, str):
        return Answer(200, body=json.dumps(MORE[said](shape)).encode())
    if streamed:
        return Answer(200, STREAM_TYPES.get(shape, "text/event-stream"), b"".join(events_of(shape, said)))
    return Answer(200, body=json.dumps(body_of(shape, said)).encode())


def _choices(shape):
    """Two answers to one question, where an API has that."""
    first, second = (body_of(shape, Said(text=text)) for text in CHOICES)
    for name in ("choices", "candidates"):
        if name in first:
            first[name].append({**second[name][0], "index": 1})
    return first


def _logprobs(shape):
    """An answer with the probability of each token, as each API that has them says it."""
    body = body_of(shape, Said(text="Hi!"))
    listed = [
        {"token": token, "logprob": value, "bytes": list(token.encode()), "top_logprobs": []} for token, value in TOKENS
    ]
    if shape == "openai":
        body["choices"][0]["logprobs"] = {"content": listed, "refusal": None}
    elif shape == "gemini":
        chosen = [{"token": token, "tokenId": 1, "logProbability": value} for token, value in TOKENS]
        top = [{"candidates": [one]} for one in chosen]
        body["candidates"][0]["logprobsResult"] = {"chosenCandidates": chosen, "topCandidates": top}
    elif shape == "ollama":
        body["logprobs"] = listed
    elif shape == "cohere":
        body["logprobs"] = [{"text": token, "token_ids": [1], "logprobs": [value]} for token, value in TOKENS]
    return body


MORE = {"choices": _choices, "logprobs": _logprobs}
