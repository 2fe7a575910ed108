"""What one policy leaves of a request is what others look at, where it says something else then."""

import json

import pytest

from headgate.core.errors import Blocked
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.dialects import openai_chat
from headgate.stages.guard import look
from headgate.stages.guard.changing import Hashes
from headgate.stages.guard.judging import Judge
from headgate.stages.guard.policy import Policy
from headgate.stages.guards.hidden_text import HiddenText, HiddenTextSettings
from headgate.stages.guards.words import Words, WordsSettings


async def nothing():
    return b""


async def looked(text, then):
    exchange = Exchange("req_1", openai_chat, "/v1/chat/completions", [], nothing, 0.0, Record(id="req_1", time=0.0))
    exchange.fields = {"messages": [{"role": "user", "content": text}]}
    exchange.body = json.dumps(exchange.fields).encode()
    words = Policy("p", Words(WordsSettings(words={"project": ["zeppelin"]})), "words", frozenset({"before"}), then)
    hidden = Policy("h", HiddenText(HiddenTextSettings()), "hidden_text", frozenset({"before"}))
    await look(Judge(exchange, Hashes(b"x")), [words, hidden])
    return json.loads(exchange.body)["messages"][0]["content"]


async def test_a_word_that_is_made_by_taking_out_what_is_hidden_is_found():
    assert await looked("the z\u0435pp\u0435lin z\u0435pp\u0435lin", {"*": "redact"}) == "the [PROJECT] [PROJECT]"
    with pytest.raises(Blocked):
        await looked("the z\u0435pp\u0435lin z\u0435pp\u0435lin", {"*": "block"})
    assert await looked("the zeppelin", {"*": "redact"}) == "the [PROJECT]"
