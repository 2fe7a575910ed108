"""Cohere: its own chat under its own address."""

from headgate.dialects import anthropic_messages, cohere_chat, openai_chat
from headgate.providers.cohere import Cohere
from headgate.providers.settings import ProviderSettings


def test_every_client_reaches_it_in_its_own_chat():
    provider = Cohere("cohere", ProviderSettings(api_key="k-0123456789"))
    for client in (cohere_chat, openai_chat, anthropic_messages):
        assert provider.dialect_for(client, "m") is cohere_chat
    endpoint = provider.endpoint(cohere_chat, "m", False, {})
    assert endpoint.origin.host == "api.cohere.com"
    assert endpoint.head.startswith(b"POST /v2/chat HTTP/1.1\r\n")
    assert b"authorization: Bearer k-0123456789\r\n" in endpoint.head
