"""An OpenTelemetry collector, over OTLP/HTTP: each record is a log record, its attributes named by the conventions.

https://opentelemetry.io/docs/specs/otlp/#otlphttp, https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from pydantic import Field

from headgate import __version__
from headgate.core.printable import json_safe, printable
from headgate.core.record import Record
from headgate.core.usage import Usage
from headgate.records import post
from headgate.records.post import Post
from headgate.records.sinks.sink import Batch, Item, Refused, Sink

PATH = "/v1/logs"
EVENT = "gen_ai.client.inference.operation.details"
INFO, WARN, ERROR = (9, "INFO"), (13, "WARN"), (17, "ERROR")
LONGEST = 1000
"""Characters of an attribute."""
OURS = (
    "key", "organisation", "team", "application", "user", "end_user", "path", "tags", "ending", "origin", "message",
    "cost", "unpriced", "estimated", "downgraded", "data_class",
)  # fmt: skip
"""Fields that no convention knows, as `headgate.…`."""
FIELDS = {
    "log.record.uid": "id",
    "gen_ai.operation.name": "dialect",
    "gen_ai.provider.name": "target",
    "gen_ai.request.model": "model",
    "gen_ai.request.stream": "stream",
    "gen_ai.response.model": "target",
    "gen_ai.response.id": "upstream_id",
    "gen_ai.response.finish_reasons": "finish",
    "gen_ai.response.time_to_first_chunk": "first_token",
    "gen_ai.client.operation.duration": "duration",
    "http.response.status_code": "status",
    "error.type": "error",
    "client.address": "client",
}
_record = msgspec.json.Decoder(Record).decode


class OTLPSettings(post.Settings):
    """What is said of a collector."""

    url: str = Field(description="Where it is: `http://collector:4318`; `/v1/logs` is added where there is no path.")
    encoding: Literal["json", "protobuf"] = Field(
        "json", description="`protobuf` for one that takes no JSON; it needs `pip install 'headgate[otlp]'`."
    )
    resource: dict[str, str] = Field(
        default_factory=dict, description="Attributes of the resource beside `service.name`, which is `headgate`."
    )


class OTLP(Sink):
    """A log record's `log.record.uid` is the record's id, by which one that comes twice is known."""

    Settings = OTLPSettings

    def __init__(self, settings: OTLPSettings) -> None:
        super().__init__(settings)
        self._post = Post(settings)
        bare = settings.url.rstrip("/")
        self._url = bare + PATH if bare.count("/") == 2 else settings.url
        self._resource = {"service.name": "headgate", "service.version": __version__, **settings.resource}

    def send(self, batch: Batch) -> Refused | None:
        protobuf = self.settings.encoding == "protobuf"
        headers = {name: value.get_secret_value() for name, value in self.settings.headers.items()}
        headers["content-type"] = "application/x-protobuf" if protobuf else "application/json"
        body = (_protobuf if protobuf else _json)(self._resource, map(self._log, batch.items))
        answer = self._post.send(self._url, headers, body, packed=self.settings.compress == "gzip")
        return (_refused_protobuf if protobuf else _refused)(answer)

    def close(self) -> None:
        self._post.close()

    def _log(self, item: Item) -> _Log:
        record = _record(item.line)
        severity = INFO
        if record.ending != "complete" or record.status >= 400:
            severity = ERROR if record.status >= 500 or record.ending in ("failed", "cut") else WARN
        told = {name: value for name, value in _told(record).items() if value is not None and value != []}
        told = {name: value for name, value in told.items() if self.settings.gets(_field(name))}
        trace = record.trace
        ids = (trace.id, trace.span) if trace is not None else ("", "")
        ended = round((record.time + record.duration) * 1e6) * 1000
        return _Log(ended, severity, json_safe(item.line.decode()), told, *ids)


class _Partial(msgspec.Struct, rename="camel"):
    rejected_log_records: int = 0
    error_message: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    partial_success: _Partial | None = None


def _refused(answer: bytes) -> Refused | None:
    """What it does not take of them, and does not want again:
    https://opentelemetry.io/docs/specs/otlp/#partial-success-1."""
    try:
        found = msgspec.json.decode(answer, type=_Answer, strict=False).partial_success
    except (msgspec.DecodeError, UnicodeDecodeError):  # some answer with nothing, or with words
        return None
    return Refused(found.rejected_log_records, found.error_message) if found and found.rejected_log_records else None


