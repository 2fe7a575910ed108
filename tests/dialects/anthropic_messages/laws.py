"""What the tests of `anthropic_messages` share: its fixtures, reading and writing in one go, and what replies mean."""

import json
from pathlib import Path

import msgspec
import pytest
from anthropic.types import Message as SdkMessage
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from headgate.core import events as ev
from headgate.core.usage import Usage
from headgate.dialects import anthropic_messages as dialect

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges"
REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))
WHOLE = sorted((FIXTURES / "whole").glob("*.json"))
STREAMS = sorted((FIXTURES / "streams").glob("*.sse"))
PAIRS = [path for path in WHOLE if (FIXTURES / "streams" / f"{path.stem}.sse").exists()]
STREAM_EVENT = TypeAdapter(RawMessageStreamEvent)
FAILS = {"error_in_stream", "error_first"}
BEYOND_SDK = {"unknown_block", "unknown_stop", "unknown_events", "server_tools"}


def named(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def meant(value):
    """What a request means: without nulls, empty lists and the defaults said aloud."""
    if isinstance(value, list):
        return [meant(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {key: meant(item) for key, item in value.items() if item is not None}
    if fields.get("type") == "custom" and "input_schema" in fields:
        del fields["type"]
    said = {"citations": [], "is_error": False, "stream": False, "tools": [], "stop_sequences": [], "metadata": {}}
    said["output_config"] = {}
    if fields.get("type") == "tool_result":
        said["content"] = []
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
    """Events with the pieces of one block joined, so that only what is said counts, not how it was cut."""
    blocks = {}
    rest = []
    for event in events:
        block = blocks.setdefault(event.block, {}) if isinstance(event, PIECES) else {}
        match event:
            case ev.Text(text=text):
                block["text"] = block.get("text", "") + text
            case ev.Thinking():
                block["thinking"] = block.get("thinking", "") + event.text
                block["signature"] = block.get("signature", "") + (event.signature or "")
                block["redacted"] = event.redacted
            case ev.ToolCall():
                block["call"] = (event.id, event.name)
            case ev.ToolInput():
                block["input"] = block.get("input", "") + event.json
            case ev.Citation():
                block.setdefault("citations", []).append(event.value)
            case ev.Native():
                block[event.name] = event.value
            case ev.Used():
                used = [item for item in rest if isinstance(item, Usage)]
                rest = [item for item in rest if item not in used] + [event.usage]
            case ev.Failed(error=error):
                rest.append((error.status, error.message))
            case _:
                rest.append(event)
    for block in blocks.values():
        if "input" in block:
            block["input"] = json.loads(block["input"])
    return blocks, rest


PIECES = (ev.Text, ev.Thinking, ev.ToolCall, ev.ToolInput, ev.Citation, ev.Native)


def less_reported(found):
    """Without the vendor's own usage object: a stream's is merged from two."""
    blocks, rest = found
    return blocks, [msgspec.structs.replace(item, reported={}) if isinstance(item, Usage) else item for item in rest]


def parse(written, stream):
    if not stream:
        return [SdkMessage.model_validate_json(written)]
    frames = written.split(b"\n\n")
    assert frames.pop() == b""
    parsed = []
    for frame in frames:
        head, data = frame.split(b"\n")
        assert data.startswith(b"data: ")
        parsed.append(STREAM_EVENT.validate_json(data[6:]))
        assert head == b"event: " + parsed[-1].type.encode()
    return parsed
