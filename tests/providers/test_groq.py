"""Groq: an OpenAI-compatible host with a path of its own before the version."""

from headgate.dialects import anthropic_messages, openai_chat
from headgate.providers.groq import Groq
from headgate.providers.settings import ProviderSettings


def test_where_it_is_asked():
    groq = Groq("groq", ProviderSettings(api_key="gsk_0123456789"))
    lines = groq.endpoint(openai_chat, "m", False, {}).head.split(b"\r\n")
    assert lines[0] == b"POST /openai/v1/chat/completions HTTP/1.1"
    assert b"host: api.groq.com" in lines
    assert b"authorization: Bearer gsk_0123456789" in lines
    assert groq.dialect_for(anthropic_messages, "m") is openai_chat


def test_reasoning_of_earlier_turns_is_left_out():
    turns = [{"role": "assistant", "content": "b", "reasoning_content": "a"}, {"role": "user", "content": "c"}]
    groq = Groq("groq", ProviderSettings())
    assert groq.adjust({"messages": turns}, openai_chat, "m") == {
        "messages": [{"role": "assistant", "content": "b"}, turns[1]]
    }
    assert groq.adjust({"messages": turns[1:]}, openai_chat, "m") == {}
    assert groq.adjust({"messages": "odd"}, openai_chat, "m") == {}
