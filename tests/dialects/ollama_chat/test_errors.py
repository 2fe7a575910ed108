"""Errors as Ollama says them."""

import json

from headgate.core.errors import InvalidRequest, ProviderCut, UnknownModel
from headgate.dialects import ollama_chat as dialect
from together import together


@together(
    ("status", "body", "message", "kind"),
    [
        (404, b'{"error":"model \'x\' not found"}', "model 'x' not found", "not_found"),
        (500, b'{"error":"no"}', "no", "internal_server_error"),
        (418, b'{"error":"tea"}', "tea", "error"),
        (400, b'{"error":{"message":"bad","code":"x"}}', "bad", None),
        (400, b'{"detail":"bad"}', "bad", None),
        (404, b"404 page not found", "the provider answered 404: 404 page not found", None),
        (502, b"<html><p>Bad Gateway</p></html>", "the provider answered 502: Bad Gateway", None),
        (500, b"", "the provider answered 500 with an empty body", None),
        (500, b"[1]", "the provider answered 500 without a message", None),
    ],
)
def test_any_body_is_read(status, body, message, kind):
    error = dialect.read_error(status, body)
    assert (error.status, error.message, error.kind, error.body) == (status, message, kind, body)


def test_an_error_is_one_field_and_the_code():
    body = json.loads(dialect.write_error(UnknownModel("no such model"), "req_1", streaming=False))
    assert body == {"error": "no such model", "code": "model_not_found"}
    body = json.loads(dialect.write_error(InvalidRequest("must be a string", param="messages"), "", streaming=False))
    assert body["error"] == "must be a string (`messages`)"


def test_in_a_stream_it_is_a_line():
    line = dialect.write_error(ProviderCut("it broke off"), "req_1", streaming=True)
    assert line.endswith(b"\n")
    assert dialect.reader(True).feed(line)[-1].error.message == "it broke off"
