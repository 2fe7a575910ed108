"""A provider whose address is wrong is told from one that does not have the model."""

import pytest

from gateways import ask
from upstreams import json_reply

CHAT = b'{"model":"openai","messages":[{"role":"user","content":"Hi"}]}'
HINT = "The API does not seem to be there: check base_url of the provider openai."


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "404", "message": "Resource not found"}},
        {"detail": "Not Found"},
        {"message": "no Route matched with those values"},
        {"error": {"message": "Not found.", "type": "invalid_request_error"}},
    ],
)
def test_where_there_is_no_such_api_the_client_is_told_what_to_check(gateway, upstream, body):
    upstream.script = json_reply(body, status=404)
    answer = ask(gateway, "/v1/chat/completions", CHAT)
    assert answer.status == 404
    assert answer.json()["error"]["message"].endswith(HINT)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "No endpoints found for gpt-4o-mini.", "code": 404}, "user_id": "user_1"},
        {"error": {"message": "The model is gone", "type": "invalid_request_error", "code": "model_not_found"}},
        {"code": "not_found", "error": "The model gpt-4o-mini was retired"},
    ],
)
def test_where_there_is_no_such_model_the_address_is_not_blamed(gateway, upstream, body):
    upstream.script = json_reply(body, status=404)
    answer = ask(gateway, "/v1/chat/completions", CHAT)
    assert answer.status == 404
    assert b"base_url" not in answer.body
    if isinstance(body["error"], dict):
        assert answer.json() == body  # in OpenAI's form, so it is the provider's own
