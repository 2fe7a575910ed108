"""An OpenTelemetry collector gets log records, named by the conventions, that its own protocol's library reads."""

import base64
import json

import msgspec
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.semconv._incubating.attributes import client_attributes, gen_ai_attributes, log_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes

from catchers import HTTPCatcher
from headgate.core.record import Record
from headgate.core.trace import Trace
from headgate.core.usage import Usage
from headgate.records.sinks.sink import Batch, Item


@pytest.fixture
def collector():
    with HTTPCatcher() as catcher:
        yield catcher


def read(caught):
    """What a collector reads of it."""
    if caught.headers["content-type"] == "application/json":
        said = json.loads(caught.body)
        for log in said["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
            for name in {"traceId", "spanId"} & log.keys():  # in OTLP's JSON hexadecimal, other than in protobuf's
                log[name] = base64.b64encode(bytes.fromhex(log[name])).decode()
        return ParseDict(said, ExportLogsServiceRequest())
    assert caught.headers["content-type"] == "application/x-protobuf"
    return ExportLogsServiceRequest.FromString(caught.body)


def plain(value):
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [plain(each) for each in found.values] if kind == "array_value" else found


def named(attributes):
    return {each.key: plain(each.value) for each in attributes}


def logs(request):
    return [log for each in request.resource_logs for scope in each.scope_logs for log in scope.log_records]


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_a_record_is_a_log_record(sink, collector, encoding):
    record = Record(
        id="req_1", time=1_790_000_000.25, key="k1", team="red", client="10.0.0.1", dialect="openai_chat", model="chat",
        target="openai/gpt-4o-mini", tags=["a", "b"], status=502, ending="failed", error="provider_failed",
        origin="provider", finish="stop", upstream_id="up-1", duration=1.5, cost="0.25",
        trace=Trace(id="0af7651916cd43dd8448eb211c80319c", span="b7ad6b7169203331"),
        usage=Usage(input=10, cache_read=4, output=7, reasoning=2),
    )  # fmt: skip
    line = msgspec.json.encode(record)
    sink(kind="otlp", url=collector.url, encoding=encoding, resource={"deployment.environment.name": "test"}).send(
        Batch("b", [Item(record.id, record.time, line)])
    )
    [caught] = collector.caught
    assert caught.path == "/v1/logs"
    request = read(caught)
    resource = named(request.resource_logs[0].resource.attributes)
    assert resource["service.name"] == "headgate"
    assert resource["deployment.environment.name"] == "test"
    [log] = logs(request)
    assert (log.trace_id.hex(), log.span_id.hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert log.time_unix_nano == 1_790_000_001_750_000_000
    assert (log.severity_number, log.severity_text) == (17, "ERROR")
    assert json.loads(log.body.string_value) == json.loads(line)
    assert named(log.attributes) == {
        log_attributes.LOG_RECORD_UID: "req_1",
        gen_ai_attributes.GEN_AI_OPERATION_NAME: "chat",
        gen_ai_attributes.GEN_AI_PROVIDER_NAME: "openai",
        gen_ai_attributes.GEN_AI_REQUEST_MODEL: "chat",
        gen_ai_attributes.GEN_AI_REQUEST_STREAM: False,
        gen_ai_attributes.GEN_AI_RESPONSE_MODEL: "gpt-4o-mini",
        gen_ai_attributes.GEN_AI_RESPONSE_ID: "up-1",
        gen_ai_attributes.GEN_AI_RESPONSE_FINISH_REASONS: ["stop"],
        "gen_ai.client.operation.duration": 1.5,
        gen_ai_attributes.GEN_AI_USAGE_INPUT_TOKENS: 14,
        gen_ai_attributes.GEN_AI_USAGE_OUTPUT_TOKENS: 9,
        gen_ai_attributes.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 4,
        gen_ai_attributes.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: 2,
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 502,
        error_attributes.ERROR_TYPE: "provider_failed",
        client_attributes.CLIENT_ADDRESS: "10.0.0.1",
        "headgate.key": "k1",
        "headgate.team": "red",
        "headgate.tags": ["a", "b"],
        "headgate.path": "",
        "headgate.ending": "failed",
        "headgate.origin": "provider",
        "headgate.cost": "0.25",
        "headgate.estimated": False,
    }


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_all_kinds_of_records_can_be_said(sink, batch, collector, encoding):
    some = batch(200)
    sink(kind="otlp", url=f"{collector.url}/custom", encoding=encoding).send(some)
    [caught] = collector.caught
    assert caught.path == "/custom"
    found = logs(read(caught))
    assert [named(log.attributes)["log.record.uid"] for log in found] == [item.id for item in some.items]
    assert {log.severity_text for log in found} == {"INFO", "WARN", "ERROR"}


def test_a_record_of_few_fields_will_do(sink, collector):
    sink(kind="otlp", url=collector.url).send(Batch("b", [Item("r", 1.0, b'{"id":"r","time":1.0}')]))
    [log] = logs(read(collector.caught[0]))
    assert named(log.attributes)["log.record.uid"] == "r"


def test_nothing_that_a_terminal_acts_upon_is_said(sink, nasty, collector):
    sink(kind="otlp", url=collector.url).send(Batch("b", nasty.items))
    for log in logs(read(collector.caught[0])):
        nasty.assert_harmless(log.body.string_value)
        for value in named(log.attributes).values():
            nasty.assert_harmless(str(value))


def test_nothing_is_said_of_fields_that_it_is_not_to_get(sink, collector):
    told = {"fields": ["model", "status"], "without": ["status"]}
    line = b'{"id":"req_1","time":1790000000.25,"model":"chat"}'
    sink(kind="otlp", url=collector.url, **told).send(Batch("b", [Item("req_1", 1_790_000_000.25, line)]))
    [log] = logs(read(collector.caught[0]))
    assert named(log.attributes) == {"log.record.uid": "req_1", "gen_ai.request.model": "chat"}


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_what_a_collector_does_not_take_of_a_batch_is_told(sink, batch, collector, encoding):
    partial = {"rejectedLogRecords": "2", "errorMessage": "too old"}
    said = json.dumps({"partialSuccess": partial}).encode()
    if encoding == "protobuf":
        said = ParseDict({"partialSuccess": partial}, ExportLogsServiceResponse()).SerializeToString()
    made = sink(kind="otlp", url=collector.url, encoding=encoding)
    for answer, refused in ((said, (2, "too old")), (b"", None), (b"{}", None), (b"ok\xff", None)):
        collector.answer = lambda caught, answer=answer: (200, answer)
        if encoding == "json" or answer != b"{}":
            assert made.send(batch(5)) == refused
