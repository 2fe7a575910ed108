"""What came back: passed on as bytes, rewritten for watchers and changers, told honestly when it breaks off."""

import json

import msgspec
import pytest

from headgate.core.errors import ProviderCut, ProviderError, ProviderNonsense
from headgate.core.events import Stop, Text
from headgate.core.reply import EARLY, Reply
from headgate.core.tally import KEPT
from headgate.dialects import anthropic_messages, openai_chat, openai_responses

ASKED = {"model": "chat", "messages": []}
STREAMED = {**ASKED, "stream": True}


def frame(delta, finish=None):
    value = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }  # fmt: skip
    return b"data: " + json.dumps(value).encode() + b"\n\n"


OPENAI = [
    frame({"role": "assistant", "content": ""}),
    frame({"content": "Hel"}),
    frame({"content": "lo"}),
    frame({}, "stop"),
    b"data: " + json.dumps(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
         "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}
    ).encode() + b"\n\n",
    b"data: [DONE]\n\n",
]  # fmt: skip
ANTHROPIC = [
    b"event: " + event["type"].encode() + b"\ndata: " + json.dumps(event).encode() + b"\n\n"
    for event in [
        {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
]  # fmt: skip
WHOLE = json.dumps(
    {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "unknown": {"kept": True},
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
).encode()  # fmt: skip


class InMemory:
    """A Response (core/ports.py) of given pieces; an exception among them is raised when its turn comes."""

    status = 200
    headers = ()

    def __init__(self, pieces):
        self.pieces = list(pieces)
        self.finished = self.closed = 0

    async def chunk(self):
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def finish(self):
        self.finished += 1

    def close(self):
        self.closed += 1


async def begun(pieces, dialect=openai_chat, client=openai_chat):
    reply = Reply(dialect, stream=True, body=b"", response=InMemory(pieces))
    await reply.begin(client, STREAMED, True)
    return reply


async def all_of(reply, client=openai_chat):
    return [piece async for piece in reply.frames(client, STREAMED)]


async def until_cut(reply, client):
    """What was given before the reply broke off, which it must."""
    got = []
    try:
        async for piece in reply.frames(client, STREAMED):
            got.append(piece)  # noqa: PERF401  # what came before the error counts
    except ProviderCut:
        return got
    raise AssertionError("it did not break off")


def text_of(data):
    """The text of a stream in either dialect."""
    said = ""
    for line in data.splitlines():
        if line.startswith(b"data: {"):
            event = json.loads(line[6:])
            said += event.get("delta", {}).get("text", "")
            said += "".join(choice["delta"].get("content") or "" for choice in event.get("choices", ()))
    return said


class TestRelayed:
    async def test_the_bytes_pass_and_the_account_is_kept(self):
        reply = await begun(OPENAI)
        assert not reply.account.complete
        data = b"".join(await all_of(reply))
        assert data == b"".join(piece for piece in OPENAI if b'"choices": [],' not in piece)  # it was not asked for
        account = reply.account
        assert (account.complete, account.started, account.finish, account.id) == (True, True, "stop", "chatcmpl-1")
        assert (account.usage.input, account.usage.output) == (1, 2)
        assert reply.response.finished == 1

    async def test_a_stage_that_looks_does_not_read_ahead(self):
        reply = await begun(OPENAI)
        assert len(reply.response.pieces) == len(OPENAI) - 1

    @pytest.mark.parametrize("size", [1, 7, 100, 10_000])
    async def test_any_split_gives_the_same(self, size):
        data = b"".join(ANTHROPIC)
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        reply = await begun(pieces, anthropic_messages, anthropic_messages)
        assert b"".join(await all_of(reply, anthropic_messages)) == data
        assert reply.account.complete

    @pytest.mark.parametrize("kept", range(1, 5))
    async def test_one_that_ends_early_is_cut(self, kept):
        reply = await begun([*ANTHROPIC[:kept], ANTHROPIC[kept][:-5]], anthropic_messages, anthropic_messages)
        got = await until_cut(reply, anthropic_messages)
        assert b"".join(got) == b"".join(ANTHROPIC[:kept]), "part of a frame was given"
        assert not reply.account.complete

    async def test_an_error_of_the_connection_goes_up(self):
        reply = await begun([*OPENAI[:2], ProviderCut("reset")])
        with pytest.raises(ProviderCut, match="reset"):
            await all_of(reply)

    async def test_an_error_event_in_the_middle_passes_and_is_noted(self):
        event = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
        reply = await begun([*ANTHROPIC[:3], event], anthropic_messages, anthropic_messages)
        data = b"".join(await all_of(reply, anthropic_messages))
        assert data.endswith(event)
        assert "busy" in reply.account.failed.message


class TestBegin:
    @pytest.mark.parametrize("client", [openai_chat, anthropic_messages])
    async def test_nothing_is_a_cut_and_may_be_tried_elsewhere(self, client):
        with pytest.raises(ProviderCut) as caught:
            await begun([], client=client)
        assert caught.value.retryable

    @pytest.mark.parametrize("client", [openai_chat, anthropic_messages])
    async def test_an_error_as_the_first_event_is_raised(self, client):
        event = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
        with pytest.raises(ProviderError, match="busy"):
            await begun([event], anthropic_messages, client)

    @pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b"[]", b'{"choices":3}', WHOLE[:-20]])
    @pytest.mark.parametrize("client", [openai_chat, anthropic_messages])
    async def test_a_whole_reply_that_is_none(self, client, body):
        with pytest.raises(ProviderNonsense):
            await Reply(openai_chat, stream=False, body=body).begin(client, ASKED, False)


class TestWhole:
    async def test_its_bytes_pass(self):
        reply = Reply(openai_chat, stream=False, body=WHOLE)
        await reply.begin(openai_chat, ASKED, False)
        assert await reply.whole(openai_chat, ASKED) == WHOLE
        assert reply.account.usage.output == 2

    async def test_crossing(self):
        reply = Reply(openai_chat, stream=False, body=WHOLE)
        await reply.begin(anthropic_messages, ASKED, False)
        said = json.loads(await reply.whole(anthropic_messages, ASKED))
        assert (said["content"][0]["text"], said["stop_reason"]) == ("Hello", "end_turn")
        assert (reply.account.complete, reply.account.usage.output) == (True, 2)

    @pytest.mark.parametrize("client", [openai_chat, anthropic_messages])
    async def test_taps_hear_what_filters_made(self, client):
        heard = []
        reply = Reply(openai_chat, stream=False, body=WHOLE)
        await reply.begin(client, ASKED, False)
        reply.filters.append(loudly)
        reply.taps.append(heard.append)
        assert b"HELLO" in await reply.whole(client, ASKED)
        assert "".join(event.text for event in heard if isinstance(event, Text)) == "HELLO"
        assert any(isinstance(event, Stop) for event in heard)


async def loudly(events):
    return [msgspec.structs.replace(event, text=event.text.upper()) if isinstance(event, Text) else event
            for event in events]  # fmt: skip


async def silently(events):
    return [event for event in events if not isinstance(event, Text)]


class TestRewritten:
    @pytest.mark.parametrize(
        ("pieces", "dialect", "client"),
        [
            (OPENAI, openai_chat, anthropic_messages),
            (ANTHROPIC, anthropic_messages, openai_chat),
            (OPENAI, openai_chat, openai_chat),
            (ANTHROPIC, anthropic_messages, anthropic_messages),
        ],
        ids=["openai-anthropic", "anthropic-openai", "openai-openai", "anthropic-anthropic"],
    )
    @pytest.mark.parametrize("size", [1, 50, 10_000])
    async def test_filters_and_taps_in_any_split(self, pieces, dialect, client, size):
        data, heard = b"".join(pieces), []
        reply = await begun([data[at : at + size] for at in range(0, len(data), size)], dialect, client)
        reply.filters.append(loudly)
        reply.taps.append(heard.append)
        assert text_of(b"".join(await all_of(reply, client))) == "HELLO"
        assert "".join(event.text for event in heard if isinstance(event, Text)) == "HELLO"
        account = reply.account
        assert (account.complete, account.started, account.usage.output) == (True, True, 2)
        assert reply.response.finished == 1

    async def test_filters_run_in_their_order(self):
        reply = await begun(OPENAI, client=anthropic_messages)
        reply.filters += [loudly, silently]
        assert text_of(b"".join(await all_of(reply, anthropic_messages))) == ""
        assert reply.account.complete

    @pytest.mark.parametrize("client", [openai_chat, anthropic_messages])
    async def test_one_that_ends_early_is_cut(self, client):
        reply = await begun(ANTHROPIC[:4], anthropic_messages, client)
        reply.taps.append(lambda event: None)
        got = await until_cut(reply, client)
        assert text_of(b"".join(got)) == "Hello"
        assert not reply.account.complete

    async def test_an_error_event_in_the_middle_is_raised(self):
        event = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
        reply = await begun([*ANTHROPIC[:3], event], anthropic_messages, openai_chat)
        with pytest.raises(ProviderError, match="busy"):
            await all_of(reply)
        assert not reply.account.complete

    async def test_a_filter_that_answers_for_the_provider_ends_the_reply(self):
        async def enough(events):
            return [*events, Stop(reason="refusal")] if any(isinstance(event, Text) for event in events) else events

        reply = await begun(OPENAI, client=anthropic_messages)
        reply.filters.append(enough)
        data = b"".join(await all_of(reply, anthropic_messages))
        assert data.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
        assert reply.account.complete
        assert reply.response.pieces, "the rest was read all the same"
        assert reply.response.finished == 1


class TestWhatThereIsOfAnAnswer:
    WORDS = "so many words " * 4

    async def test_of_a_long_stream_a_part_is_kept_and_tells_of_the_whole(self):
        pieces = [frame({"content": self.WORDS}) for _ in range(3000)]
        for client in (openai_chat, anthropic_messages):
            reply = await begun([OPENAI[0], *pieces], client=client)
            await until_cut(reply, client)
            made = reply.made()
            assert len(made.said) <= KEPT + len(self.WORDS)  # those of the first piece
            assert len(made.said) * made.said_times == pytest.approx(3000 * len(self.WORDS), rel=0.02)
        assert sum(map(len, reply._kept)) <= KEPT

    async def test_what_is_said_again_of_the_request_is_not_the_answer(self):
        def event(kind, **fields):
            return b"data: " + json.dumps({"type": kind, **fields}).encode() + b"\n\n"

        whole = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "in_progress", "output": []}
        begins = {**whole, "instructions": "be good " * 5000}
        item = {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        where = {"item_id": "i", "output_index": 0, "content_index": 0}
        reply = await begun([
            event("response.created", response=begins),
            event("response.in_progress", response=begins),
            event("response.output_item.added", output_index=0, item=item),
            event("response.content_part.added", **where, part={"type": "output_text", "text": "", "annotations": []}),
            *[event("response.output_text.delta", **where, delta=self.WORDS) for _ in range(20)],
        ], openai_responses, openai_responses)  # fmt: skip
        await until_cut(reply, openai_responses)
        assert reply.made().said == 20 * self.WORDS

    async def test_what_comes_before_an_answer_is_not_kept_without_end(self):
        reply = await begun([OPENAI[0], *[b": wait\n\n" * 1000] * 100])
        await until_cut(reply, openai_chat)
        assert len(reply._early) < EARLY + 9000
        assert reply.made() == ("", "", 1.0, 1.0)

    async def test_where_what_is_kept_does_not_tell_nothing_is_said(self):
        reply = await begun([OPENAI[0], OPENAI[1]])
        await until_cut(reply, openai_chat)
        reply._early = b""
        assert reply.made() is None


class TestBeforeTheFirstFrame:
    """A comment or a ping is no answer yet: what fails after one may still go to another target."""

    ERROR = b'data: {"error":{"message":"busy","code":429}}\n\n'
    PING = b'event: ping\ndata: {"type":"ping"}\n\n'

    async def test_an_error_after_a_comment_is_raised(self):
        with pytest.raises(ProviderError):
            await begun([b": PROCESSING\n\n", self.ERROR])

    async def test_an_error_after_a_ping_is_raised(self):
        error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
        with pytest.raises(ProviderError):
            await begun([self.PING, error], anthropic_messages, anthropic_messages)

    async def test_what_was_held_back_is_not_lost(self):
        reply = await begun([b": PROCESSING\n\n", *OPENAI])
        assert b"".join(await all_of(reply)).startswith(b": PROCESSING\n\n" + OPENAI[0])

    async def test_a_long_wait_lets_them_pass(self, monkeypatch):
        monkeypatch.setattr("headgate.core.reply.PATIENCE", 0.0)
        reply = await begun([b": PROCESSING\n\n", self.ERROR])
        assert b": PROCESSING" in b"".join(await all_of(reply))


class TestTapsAlone:
    """Who only watches changes nothing, not even what the gateway cannot read."""

    async def test_a_whole_reply_passes_as_it_came(self):
        reply = Reply(openai_chat, stream=False, body=WHOLE)
        await reply.begin(openai_chat, ASKED, False)
        heard = []
        reply.taps.append(heard.append)
        assert await reply.whole(openai_chat, ASKED) == WHOLE
        assert "".join(event.text for event in heard if isinstance(event, Text)) == "Hello"

    async def test_a_stream_passes_as_it_came(self):
        asked = {**STREAMED, "stream_options": {"include_usage": True}}
        novel = OPENAI[1].replace(b'"object"', b'"novel": 1, "object"')
        frames = [OPENAI[0], novel, *OPENAI[2:]]
        reply = Reply(openai_chat, stream=True, body=b"", response=InMemory(frames))
        await reply.begin(openai_chat, asked, True)
        heard = []
        reply.taps.append(heard.append)
        assert b"".join([piece async for piece in reply.frames(openai_chat, asked)]) == b"".join(frames)
        assert "".join(event.text for event in heard if isinstance(event, Text)) == "Hello"
        assert any(isinstance(event, Stop) for event in heard)


class TestBridging:
    """A client gets a stream from a host that gives none, and the other way round."""

    @pytest.mark.parametrize("client", [openai_chat, anthropic_messages])
    async def test_a_whole_reply_becomes_a_stream(self, client):
        reply = Reply(openai_chat, stream=False, body=WHOLE)
        await reply.begin(client, STREAMED, True)
        frames = [frame async for frame in reply.frames(client, STREAMED)]
        assert reply.account.complete
        assert reply.account.usage.output == 2
        reader = client.reader(True)
        events = [*reader.feed(b"".join(frames)), *reader.end()]
        assert "".join(event.text for event in events if isinstance(event, Text)) == "Hello"
        assert isinstance(events[-1], Stop)

    @pytest.mark.parametrize("client", [openai_chat, anthropic_messages])
    async def test_a_stream_becomes_a_whole_reply(self, client):
        response = InMemory(OPENAI)
        reply = Reply(openai_chat, stream=True, body=b"", response=response)
        await reply.begin(client, ASKED, False)
        assert response.finished
        said = json.loads(await reply.whole(client, ASKED))
        text = said["content"][0]["text"] if client is anthropic_messages else said["choices"][0]["message"]["content"]
        assert text == "Hello"
        assert reply.account.complete

    async def test_a_stream_that_breaks_off_is_no_whole_reply(self):
        response = InMemory(OPENAI[:2])
        reply = Reply(openai_chat, stream=True, body=b"", response=response)
        with pytest.raises(ProviderCut):
            await reply.begin(openai_chat, ASKED, False)
        assert response.closed
