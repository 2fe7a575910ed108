"""OpenAI: whose usage it is."""

import pytest

from headgate.dialects import openai_chat, openai_responses
from headgate.providers.openai import OpenAI, OpenAISettings


def head(**settings):
    return (
        OpenAI("openai", OpenAISettings(api_key="sk-0123456789", **settings)).endpoint(openai_chat, "m", False, {}).head
    )


def test_organization_and_project_are_headers():
    lines = head(organization="org-1", project="proj_2").split(b"\r\n")
    assert lines[0] == b"POST /v1/chat/completions HTTP/1.1"
    assert b"openai-organization: org-1" in lines
    assert b"openai-project: proj_2" in lines
    assert b"authorization: Bearer sk-0123456789" in lines
    assert b"host: api.openai.com" in lines


def test_they_are_left_out_where_they_are_not_set():
    assert b"openai-" not in head()
    assert b"openai-project" not in head(organization="org-1")


@pytest.mark.parametrize(
    ("model", "sent", "changes"),
    [
        ("gpt-5-mini", {"max_tokens": 9}, {"max_tokens": None, "max_completion_tokens": 9}),
        ("o4-mini-2025-04-16", {"max_tokens": 9}, {"max_tokens": None, "max_completion_tokens": 9}),
        ("ft:o4-mini:acme::1", {"max_tokens": 9}, {"max_tokens": None, "max_completion_tokens": 9}),
        ("gpt-5", {"max_tokens": 9, "max_completion_tokens": 8}, {}),
        ("gpt-5", {"max_completion_tokens": 8}, {}),
        ("gpt-4.1", {"max_tokens": 9}, {}),
        ("omni", {"max_tokens": 9}, {}),
    ],
)
def test_models_that_reason_get_the_limit_they_know(model, sent, changes):
    provider = OpenAI("openai", OpenAISettings())
    assert provider.adjust(sent, openai_chat, model) == changes
    assert provider.adjust(sent, openai_responses, model) == {}
