"""Tokens are counted here where a provider cannot, in the words of the client's API, with who counted in a header."""

import time

import msgspec
import pytest

from headgate.catalog.catalogue import Catalogue
from headgate.catalog.menu import Menu
from headgate.catalog.shelf import Shelf, layer
from headgate.core.errors import InvalidRequest
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.dialects import openai_chat
from headgate.dialects.anthropic_messages import count_tokens as claude
from headgate.dialects.gemini_generate import count_tokens as gemini
from headgate.dialects.openai_chat import tokenize
from headgate.providers.anthropic import Anthropic
from headgate.providers.google import Google
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings
from headgate.stages.count import Count

SHELF = Shelf("x", [layer(b'{"":{},"small":{"ops":"chat","context":4096}}')])
STAGE = Count(Menu(Catalogue({"x": SHELF}), {}))
SETTINGS = ProviderSettings(api_key="k", base_url="http://127.0.0.1:9/v1")
HI = [{"role": "user", "content": "Hi there"}]


def exchange(dialect, fields, kind=Provider, model="small"):
    async def receive():
        return b""

    made = Exchange("req_1", dialect, "/", [], receive, time.perf_counter(), Record(id="req_1", time=time.time()))
    made.body, made.fields, made.model = msgspec.json.encode(fields), fields, "alias"
    made.target = kind("x", SETTINGS).target(model)
    return made


async def never(exchange):
    raise AssertionError("the provider was asked")


async def answered(made):
    reply = await STAGE(made, never)
    assert reply.account.complete
    return msgspec.json.decode(await reply.whole(made.dialect, made.fields)), dict(reply.headers)


@pytest.mark.parametrize(
    ("dialect", "fields", "field"),
    [
        (claude, {"model": "alias", "messages": HI}, "input_tokens"),
        (gemini, {"model": "alias", "contents": [{"role": "user", "parts": [{"text": "Hi there"}]}]}, "totalTokens"),
        (tokenize, {"model": "alias", "messages": HI}, "count"),
    ],
)
async def test_it_answers_in_the_clients_words(dialect, fields, field):
    made = exchange(dialect, fields)
    body, headers = await answered(made)
    assert body[field] == 9  # 3 around the message, 1 of the role, 2 of the text, 3 before the answer
    assert headers == {b"x-headgate-counted-by": b"estimate"}
    assert made.decision.said == ["counted here: estimate"]
    assert made.lost == []


async def test_what_is_not_counted_is_named():
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    made = exchange(claude, {"model": "alias", "messages": [{"role": "user", "content": [picture]}]})
    body, _ = await answered(made)
    assert body["input_tokens"] > 700
    assert [loss.path for loss in made.lost] == ["messages[0].content[0]"]


async def test_the_catalogue_says_how_much_the_model_takes():
    fields = {"model": "alias", "prompt": "Hi there"}
    body, _ = await answered(exchange(tokenize, fields))
    assert body == {"model": "alias", "count": 2, "max_model_len": 4096, "estimated": True, "counted_by": "estimate"}
    body, _ = await answered(exchange(tokenize, fields, model="unknown"))
    assert "max_model_len" not in body


@pytest.mark.parametrize(("kind", "spoken"), [(Anthropic, claude), (Google, gemini)])
async def test_a_provider_that_counts_is_asked(kind, spoken):
    body = {claude: b'{"input_tokens":7}', gemini: b'{"totalTokens":7}'}[spoken]
    made = exchange(tokenize, {"model": "alias", "messages": HI}, kind)

    async def proceed(exchange):
        reply = Reply(spoken, stream=False, body=body)
        await reply.begin(exchange.dialect, exchange.fields, False)
        return reply

    reply = await STAGE(made, proceed)
    assert reply.headers == ()
    assert msgspec.json.decode(await reply.whole(tokenize, made.fields)) == {
        "model": "alias",
        "count": 7,
        "max_model_len": 4096,
        "estimated": False,
        "counted_by": "provider",
    }


async def test_other_operations_pass():
    made = exchange(openai_chat, {"model": "alias", "messages": HI})
    reply = Reply(openai_chat, stream=False, body=b"{}")

    async def proceed(exchange):
        return reply

    assert await STAGE(made, proceed) is reply
    assert reply.filters == []


async def test_a_request_that_says_nothing_is_refused():
    with pytest.raises(InvalidRequest, match="messages"):
        await STAGE(exchange(claude, {"model": "alias"}), never)
