"""Any error is read, and written as Google says it."""

import json

import pytest
from google.genai import errors as sdk
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import (
    GatewayError,
    InvalidRequest,
    Overloaded,
    ProviderNonsense,
    ProviderRefused,
    ProviderTimeout,
    Unauthenticated,
    UnknownModel,
)
from headgate.dialects import gemini_generate as dialect
from together import together

INFO = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
BAD = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "contents[0]"}]}


def body(code=400, status="INVALID_ARGUMENT", details=()):
    return {"error": {"code": code, "message": "No.", "status": status, "details": list(details)}}


@pytest.mark.parametrize("listed", [False, True])
def test_an_error_is_read_with_its_details(listed):
    value = body(429, "RESOURCE_EXHAUSTED", [INFO, RETRY, BAD])
    error = dialect.read_error(429, json.dumps([value] if listed else value).encode())
    assert (error.message, error.kind, error.status) == ("No.", "RESOURCE_EXHAUSTED", 429)
    assert (error.vendor_code, error.retry_after, error.param) == ("API_KEY_INVALID", 34.5, "contents[0]")
    assert error.retryable


@pytest.mark.parametrize(
    ("data", "message", "kind"),
    [
        (b'{"error":"broken"}', "broken", None),
        (b'{"message":"Not found"}', "Not found", None),
        (b'{"error":{"status":"ODD"}}', "the provider answered 502 without a message", None),
        (b"<html><style>x{}</style><h1>Bad Gateway</h1></html>", "the provider answered 502: Bad Gateway", None),
        (b"", "the provider answered 502 with an empty body", None),
        (b"[]", "the provider answered 502 without a message", None),
        (b"\xff\xfe", "the provider answered 502: \ufffd\ufffd", None),
    ],
)
def test_other_bodies_are_read(data, message, kind):
    error = dialect.read_error(502, data)
    assert (error.message, error.kind, error.status) == (message, kind, 502)


def test_keys_are_taken_out_of_errors():
    key = "AIza" + "SyA1234567890abcdefghijklmnop"
    error = dialect.read_error(400, json.dumps({"error": {"message": f"bad key {key}."}}).encode())
    assert key.encode() not in error.body
    assert error.message == "bad key [key]."


@given(st.binary(max_size=60), st.integers(400, 599))
def test_any_error_body_is_read(data, status):
    assert dialect.read_error(status, data).status == status


@together(
    ("error", "status", "word"),
    [
        (InvalidRequest("x", param="contents"), 400, "INVALID_ARGUMENT"),
        (Unauthenticated("x"), 401, "UNAUTHENTICATED"),
        (UnknownModel("x"), 404, "NOT_FOUND"),
        (Overloaded("x", retry_after=2), 503, "UNAVAILABLE"),
        (ProviderTimeout("x"), 504, "DEADLINE_EXCEEDED"),
        (ProviderNonsense("x"), 502, "UNAVAILABLE"),
        (ProviderRefused("x", status=413), 413, "INVALID_ARGUMENT"),
        (ProviderRefused("x", status=529, kind="overloaded_error"), 529, "INTERNAL"),
        (ProviderRefused("x", status=400, kind="FAILED_PRECONDITION"), 400, "FAILED_PRECONDITION"),
        (GatewayError("x"), 500, "INTERNAL"),
    ],
)
def test_errors_are_written_and_read_again(error, status, word):
    data = dialect.write_error(error, "req-1", streaming=False)
    fields = json.loads(data)["error"]
    assert (fields["code"], fields["status"]) == (status, word)
    assert fields["message"] == ("x (`contents`)" if error.param else "x")
    assert fields["details"][0]["metadata"] == {"code": error.code, "origin": error.origin, "requestId": "req-1"}
    assert dialect.write_error(error, "req-1", streaming=True) == b"data: " + data + b"\r\n\r\n"
    again = dialect.read_error(status, data)
    assert (again.retry_after, again.param, again.kind) == (error.retry_after, error.param, word)
    parsed = sdk.APIError(status, json.loads(data))
    assert (parsed.code, parsed.status, parsed.message) == (status, word, fields["message"])
