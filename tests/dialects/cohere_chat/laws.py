"""What the tests of `cohere_chat` share: its fixtures, reading and writing in one go, and what replies mean."""

import json
from pathlib import Path

import msgspec
import pytest
from cohere.core.unchecked_base_model import construct_type
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse

from headgate.core import events as ev
from headgate.dialects import cohere_chat as dialect
from together import together

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges"
REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))
WHOLE = sorted((FIXTURES / "whole").glob("*.json"))
STREAMS = sorted((FIXTURES / "streams").glob("*.sse"))
PAIRS = [path for path in WHOLE if (FIXTURES / "streams" / f"{path.stem}.sse").exists()]
FAILS = {"error_at_the_end", "error_first"}
BEYOND_SDK = {"unknown_events", "unknown_content", "unknown_fields"}
needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")


def named(paths):
    return together("path", paths)


def recorded(stream=None):
    """The recorded exchanges of v2 chat."""
    found = [json.loads(path.read_bytes()) for path in sorted((RECORDED / "cohere").glob("*.json"))]
    return [exchange for exchange in found if exchange["api"] == "chat_v2" and stream in (None, exchange["stream"])]


def meant(value):
    """What a request means: without nulls and the defaults said aloud."""
    if isinstance(value, list):
        return [meant(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {key: meant(item) for key, item in value.items() if item is not None}
    said = {"stream": False, "tools": [], "documents": [], "stop_sequences": []}
    return {key: item for key, item in fields.items() if key not in said or item != said[key]}


def read(data, stream, sizes=None):
    reader = dialect.reader(stream)
    found = []
    for piece in pieces(data, sizes):
        found += reader.feed(piece)
    return found + reader.end()


def pieces(data, sizes):
    if sizes is None:
        return [data]
    cuts = sorted({min(size, len(data)) for size in sizes})
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def write(events, stream):
    lost = []
    writer = dialect.writer(stream, {}, lost)
    return b"".join([*(writer.feed([event]) for event in events), writer.end()]), lost


def gist(events):
    """Events with the pieces of one block joined, so that only what is said counts, not how it was cut or ordered."""
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
            case ev.Citation():
                block.setdefault("citations", []).append(event.value)
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


PIECES = (ev.Text, ev.Thinking, ev.ToolCall, ev.ToolInput, ev.Citation, ev.Native)


def parse(written, stream):
    """What the vendor's SDK makes of it; every frame is named as its event is."""
    if not stream:
        return [construct_type(type_=V2ChatResponse, object_=json.loads(written))]
    frames = written.split(b"\n\n")
    assert frames.pop() == b""
    assert frames.pop() == b"data: [DONE]"
    parsed = []
    for frame in frames:
        head, data = frame.split(b"\n")
        value = msgspec.json.decode(data.removeprefix(b"data: "))
        assert head == b"event: " + value["type"].encode()
        parsed.append(construct_type(type_=V2ChatStreamResponse, object_=value))
        assert parsed[-1].type == value["type"]
    return parsed
