"""OpenAI: whose usage it is."""

from headgate.dialects import openai_chat
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
