"""What the tests of `openai_responses` share: its fixtures, reading and writing in one go, and what replies mean."""

import json
from pathlib import Path
from typing import Annotated, get_args

import msgspec
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import Field, TypeAdapter

from headgate.core import events as ev
from headgate.core.usage import Usage
from headgate.dialects import openai_responses as dialect
from together import together

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges"
REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))
WHOLE = sorted((FIXTURES / "whole").glob("*.json"))
STREAMS = sorted((FIXTURES / "streams").glob("*.sse"))
PAIRS = [path for path in WHOLE if (FIXTURES / "streams" / f"{path.stem}.sse").exists()]
# told apart by `type` as the SDK means it; pydantic alone would try each of fifty kinds
STREAM_EVENT = TypeAdapter(Annotated[get_args(ResponseStreamEvent)[0], Field(discriminator="type")])


def named(paths):
    return together("path", paths)


NOTHING = {"tools": [], "stream": False, "annotations": [], "content": [], "metadata": {}, "include": []}
"""Values that say what leaving the field out says."""


def meant(value):
    """What a request means: without nulls, what says nothing, and the `type` of a message."""
    if isinstance(value, list):
        return [meant(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {key: meant(item) for key, item in value.items() if item is not None}
    if "role" in fields and "content" in fields:
        fields.setdefault("type", "message")
    return {key: item for key, item in fields.items() if key not in NOTHING or item != NOTHING[key]}


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


def write(events, stream, request=None):
    lost = []
    writer = dialect.writer(stream, request or {}, lost)
    return b"".join([*(writer.feed([event]) for event in events), writer.end()]), lost


def gist(events):
    """Events with the pieces of one block joined, so that only what is said counts, not how it was cut."""
    blocks, rest = {}, []
    for event in events:
        block = blocks.setdefault(event.block, {})
        if isinstance(event, PIECES):
            join(block, event)
        elif isinstance(event, ev.Used):
            rest = [item for item in rest if not isinstance(item, Usage)] + [event.usage]
        elif isinstance(event, ev.Failed):
            rest.append((event.error.status, event.error.message))
        elif not (isinstance(event, ev.Native) and is_progress(event)):
            rest.append(event)
    if any(isinstance(item, Usage) and item.tier for item in rest):
        rest = [untiered(item) if isinstance(item, ev.Start) else item for item in rest]
    return [block for block in blocks.values() if block], rest


def untiered(start):
    """Without the tier that a stream's begin has, which the one that served the request goes before."""
    return msgspec.structs.replace(start, native={k: v for k, v in start.native.items() if k != "service_tier"})


PIECES = (ev.Text, ev.Refusal, ev.Thinking, ev.ToolCall, ev.ToolInput, ev.Citation, ev.Image)


def is_progress(event):
    """An event of a built-in tool's progress, which its finished item comes after."""
    return isinstance(event.value, dict) and str(event.value.get("type")).startswith("response.")


def join(block, event):
    match event:
        case ev.Text() | ev.Refusal():
            key = "text" if isinstance(event, ev.Text) else "refusal"
            block[key] = block.get(key, "") + event.text
            block["scores"] = block.get("scores", []) + (event.logprobs or [])
        case ev.Thinking():
            block["thinking"] = block.get("thinking", "") + event.text
            block["proof"] = block.get("proof", "") + (event.signature or event.redacted or "")
        case ev.ToolCall():
            block["call"] = (event.id, event.name, event.custom)
        case ev.ToolInput():
            block["input"] = block.get("input", "") + event.json
        case ev.Citation():
            block.setdefault("citations", []).append(event.value)
        case ev.Image():
            block["image"] = event.base64


def parse(written, stream):
    """As OpenAI's SDK parses it, strictly."""
    if not stream:
        return Response.model_validate_json(written)
    frames = written.split(b"\n\n")
    assert frames.pop() == b""
    parsed = []
    for number, frame in enumerate(frames):
        head, data = frame.split(b"\n")
        parsed.append(STREAM_EVENT.validate_json(data.removeprefix(b"data: ")))
        assert head == b"event: " + parsed[-1].type.encode()
        assert parsed[-1].sequence_number == number
    return parsed


def accumulated(written):
    """As the SDK's own accumulator puts a stream together."""
    from openai import omit
    from openai._models import construct_type_unchecked
    from openai.lib.streaming.responses._responses import ResponseStreamState

    state = ResponseStreamState(input_tools=omit, text_format=omit)
    for frame in written.split(b"\n\n")[:-1]:
        value = json.loads(frame.split(b"data: ", 1)[1])
        state.handle_event(construct_type_unchecked(type_=ResponseStreamEvent, value=value))
    return state
