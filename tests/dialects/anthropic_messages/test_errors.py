"""Any error is read, and written as the API says it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from dialects.anthropic_messages.laws import (
    read,
)
from headgate.core import events as ev
from headgate.core.errors import (
    GatewayError,
    InvalidRequest,
    Overloaded,
    ProviderNonsense,
    ProviderRefused,
    ProviderTimeout,
    Unauthenticated,
)
from headgate.dialects import anthropic_messages as dialect
from together import together


@together(
    ("body", "message", "kind", "param"),
    [
        (b'{"type":"error","error":{"type":"invalid_request_error","message":"messages.0.content: bad"}}',
         "messages.0.content: bad", "invalid_request_error", "messages.0.content"),
        (b'{"error":{"message":"no","type":"rate_limit_error"}}', "no", "rate_limit_error", None),
        (b'{"error":"broken"}', "broken", None, None),
        (b'{"detail":"Not found"}', "Not found", None, None),
        (b"<html><style>x{}</style><h1>Bad Gateway</h1></html>", "the provider answered 502: Bad Gateway", None, None),
        (b"", "the provider answered 502 with an empty body", None, None),
        (b"[1]", "the provider answered 502 without a message", None, None),
        (b"\xff\xfe", "the provider answered 502: \ufffd\ufffd", None, None),
    ],
)  # fmt: skip
def test_errors_are_read(body, message, kind, param):
    error = dialect.read_error(502, body)
    assert (error.message, error.kind, error.param, error.status) == (message, kind, param, 502)


def test_keys_are_taken_out_of_errors():
    error = dialect.read_error(401, b'{"error":{"message":"bad key sk-ant-api03-abcdefgh"}}')
    assert b"abcdefgh" not in error.body
    assert "abcdefgh" not in error.message


@given(st.binary(max_size=60), st.integers(400, 599))
def test_any_error_body_is_read(body, status):
    assert dialect.read_error(status, body).status == status


@together(
    ("error", "kind"),
    [
        (InvalidRequest("x", param="model"), "invalid_request_error"),
        (Unauthenticated("x"), "authentication_error"),
        (Overloaded("x"), "overloaded_error"),
        (ProviderTimeout("x"), "timeout_error"),
        (ProviderNonsense("x"), "api_error"),
        (ProviderRefused("x", status=413), "request_too_large"),
        (ProviderRefused("x", status=400, kind="billing_error"), "billing_error"),
        (ProviderRefused("x", status=500, kind="server_error"), "api_error"),
        (GatewayError("x"), "api_error"),
    ],
)
def test_errors_are_written(error, kind):
    body = dialect.write_error(error, "req-1", streaming=False)
    fields = json.loads(body)
    assert (fields["type"], fields["error"]["type"], fields["request_id"]) == ("error", kind, "req-1")
    assert fields["error"]["message"] == ("x (`model`)" if error.param else "x")
    assert fields["error"]["code"] == error.code
    assert dialect.write_error(error, "req-1", streaming=True) == b"event: error\ndata: " + body + b"\n\n"
    events = read(dialect.write_error(error, "req-1", streaming=True), True)
    assert isinstance(events[0], ev.Failed)
