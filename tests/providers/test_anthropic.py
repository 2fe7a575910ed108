"""Anthropic: the version of its API that every request names."""

from headgate.dialects import anthropic_messages, openai_chat
from headgate.providers.anthropic import Anthropic
from headgate.providers.settings import ProviderSettings
from providers.test_contract import Recorded, exchange


def made():
    return Anthropic("anthropic", ProviderSettings(api_key="sk-ant-0123456789"))


async def passed(*headers):
    upstream = Recorded()
    await made().send(exchange(made(), anthropic_messages, headers), upstream)
    return upstream.passed


def test_the_head():
    lines = made().endpoint(anthropic_messages, "m", False, {}).head.split(b"\r\n")
    assert lines[0] == b"POST /v1/messages HTTP/1.1"
    assert b"x-api-key: sk-ant-0123456789" in lines
    assert not [line for line in lines if line.startswith(b"authorization")]
    assert b"host: api.anthropic.com" in lines


async def test_the_version_is_added_where_the_client_names_none():
    assert await passed() == [(b"anthropic-version", b"2023-06-01")]


async def test_the_clients_own_version_and_betas_go_on_and_stand_once():
    own = [(b"anthropic-version", b"2024-10-22"), (b"anthropic-beta", b"files-api-2025-04-14")]
    assert await passed(*own) == own


def test_it_is_asked_in_its_own_dialect():
    assert made().dialect_for(openai_chat, "m") is anthropic_messages
    assert made().dialect_for(anthropic_messages, "m") is anthropic_messages
