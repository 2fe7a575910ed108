"""What the tests of `gemini_generate` share: its fixtures, reading and writing in one go, and what replies mean."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from google.genai import types

from headgate.core import events as ev
from headgate.dialects import gemini_generate as dialect
from together import together

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges"
REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))
WHOLE = sorted((FIXTURES / "whole").glob("*.json"))
STREAMS = sorted((FIXTURES / "streams").glob("*.*"))
PAIRS = [(path, other) for path in WHOLE for other in STREAMS if other.stem == path.stem]
FAILS = {"error_in_stream", "error_first", "bare_error", "error_in_array"}
BEYOND_SDK = {"unknown_part", "new_reason"}
needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")
_SNAKE = re.compile(r"_([a-z0-9])")
FREE = {"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels"}
"""Objects whose keys are the client's own."""
LISTS = {"parts", "contents", "tools", "functionDeclarations", "stopSequences", "allowedFunctionNames"}


def named(paths):
    return together("path", paths)


def asked(path):
    """What the client asked for, as its URL tells."""
    return {} if path.suffix == ".array" else {"alt": "sse"}


def read_request(fields):
    return dialect.read_request({**fields, "model": "gemini-2.5-flash", "stream": False})


def meant(value, key=""):
    """What a request means: in Google's own names, without nulls, empty lists and the defaults said aloud."""
    if isinstance(value, list):
        return [meant(item, key) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict) or key in FREE:
        return value
    fields = {_SNAKE.sub(lambda found: found[1].upper(), name): item for name, item in value.items()}
    fields = {name: meant(item, name) for name, item in fields.items() if item is not None}
    for name in LISTS & fields.keys():
        if not isinstance(fields[name], list):
            fields[name] = [fields[name]]
    if fields.get("thought") is False:
        del fields["thought"]
    if key in ("functionCall", "function_call"):
        fields.setdefault("args", {})
    if "data" in fields and "mimeType" in fields:
        fields["data"] = fields["data"].translate(str.maketrans("-_", "+/"))
    if isinstance(fields.get("maxOutputTokens"), str):
        fields["maxOutputTokens"] = int(fields["maxOutputTokens"])
    return {name: item for name, item in fields.items() if item not in ([], {}) or name == "args"}


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
    writer = dialect.writer(stream, {"alt": "sse"} if request is None else request, lost)
    return b"".join([*(writer.feed([event]) for event in events), writer.end()]), lost


def gist(events):
    """Events with their pieces joined, so that only what is said counts, not how it was cut or numbered."""
    said, rest = [], {}
    for event in events:
        last = said[-1] if said else [None]
        match event:
            case ev.Text(text=text, logprobs=logprobs):
                if last[:2] != ["text", event.choice]:
                    last = ["text", event.choice, "", []]
                    said.append(last)
                last[2] += text
                last[3] += logprobs or []
            case ev.Thinking():
                think(event, said)
            case ev.ToolCall():
                said.append(["call", event.choice, event.id, event.name, event.signature])
            case ev.ToolInput(json=text):
                said.append(["input", event.choice, json.loads(text)])
            case ev.Used(usage=usage):
                rest["usage"] = usage
            case ev.Citation(value=value):
                rest.setdefault("citations", []).append(value)
            case ev.Failed(error=error):
                rest["failed"] = (error.status, error.message, error.kind)
            case _:
                value = msgspec.to_builtins(event)
                said.append([type(event).__name__, {key: value[key] for key in value if key != "block"}])
    return [entry for entry in said if entry[0] != "text" or entry[2] or entry[3]], rest


def think(event, said):
    if event.text:
        if not said or said[-1][:2] != ["thinking", event.choice]:
            said.append(["thinking", event.choice, ""])
        said[-1][2] += event.text
    if event.signature:
        said.append(["proof", event.choice, event.signature, event.signer])


def parse(written, stream):
    """What the vendor's SDK makes of it."""
    pieces = (
        [json.loads(written)] if not stream else [json.loads(frame[6:]) for frame in written.split(b"\r\n\r\n")[:-1]]
    )
    return [types.GenerateContentResponse._from_response(response=piece, kwargs={}) for piece in pieces]