def _refused_protobuf(answer: bytes) -> Refused | None:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    try:
        found = ExportLogsServiceResponse.FromString(answer).partial_success
    except DecodeError:
        return None
    return Refused(found.rejected_log_records, found.error_message) if found.rejected_log_records else None


class _Log(NamedTuple):
    """A log record. Ids are hexadecimal; "" stands for none."""

    nanoseconds: int
    severity: tuple[int, str]
    body: str
    attributes: dict[str, Any]
    trace: str
    span: str


def _told(record: Record) -> dict[str, Any]:
    provider, _, model = (record.target or "").partition("/")
    found: dict[str, Any] = {
        "log.record.uid": record.id,
        "gen_ai.operation.name": _operation(record.dialect or ""),
        "gen_ai.provider.name": provider or None,
        "gen_ai.request.model": record.model,
        "gen_ai.request.stream": record.stream,
        "gen_ai.response.model": model or None,
        "gen_ai.response.id": record.upstream_id,
        "gen_ai.response.finish_reasons": [record.finish] if record.finish else None,
        "gen_ai.response.time_to_first_chunk": record.first_token,
        "gen_ai.client.operation.duration": record.duration,
        "http.response.status_code": record.status or None,
        "error.type": record.error,
        "client.address": record.client,
    }
    found |= {f"headgate.{name}": getattr(record, name, None) for name in OURS}
    return found | (_tokens(record.usage) if record.usage is not None else {})


def _field(attribute: str) -> str:
    """Of a record, from which an attribute is made."""
    return FIELDS.get(attribute) or ("usage" if ".usage." in attribute else attribute.removeprefix("headgate."))


def _tokens(usage: Usage) -> dict[str, Any]:
    return {
        "gen_ai.usage.input_tokens": usage.prompt,
        "gen_ai.usage.output_tokens": usage.completion,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read or None,
        "gen_ai.usage.cache_creation.input_tokens": (usage.cache_write + usage.cache_write_1h) or None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning or None,
    }


def _operation(dialect: str) -> str:
    """As the conventions call it, where they have it."""
    if "embed" in dialect:
        return "embeddings"
    return {"openai_completions": "text_completion", "gemini_generate": "generate_content"}.get(dialect, "chat")


def _text(value: Any) -> str:
    """No text holds what a terminal acts upon."""
    return printable(str(value), limit=LONGEST)


def _json(resource: Mapping[str, Any], logs: Iterable[_Log]) -> bytes:
    """https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: whole numbers are texts, ids hexadecimal."""
    records = []
    for log in logs:
        number, name = log.severity
        found = {
            "timeUnixNano": str(log.nanoseconds), "observedTimeUnixNano": str(log.nanoseconds),
            "severityNumber": number, "severityText": name, "eventName": EVENT, "body": {"stringValue": log.body},
            "attributes": _attributes(log.attributes),
        }  # fmt: skip
        records.append({**found, "traceId": log.trace, "spanId": log.span} if log.trace else found)
    scoped = {"scope": {"name": "headgate", "version": __version__}, "logRecords": records}
    return msgspec.json.encode(
        {"resourceLogs": [{"resource": {"attributes": _attributes(resource)}, "scopeLogs": [scoped]}]}
    )


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": _text(value)}


def _protobuf(resource: Mapping[str, Any], logs: Iterable[_Log]) -> bytes:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

    def value(given: Any) -> Any:
        if isinstance(given, bool):
            return AnyValue(bool_value=given)
        if isinstance(given, int):
            return AnyValue(int_value=given)
        if isinstance(given, float):
            return AnyValue(double_value=given)
        if isinstance(given, list):
            return AnyValue(array_value=ArrayValue(values=map(value, given)))
        return AnyValue(string_value=_text(given))

    def attributes(given: Mapping[str, Any]) -> Iterable[Any]:
        return (KeyValue(key=name, value=value(each)) for name, each in given.items())

    request = ExportLogsServiceRequest()
    whole = request.resource_logs.add()
    whole.resource.attributes.extend(attributes(resource))
    scoped = whole.scope_logs.add()
    scoped.scope.name, scoped.scope.version = "headgate", __version__
    for log in logs:
        number, name = log.severity
        scoped.log_records.add(
            time_unix_nano=log.nanoseconds, observed_time_unix_nano=log.nanoseconds, severity_number=number,
            severity_text=name, event_name=EVENT, body=AnyValue(string_value=log.body),
            attributes=attributes(log.attributes), trace_id=bytes.fromhex(log.trace), span_id=bytes.fromhex(log.span),
        )  # fmt: skip
    made: bytes = request.SerializeToString()
    return made
