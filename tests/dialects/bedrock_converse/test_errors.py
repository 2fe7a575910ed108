"""Errors are read of any body, and written as boto3 knows them."""

import json

from botocore.eventstream import EventStreamBuffer
from botocore.parsers import EventStreamJSONParser, create_parser

from dialects.bedrock_converse.laws import needs_recordings, recorded, service
from headgate.core.errors import InvalidRequest, Overloaded, ProviderCut, ProviderRefused, Unauthenticated, Unsupported
from headgate.dialects import bedrock_converse as dialect
from together import together


@together(
    ("status", "body", "kind", "message"),
    [
        (400, b'{"message":"No such model."}', "ValidationException", "No such model."),
        (403, b'{"Message":"No."}', "AccessDeniedException", "No."),
        (429, b'{"message":"Slow."}', "ThrottlingException", "Slow."),
        (503, b'{"message":"Busy."}', "ServiceUnavailableException", "Busy."),
        (400, b'{"__type":"com.amazon#ServiceQuotaExceeded","message":"x"}', "ServiceQuotaExceeded", "x"),
        (500, b'{"error":{"message":"x","code":"oops"}}', "oops", "x"),
        (500, b"<html><h1>Down</h1></html>", None, "the provider answered 500: Down"),
        (502, b"", None, "the provider answered 502 with an empty body"),
        (400, b"[1]", None, "the provider answered 400: [1]"),
        (400, b"{}", None, "the provider answered 400 without a message"),
        (400, b"\xff\xfe", None, "the provider answered 400: ��"),
    ],
)  # fmt: skip
def test_any_error_is_read(status, body, kind, message):
    error = dialect.read_error(status, body)
    assert (error.status, error.kind, error.message, error.body) == (status, kind, message, body)


ERRORS = [
    (Unauthenticated("no key"), "UnrecognizedClientException"),
    (Unsupported("no", param="messages[0]"), "ValidationException"),
    (Overloaded("busy"), "ServiceUnavailableException"),
    (ProviderCut("cut"), "ServiceUnavailableException"),
    (ProviderRefused("slow", status=429, kind="rate_limit_error"), "ThrottlingException"),
    (ProviderRefused("slow", status=429, kind="ModelNotReadyException"), "ModelNotReadyException"),
    (ProviderRefused("late", status=504), "ModelTimeoutException"),
    (ProviderRefused("teapot", status=418), "ValidationException"),
]


@together(("error", "name"), ERRORS)
def test_boto3_knows_the_error(error, name):
    body = dialect.write_error(error, "req_1", streaming=False)
    response = {"body": body, "headers": {}, "status_code": error.status, "context": {}}
    found = create_parser("rest-json").parse(response, service().operation_model("Converse").output_shape)
    assert found["Error"]["Code"] == name
    assert found["Error"]["Message"].startswith(error.message)


@together(("error", "name"), ERRORS)
def test_boto3_knows_the_error_inside_a_stream(error, name):
    buffer = EventStreamBuffer()
    buffer.add_data(dialect.write_error(error, "req_1", streaming=True))
    [message] = list(buffer)
    shape = service().operation_model("ConverseStream").output_shape.members["stream"]
    response = message.to_response_dict()
    assert response["headers"][":exception-type"] in shape.members
    assert response["status_code"] == 400  # botocore's for every exception; it raises an EventStreamError
    assert EventStreamJSONParser().parse(response, shape)["Error"]["Message"].startswith(error.message)


def test_an_error_says_where_and_whose():
    body = dialect.write_error(InvalidRequest("must be a string", param="system"), "req_1", streaming=False)
    assert body == (
        b'{"__type":"ValidationException","message":"must be a string (`system`)","gateway":{"code":"invalid_request",'
        b'"origin":"gateway","request_id":"req_1","param":"system"}}'
    )


@needs_recordings
def test_recorded_errors_are_read():
    seen = 0
    for exchange in recorded():
        reply = exchange["response"]
        if reply["status"] == 200:
            continue
        error = dialect.read_error(reply["status"], json.dumps(reply["body"]).encode())
        assert error.message == reply["body"]["message"]
        told = (reply.get("headers") or {}).get("x-amzn-errortype", "").partition(":")[0]
        assert error.kind == told or not told or told == "UnrecognizedClientException"
        seen += 1
    assert seen >= 12
