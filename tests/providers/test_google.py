"""Google AI: its own API, with the key in a header and the model in the address."""

import pytest

from headgate.core.errors import InvalidRequest
from headgate.dialects import anthropic_messages, gemini_generate, openai_chat
from headgate.dialects.gemini_generate import count_tokens
from headgate.providers.google import Google
from headgate.providers.settings import ProviderSettings

KEY = "AI-0123456789"


def head(dialect, stream, fields, model="gemini-2.5-flash"):
    return Google("google", ProviderSettings(api_key=KEY)).endpoint(dialect, model, stream, fields).head


def test_every_client_reaches_it_in_its_own_api():
    provider = Google("google", ProviderSettings(api_key=KEY))
    for client in (gemini_generate, openai_chat, anthropic_messages):
        assert provider.dialect_for(client, "m") is gemini_generate
    assert provider.dialect_for(count_tokens, "m") is count_tokens


def test_the_model_and_how_to_stream_stand_in_the_address():
    plain = head(gemini_generate, False, {})
    assert plain.startswith(b"POST /v1beta/models/gemini-2.5-flash:generateContent HTTP/1.1\r\n")
    assert b"host: generativelanguage.googleapis.com\r\n" in plain
    assert b"x-goog-api-key: AI-0123456789\r\n" in plain
    assert b"authorization" not in plain
    start = b"POST /v1beta/models/gemini-2.5-flash:streamGenerateContent"
    assert head(gemini_generate, True, {}).startswith(start + b"?alt=sse HTTP/1.1")
    assert head(gemini_generate, True, {"stream": True, "alt": "sse"}).startswith(start + b"?alt=sse HTTP/1.1")
    assert head(gemini_generate, True, {"stream": True}).startswith(start + b" HTTP/1.1")
    assert head(count_tokens, False, {}).startswith(b"POST /v1beta/models/gemini-2.5-flash:countTokens HTTP/1.1")


def test_a_model_is_never_another_path():
    assert head(gemini_generate, False, {}, "x/y?z#a").startswith(
        b"POST /v1beta/models/x%2Fy%3Fz%23a:generateContent HTTP/1.1"
    )
    with pytest.raises(InvalidRequest):
        head(gemini_generate, False, {}, "../../x")
