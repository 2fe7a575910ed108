"""What a host is asked for beyond what the client said, whichever way the request came about."""

import time

import msgspec
import pytest

from headgate.core.chat import Message, Text
from headgate.core.errors import InvalidJSON
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.dialects import anthropic_messages, gemini_generate, openai_chat
from headgate.dialects.dialect import decode
from headgate.providers.google import Google
from headgate.providers.openai import OpenAI, OpenAISettings
from headgate.providers.provider import ProviderSettings
from headgate.stages.translate import Translate

WHOLE = msgspec.json.encode(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}],
    }
)


async def asked(client, fields, *, ask_for_usage=True, edited=False):
    """The body that goes out."""
    provider = OpenAI("openai", OpenAISettings(api_key="k", ask_for_usage=ask_for_usage))
    body = msgspec.json.encode(
        {"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **fields}
    )
    record = Record(id="req_1", time=time.time())
    exchange = Exchange("req_1", client, "/", [], None, time.perf_counter(), record)
    exchange.body, exchange.fields, exchange.model = body, decode(body), "chat"
    exchange.stream = fields.get("stream", False)
    exchange.target = Target(provider, "m")
    if edited:
        exchange.request.messages.insert(0, Message(role="system", parts=[Text(text="Be brief.")]))
        exchange.edited = True

    async def send(exchange):
        return Reply(openai_chat, stream=False, body=WHOLE)

    await Translate()(exchange, send)
    return msgspec.json.decode(exchange.outgoing)


@pytest.mark.parametrize("client", [openai_chat, anthropic_messages])
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("ask", [False, True])
async def test_a_stream_is_asked_for_its_usage_unless_the_host_refuses_that(client, edited, ask):
    sent = await asked(client, {"stream": True}, ask_for_usage=ask, edited=edited)
    assert sent.get("stream_options") == ({"include_usage": True} if ask else None)
    assert sent["model"] == "m"


@pytest.mark.parametrize("client", [openai_chat, anthropic_messages])
async def test_a_whole_reply_has_its_usage_anyway(client):
    assert "stream_options" not in await asked(client, {})


async def test_what_the_client_asked_for_stays():
    options = {"include_usage": True, "novel": 1}
    sent = await asked(openai_chat, {"stream": True, "stream_options": options}, ask_for_usage=False)
    assert sent["stream_options"] == options


@pytest.mark.parametrize("client", [openai_chat, gemini_generate])
async def test_json_that_is_too_deep_to_be_said_in_other_words_is_refused(client):
    """A parser takes what is as deep as its own stack is; reading and writing it may need more of that."""
    schema = {"type": "string"}
    for _ in range(2000):
        schema = {"anyOf": [schema]}
    said = {"name": "f", "parameters": schema}
    messages = {"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function", "function": said}]}
    contents = {"contents": [{"parts": [{"text": "Hi"}]}], "tools": [{"functionDeclarations": [said]}]}
    record = Record(id="req_1", time=time.time())
    exchange = Exchange("req_1", client, "/", [], None, time.perf_counter(), record)
    exchange.fields = {"model": "chat", **(contents if client is gemini_generate else messages)}
    exchange.target = Target(Google("google", ProviderSettings(api_key="k")), "m")
    exchange.edited = True
    with pytest.raises(InvalidJSON, match="too deeply"):
        await Translate()(exchange, None)
