"""Errors as Cohere's API says them."""

import json

import pytest

from headgate.core.errors import InvalidRequest, ProviderCut, ProviderRefused, UnknownModel
from headgate.dialects import cohere_chat as dialect
from together import together


@together(
    ("status", "body", "message", "kind"),
    [
        (404, b'{"id":"x","message":"model not found"}', "model not found", "not_found"),
        (401, b'{"message":"no api key supplied"}', "no api key supplied", "unauthorized"),
        (418, b'{"message":"tea"}', "tea", "error"),
        (400, b'{"message":"bad","error_type":"INVALID_TOOL_GENERATION"}', "bad", "INVALID_TOOL_GENERATION"),
        (400, b'{"error":{"message":"bad","code":"x"}}', "bad", None),
        (400, b'{"detail":"bad"}', "bad", None),
        (502, b"<html><title>Bad</title><p>Gateway</p></html>", "the provider answered 502: Bad Gateway", None),
        (500, b"", "the provider answered 500 with an empty body", None),
        (500, b"[1]", "the provider answered 500 without a message", None),
        (500, b'{"message":7}', "the provider answered 500 without a message", None),
    ],
)
def test_any_body_is_read(status, body, message, kind):
    error = dialect.read_error(status, body)
    assert (error.status, error.message, error.kind, error.body) == (status, message, kind, body)


def test_an_error_is_an_id_and_a_message():
    body = json.loads(dialect.write_error(UnknownModel("no such model"), "req_1", streaming=False))
    assert body == {"id": "req_1", "message": "no such model", "code": "model_not_found"}


def test_the_place_is_told_in_the_message():
    body = json.loads(dialect.write_error(InvalidRequest("must be a string", param="messages"), "", streaming=False))
    assert body["message"] == "must be a string (`messages`)"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderCut("it broke off"), "provider_cut"),
        (ProviderRefused("no", status=400, kind="INVALID_TOOL_GENERATION"), "INVALID_TOOL_GENERATION"),
    ],
)
def test_in_a_stream_it_is_the_end(error, kind):
    frame = dialect.write_error(error, "req_1", streaming=True)
    reader = dialect.reader(True)
    failed = reader.feed(frame)[-1]
    assert failed.error.message == error.message
    assert failed.error.kind == kind
