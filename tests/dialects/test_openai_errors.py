"""Errors as OpenAI and its compatible hosts say them, read and written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import InvalidRequest, Overloaded, ProviderCut, ProviderRefused, Unauthenticated
from headgate.dialects import openai_chat, openai_completions
from together import together

OPENAI = b'{"error":{"message":"Too long","type":"invalid_request_error","param":"messages","code":"context_length"}}'


@together(
    ("body", "message"),
    [
        (OPENAI, "Too long"),
        (b'{"error":"model not found"}', "model not found"),
        (b'{"code":"x","error":"Model grok-beta is gone"}', "Model grok-beta is gone"),
        (b'{"detail":"Invalid API Key"}', "Invalid API Key"),
        (b'{"detail":[{"loc":["body","n"],"msg":"too big"},{"msg":"wrong"}]}', "body.n: too big; wrong"),
        (b'{"object":"error","message":{"detail":[{"loc":["body","seed"],"msg":"no"}]}}', "body.seed: no"),
        (b'{"object":"error","message":"Invalid model","type":"invalid_model","code":"1500"}', "Invalid model"),
        (b'[{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT"}}]', "Bad"),
        (b'{"error":{"message":{"detail":"deep"}}}', "deep"),
        (
            b'{"error":{"code":400,"message":"Provider returned error","metadata":{"provider_name":"xAI",'
            b'"raw":"{\\"code\\":\\"x\\",\\"error\\":\\"no such tool\\"}"}}}',
            "Provider returned error: no such tool",
        ),
        (b'{"error":{"message":"Provider returned error","metadata":{"raw":" 502 here "}}}', "error: 502 here"),
        (b'{"error":{"message":"Bad","metadata":{"raw":{"error":{"message":"worse"}}}}}', "Bad: worse"),
        (b'{"error":{"message":"Bad","metadata":{"raw":7}}}', "Bad"),
        (b'"just text"', "just text"),
        (b"upstream connect error", "upstream connect error"),
        (b"<html><head><title>502 Bad\nGateway</title></head></html>", "an HTML page: 502 Bad\nGateway"),
        (b"", "status 500 and an empty body"),
        (b"{}", "status 500 and no message"),
        (b"\xff\xfe", "\ufffd"),
    ],
)
def test_any_body_is_read(body, message):
    error = openai_chat.read_error(500, body)
    assert message in error.message
    assert error.status == 500
    assert error.body == body


def test_openai_fields():
    error = openai_chat.read_error(400, OPENAI)
    assert (error.kind, error.param, error.vendor_code) == ("invalid_request_error", "messages", "context_length")
    assert not error.retryable
    assert openai_chat.read_error(429, OPENAI).retryable


@together(
    ("body", "kind"),
    [
        (b'{"error":{"message":"No such model","code":400,"metadata":{"raw":"{}"}}}', "400"),
        (b'{"error":{"code":"DeploymentNotFound","message":"No such deployment"}}', "DeploymentNotFound"),
        (b'{"error":{"message":"Too much"}}', "error"),
        (b'[{"error":{"code":400,"message":"Bad"}}]', None),
        (b'{"error":"Too much","code":"x"}', None),
        (b'{"error":{"detail":"Too much"}}', None),
        (b'{"detail":{"message":"Too much"}}', None),
        (b'{"message":"Too much","code":"x"}', None),
    ],
)
def test_an_error_in_openais_form_is_known_as_one_without_a_type(body, kind):
    assert openai_chat.read_error(400, body).kind == kind


def test_keys_are_taken_out():
    said = b"Incorrect API key provided: sk-proj-abc*****123456. You can find yours elsewhere."
    error = openai_chat.read_error(401, b'{"error":{"message":"%b"}}' % said)
    assert error.message == "Incorrect API key provided: [key]. You can find yours elsewhere."
    assert b"123456" not in error.body


@given(status=st.integers(400, 599), body=st.binary(max_size=200))
def test_reading_never_raises(status, body):
    assert openai_chat.read_error(status, body).status == status


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["error", "message", "detail", "code", "type", "msg"]), inner)
        ),
        max_leaves=8,
    )
)
def test_reading_any_json_never_raises(value):
    assert openai_chat.read_error(400, json.dumps(value).encode()).message


@together(
    ("error", "kind", "code"),
    [
        (InvalidRequest("x", param="n"), "invalid_request_error", "invalid_request"),
        (Unauthenticated("x"), "invalid_request_error", "invalid_api_key"),
        (Overloaded("x"), "server_error", "gateway_overloaded"),
        (ProviderCut("x"), "server_error", "provider_cut"),
        (ProviderRefused("x", status=429, kind="rate_limit_error"), "requests", "rate_limit_exceeded"),
        (
            ProviderRefused("x", status=429, kind="tokens", vendor_code="rate_limit_exceeded"),
            "tokens",
            "rate_limit_exceeded",
        ),
        (ProviderRefused("x", status=529, kind="overloaded_error"), "server_error", "overloaded_error"),
        (ProviderRefused("x", status=403, kind="permission_error"), "invalid_request_error", "permission_error"),
        (ProviderRefused("x", status=400, kind="invalid_request_error"), "invalid_request_error", None),
        (ProviderRefused("x", status=400), "invalid_request_error", "provider_refused"),
    ],
)
def test_errors_are_written_as_openai_does(error, kind, code):
    body = openai_chat.write_error(error, "req-1", streaming=False)
    message = f"x (`{error.param}`)" if error.param else "x"
    assert json.loads(body) == {"error": {"message": message, "type": kind, "param": error.param, "code": code}}
    assert openai_chat.write_error(error, "req-1", streaming=True) == b"data: " + body + b"\n\n"


@pytest.mark.parametrize("dialect", [openai_chat, openai_completions])
@pytest.mark.parametrize("cut", [0, 80, 99])
def test_an_error_in_place_of_a_stream_that_ends_properly_is_that_error(dialect, cut):
    """vLLM says [DONE] after it, too."""
    data = b'data: {"error":{"message":"slow down","type":"rate_limit_error","code":429}}\n\ndata: [DONE]\n\n'
    relay, reader = dialect.relay(True, {}), dialect.reader(True)
    assert relay.feed(data[:cut]) + relay.feed(data[cut:]) == data
    [heard] = reader.feed(data[:cut]) + reader.feed(data[cut:]) + reader.end()
    for error in (relay.failed, heard.error):
        assert (type(error), error.message, error.status) == (ProviderRefused, "slow down", 429)
