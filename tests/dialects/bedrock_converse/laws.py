"""What the tests of `bedrock_converse` share: its fixtures, reading and writing in one go, and what replies mean."""

import json
from functools import cache
from pathlib import Path

import botocore.session
import msgspec
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import EventStreamJSONParser, create_parser

from headgate.core import events as ev
from headgate.core.usage import Usage
from headgate.dialects import bedrock_converse as dialect
from headgate.dialects.event_stream import write_event, write_exception
from together import together

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges" / "bedrock"
REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))
WHOLE = sorted((FIXTURES / "whole").glob("*.json"))
STREAMS = sorted((FIXTURES / "streams").glob("*.json"))
PAIRS = [path for path in WHOLE if (FIXTURES / "streams" / path.name).exists()]
FAILS = {"error_in_stream", "error_first"}


def named(paths):
    return together("path", paths)


def framed(path):
    """The bytes of a stream whose events stand in a file."""
    return b"".join(messages_of(json.loads(path.read_bytes())))


def messages_of(events):
    for event in events:
        data = json.dumps(event["data"]).encode()
        yield write_event(event["event"], data) if "event" in event else write_exception(event["exception"], data)


def meant(value):
    """What a request means: without nulls, and with the schema's text read."""
    if isinstance(value, list):
        return [meant(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {key: meant(item) for key, item in value.items() if item is not None}
    if isinstance(fields.get("jsonSchema"), dict) and isinstance(fields["jsonSchema"].get("schema"), str):
        fields["jsonSchema"]["schema"] = json.loads(fields["jsonSchema"]["schema"])
    return fields


def asked(fields):
    """A request's body, without what the URL says and the empty forms of an absent field."""
    body = {key: value for key, value in meant(fields).items() if key not in ("model", "stream")}
    turns = body.get("messages")
    if turns and not body.get("system") and isinstance(turns[0], dict) and turns[0].get("role") == "system":
        body["system"], body["messages"] = turns[0]["content"], turns[1:]  # a first turn of the system is its prompt
    empty = (
        "system",
        "inferenceConfig",
        "requestMetadata",
        "additionalModelRequestFields",
        "toolConfig",
        "outputConfig",
    )
    return {key: value for key, value in body.items() if value or key not in empty}


def loose(value):
    """Without what says nothing: empty lists and objects, false, and the cut of a cited text."""
    if isinstance(value, list):
        return [loose(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {key: loose(item) for key, item in value.items()}
    return {key: item for key, item in fields.items() if item not in ([], {}, False, "")}


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


PIECES = (ev.Text, ev.Thinking, ev.ToolCall, ev.ToolInput, ev.Citation, ev.Native, ev.Image)


def gist(events):
    """Events with the pieces of one block joined, so that only what is said counts, not how it was cut."""
    blocks, rest = {}, []
    for event in events:
        match event:
            case ev.Used():
                rest = [item for item in rest if not isinstance(item, Usage)] + [event.usage]
            case ev.Failed(error=error):
                rest.append((error.status, error.message))
            case ev.Start():
                rest.append(ev.Start())
            case _ if isinstance(event, PIECES):
                add(event, blocks.setdefault(event.block, {}))
            case _:
                rest.append(event)
    for block in blocks.values():
        if "input" in block:
            try:
                block["input"] = json.loads(block["input"])
            except ValueError:
                block["input"] = ("broken", block["input"])
    return blocks, rest


def add(event, block):
    match event:
        case ev.Text(text=text):
            block["text"] = block.get("text", "") + text
        case ev.Thinking():
            block["thinking"] = block.get("thinking", "") + event.text
            block["signature"] = block.get("signature", "") + (event.signature or "")
            block["redacted"] = event.redacted
            block["signer"] = event.signer or block.get("signer", "")
        case ev.ToolCall():
            block["call"] = (event.id, event.name)
        case ev.ToolInput():
            block["input"] = block.get("input", "") + event.json
        case ev.Citation():
            block.setdefault("citations", []).append(event.value)
        case ev.Image():
            block["image"] = (event.base64, event.media_type)
        case ev.Native():
            block[event.name] = event.value


def without_metrics(found):
    blocks, rest = found
    for i, item in enumerate(rest):
        if isinstance(item, ev.Stop):
            native = {key: value for key, value in item.native.items() if key not in ("metrics", "$metadata")}
            rest[i] = msgspec.structs.replace(item, native=native)
        elif isinstance(item, Usage):
            rest[i] = msgspec.structs.replace(item, reported={})
    rest = [item for item in rest if item != Usage()]  # a reply must say its usage, also where nobody told it
    for block in blocks.values():
        if block.get("text") == "" and "citations" in block:
            del block["text"]
    return [block for block in blocks.values() if block not in ({"text": ""}, {})], rest


@cache
def service():
    return botocore.session.get_session().get_service_model("bedrock-runtime")


def parse(written, stream):
    """What boto3 makes of a reply."""
    operation = service().operation_model("ConverseStream" if stream else "Converse")
    if not stream:
        response = {"body": written, "headers": {}, "status_code": 200, "context": {}}
        return create_parser("rest-json").parse(response, operation.output_shape)
    buffer = EventStreamBuffer()
    buffer.add_data(written)
    parser = EventStreamJSONParser()
    shape = operation.output_shape.members["stream"]
    return [parser.parse(message.to_response_dict(), shape) for message in buffer]


@cache
def recorded(api="converse"):
    found = [json.loads(path.read_bytes()) for path in sorted(RECORDED.glob("*.json"))]
    return [exchange for exchange in found if exchange["api"] == api]


needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")
