"""What the tests of `ollama_chat` share: its fixtures, reading and writing in one go, and what replies mean."""

import json
from pathlib import Path

import pytest
from ollama import ChatResponse, GenerateResponse

from headgate.core import events as ev
from headgate.dialects import ollama_chat
from headgate.dialects.ollama_chat import generate
from together import together

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges"
OWN = {ollama_chat: "", generate: "generate_"}
SDK = {ollama_chat: ChatResponse, generate: GenerateResponse}
FAILS = {"error_in_stream", "error_first", "error_of_the_cloud"}
needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")


def cases(folder, only=lambda path: True):
    """(dialect, file) of both dialects' fixtures of this kind."""
    found = [
        (own, path)
        for own, prefix in OWN.items()
        for path in sorted((FIXTURES / f"{prefix}{folder}").glob("*"))
        if only(path)
    ]
    return together(("own", "path"), found)


def recorded(own):
    """The recorded exchanges of one of the dialects."""
    found = [json.loads(path.read_bytes()) for path in sorted((RECORDED / "ollama").glob("*.json"))]
    return [exchange for exchange in found if exchange["api"] == own.name]


def reply_of(exchange):
    """The bytes of a recorded reply, and whether it is a stream."""
    reply = exchange["response"]
    if "ndjson" not in reply:
        return json.dumps(reply["body"]).encode(), False
    data = reply["ndjson"]
    if not isinstance(data, str):
        data = "".join(json.dumps(line) + "\n" for line in data)
    return data.encode(), True


def meant(value):
    """What a request means: without nulls and the defaults said aloud."""
    if isinstance(value, list):
        return [meant(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {key: meant(item) for key, item in value.items() if item is not None}
    said = {"stream": True, "tools": [], "options": {}, "format": "", "images": [], "tool_calls": [], "stop": []}
    return {key: item for key, item in fields.items() if key not in said or item != said[key]}


def read(own, data, stream, sizes=None):
    reader = own.reader(stream)
    found = []
    for piece in pieces(data, sizes):
        found += reader.feed(piece)
    return found + reader.end()


def pieces(data, sizes):
    if sizes is None:
        return [data]
    cuts = sorted({min(size, len(data)) for size in sizes})
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def write(own, events, stream):
    lost = []
    writer = own.writer(stream, {}, lost)
    return b"".join([*(writer.feed([event]) for event in events), writer.end()]), lost


def gist(events):
    """Events with the pieces of one block joined, so that only what is said counts, not how it was cut."""
    blocks, rest = {}, []
    for event in events:
        block = blocks.setdefault(event.block, {}) if isinstance(event, PIECES) else {}
        match event:
            case ev.Text():
                block["text"] = block.get("text", "") + event.text
                block.setdefault("scores", []).extend(event.logprobs or [])
            case ev.Thinking():
                block["thinking"] = block.get("thinking", "") + event.text
            case ev.ToolCall():
                block["call"] = (event.id, event.name)
            case ev.ToolInput():
                block["input"] = block.get("input", "") + event.json
            case ev.Native():
                block[event.name] = event.value
            case ev.Failed(error=error):
                rest.append((error.status, error.message, error.kind))
            case _:
                rest.append(event)
    for block in blocks.values():
        if "input" in block:
            block["input"] = json.loads(block["input"])
    return blocks, rest


PIECES = (ev.Text, ev.Thinking, ev.ToolCall, ev.ToolInput, ev.Native)


def parse(own, written, stream):
    """What the vendor's SDK makes of it."""
    if not stream:
        return [SDK[own].model_validate_json(written)]
    assert written.endswith(b"\n")
    return [SDK[own].model_validate_json(line) for line in written.splitlines()]
