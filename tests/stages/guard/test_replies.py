"""What an API answers that is not known is looked at, whatever it is said to be."""

from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.core.tally import Tally
from headgate.dialects.opaque import Opaque
from headgate.stages.guard.changing import Hashes
from headgate.stages.guard.judging import Judge
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.replies import Gate
from headgate.stages.guards.words import Words, WordsSettings


async def nothing():
    return b""


async def given(kind, *pieces):
    """What the client gets, piece by piece."""
    exchange = Exchange("req_1", Opaque(), "/openai/v1/files/f/content", [], nothing, 0.0, Record(id="req_1", time=0.0))
    guard = Words(WordsSettings(words={"project": ["zeppelin"]}))
    gate = Gate(Judge(exchange, Hashes(b"x")), [Policy("p", guard, "words", frozenset({"after"}), {"*": "redact"})])
    reply = Reply(exchange.dialect, stream=True, body=b"", content_type=kind)
    reply.account = Tally()

    async def frames():
        for place, piece in enumerate(pieces, 1):
            reply.account.complete = place == len(pieces)
            yield piece

    return [data async for data in gate.through(frames(), reply)]


async def test_a_file_of_any_type_is_looked_at():
    said = (b'{"content": "the zepp', b'elin"}\n{"content": "it"}\n', b"")
    for kind in (b"application/octet-stream", b"application/jsonl", b"application/vnd.x+json"):
        assert b"".join(await given(kind, *said)) == b'{"content":"the [PROJECT]"}\n{"content": "it"}\n', kind
    lines = await given(b"Application/X-NDJSON", b'{"response":"the zepp', b'elin"}\n', b'{"response":" it"}')
    assert b"".join(lines) == b'{"response":"the [PROJECT]"}\n{"response":" it"}'
    assert b"".join(await given(b"Text/Event-Stream", b"data: the zep", b"pelin\n\n")) == b"data: the [PROJECT]\n\n"


async def test_what_is_no_text_goes_on_as_it_comes():
    pieces = [b"\x00\x01zeppelin\xff", b"\xfe" * 100, b"zeppelin"]
    assert await given(b"application/octet-stream", *pieces) == pieces
    assert await given(b"image/png", *pieces) == pieces
