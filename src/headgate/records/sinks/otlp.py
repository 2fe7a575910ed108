"""An OpenTelemetry collector, over OTLP/HTTP: each record is a log record, its attributes named by the conventions.

https://opentelemetry.io/docs/specs/otlp/#otlphttp, https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from pydantic import Field

from headgate import __version__
from headgate.core.printable import json_safe, printable
from headgate.core.record import Record
from headgate.core.usage import Usage
from headgate.records import post
from headgate.records.post import Post
from headgate.records.sinks.sink import Batch, Item, Sink

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
        named = {"service.name": "headgate", "service.version": __version__, **settings.resource}
        self._resource = {"attributes": _attributes(named)}

    def send(self, batch: Batch) -> None:
        scope = {"name": "headgate", "version": __version__}
        logs = {"scope": scope, "logRecords": [_log(item) for item in batch.items]}
        told = {"resourceLogs": [{"resource": self._resource, "scopeLogs": [logs]}]}
        protobuf = self.settings.encoding == "protobuf"
        headers = {name: value.get_secret_value() for name, value in self.settings.headers.items()}
        headers["content-type"] = "application/x-protobuf" if protobuf else "application/json"
        body = _protobuf(told) if protobuf else msgspec.json.encode(told)
        self._post.send(self._url, headers, body, packed=self.settings.compress == "gzip")

    def close(self) -> None:
        self._post.close()


def _log(item: Item) -> dict[str, Any]:
    record = _record(item.line)
    number, name = INFO
    if record.ending != "complete" or record.status >= 400:
        number, name = ERROR if record.status >= 500 or record.ending in ("failed", "cut") else WARN
    ended = str(round((record.time + record.duration) * 1e6) * 1000)
    found = {
        "timeUnixNano": ended,
        "observedTimeUnixNano": ended,
        "severityNumber": number,
        "severityText": name,
        "eventName": EVENT,
        "body": {"stringValue": json_safe(item.line.decode())},
        "attributes": _attributes(_told(record)),
    }
    if record.trace is None:
        return found
    return {**found, "traceId": record.trace.id, "spanId": record.trace.span}


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


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": name, "value": _value(value)} for name, value in values.items() if value is not None and value != []
    ]


def _value(value: Any) -> dict[str, Any]:
    """As OTLP's JSON has it: whole numbers are texts, and no text holds what a terminal acts upon."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": printable(str(value), limit=LONGEST)}


def _protobuf(told: dict[str, Any]) -> bytes:
    """The same in the other encoding, whose JSON has ids in base64 where OTLP's has them in hexadecimal."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    for log in told["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
        for name in ("traceId", "spanId"):
            if name in log:
                log[name] = base64.b64encode(bytes.fromhex(log[name])).decode()
    made: bytes = ParseDict(told, ExportLogsServiceRequest()).SerializeToString()
    return made
