"""Calls pass byte for byte where nothing is wrong with them, and come to what is meant where something is."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.chat import ChatRequest, Message, Tool
from headgate.core.chat import Text as TextPart
from headgate.core.errors import GuardUnavailable
from headgate.core.events import Start, Stop, Text, ToolCall, ToolInput
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.stages.guard.calls import CallGate
from headgate.stages.guard.changing import Hashes
from headgate.stages.guard.framing import cutter
from headgate.stages.guard.judging import Judge
from headgate.stages.guard.policy import Policy
from headgate.stages.guards.tool_calls import ToolCalls, ToolCallsSettings
from ways import CHATS, called

TALKING = [each for each in CHATS if each.name not in ("openai_completions", "ollama_generate")]
BROKEN = [each for each in TALKING if each.name in ("openai_chat", "openai_responses", "anthropic_messages")]
"""Those in whose streams arguments are JSON as the model writes it."""
VALUES = st.dictionaries(st.sampled_from("abc"), st.text(max_size=4) | st.integers(0, 9) | st.lists(st.just("x")))


async def nothing():
    return b""


def gate(dialect, stream, *, closed=True):
    tools = [Tool(name=name, description="d", schema={"type": "object"}) for name in ("one", "two")]
    message = Message(role="user", parts=[TextPart(text="Hi")], plain=True)
    request = ChatRequest(dialect="", model="m", messages=[message], max_tokens=10, tools=tools)
    fields = json.loads(dialect.write_request(request, [])) | {"model": "m"}
    exchange = Exchange("r", dialect, "/", [], nothing, 0.0, Record(id="r", time=0.0), fields=fields, stream=stream)
    policy = Policy("p", ToolCalls(ToolCallsSettings()), "tool_calls", frozenset({"after"}), closed=closed)
    return CallGate(Judge(exchange, Hashes(b"x")), [policy]), fields


def saying(calls):
    events = [Start(id="r", model="m", created=1), Text(text="Let "), Text(text="me see")]
    for block, (name, arguments) in enumerate(calls, 1):
        events.append(ToolCall(id=f"call_{block}", name=name, block=block))
        events += [ToolInput(json=arguments[at : at + 3], block=block) for at in range(0, len(arguments), 3)]
    return [*events, Stop(reason="tool_use")]


async def given_to_client(dialect, calls, stream, together=1):
    """What comes, and what the client is given of it."""
    one, fields = gate(dialect, stream)
    writer = dialect.writer(stream, fields, [])
    reply = Reply(dialect, stream, b"")
    if not stream:
        body = writer.feed(saying(calls)) + writer.end()
        return body, await one.whole(body, reply)
    whole = writer.feed(saying(calls)) + writer.end()
    cut = cutter(dialect.content_type(True, fields))
    frames = [frame.raw for frame in (*cut(whole), *cut.rest())]
    frames = [b"".join(frames[at : at + together]) for at in range(0, len(frames), together)]

    async def coming():
        for place, frame in enumerate(frames, 1):
            reply.account.complete = place == len(frames)
            if frame or reply.account.complete:
                yield frame

    return b"".join(frames), b"".join([data async for data in one.through(coming(), reply)])


CALLS = st.lists(st.tuples(st.sampled_from(["one", "two"]), VALUES), max_size=3)


@given(calls=CALLS, dialect=st.sampled_from(TALKING), stream=st.booleans(), together=st.integers(1, 9))
def test_what_is_right_passes_byte_for_byte(calls, dialect, stream, together):
    said = [(name, json.dumps(value)) for name, value in calls]
    came, going = asyncio.run(given_to_client(dialect, said, stream, together))
    assert going == came


@given(calls=CALLS, dialect=st.sampled_from(BROKEN), together=st.integers(1, 9), data=st.data())
def test_what_is_nearly_right_comes_to_what_is_meant(calls, dialect, together, data):
    ways = [
        lambda text: text[:-1] if text[-2] in '"]' else text[:-1] + ",}",
        lambda text: f"```json\n{text}\n```",
        lambda text: text,
    ]
    said = [(name, data.draw(st.sampled_from(ways))(json.dumps(value))) for name, value in calls]
    _, going = asyncio.run(given_to_client(dialect, said, True, together))
    assert called(dialect, True, going) == calls
    assert b"Let " in going
    for began, ended in ((b"content_block_start", b"content_block_stop"), (b"output_item.added", b"output_item.done")):
        assert going.count(began) == going.count(ended)  # nothing ends twice


async def test_what_cannot_be_read_goes_on_only_where_the_policy_lets_it():
    dialect = next(each for each in CHATS if each.name == "openai_chat")
    frames = [b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n', b"data: {oops\n\n", b"data: [DONE]\n\n"]

    async def looked(closed):
        one, _ = gate(dialect, True, closed=closed)
        reply = Reply(dialect, True, b"")

        async def coming():
            for frame in frames:
                reply.account.complete = frame is frames[-1]
                yield frame

        return b"".join([data async for data in one.through(coming(), reply)])

    assert await looked(closed=False) == b"".join(frames)
    with pytest.raises(GuardUnavailable):
        await looked(closed=True)
