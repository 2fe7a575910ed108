"""Every way of asking for a chat, and a provider that answers in the words of each."""

import json
import re

from headgate.core.events import ToolCall, ToolInput
from headgate.dialects.dialect import dialects
from upstreams import LAST_CHUNK, as_chunk, chunked_head, reply

CHATS = [dialect for dialect in dialects() if dialect.operation == "chat" and dialect.paths]
WAYS = [  # one path for each way of asking
    (dialect, path, stream)
    for dialect in CHATS
    for stream in (False, True)
    for path in [next(p for p in dialect.paths if not dialect.in_url or ("stream" in p) == stream)]
]
PLAIN = {dialect.name: dialect for dialect in dialects()}


def place(path, model):
    """The path with what stands for placeholders."""
    if "{provider}" in path:
        return path.replace("{provider}", model.partition("/")[0]).replace("{path}", "v1/files")
    return re.sub(r"\{\w+\}", "p", path.replace("{model}", model))


def answering(events):
    """A script: says this in the dialect that it is asked in."""

    async def script(asked):
        dialect = PLAIN[asked.request.path.split("/")[1]]
        fields = json.loads(asked.request.body)
        stream = bool(fields.get("stream", getattr(dialect, "stream_default", False)))
        if dialect.in_url:
            stream = "stream" in asked.request.path.rpartition("/")[2]
        fields |= {"alt": "sse"} if "alt=sse" in asked.request.path else {}
        writer = dialect.writer(stream, fields, [])
        kind = dialect.content_type(stream, fields).decode()
        if not stream:
            await asked.send(reply(writer.feed(events) + writer.end(), content_type=kind))
            return
        await asked.send(chunked_head(content_type=kind))
        for event in events:
            piece = writer.feed([event])
            if piece:
                await asked.send(as_chunk(piece))
        rest = writer.end()
        await asked.send((as_chunk(rest) if rest else b"") + LAST_CHUNK)

    return script


def called(dialect, stream, body):
    """The calls of tools in an answer: names, and arguments as values."""
    reader, found = dialect.reader(stream), {}
    for each in [*reader.feed(body), *reader.end()]:
        if isinstance(each, ToolCall):
            found[each.block] = [each.name, ""]
        elif isinstance(each, ToolInput):
            found[each.block][1] += each.json
    return [(name, json.loads(arguments or "{}")) for name, arguments in found.values()]
