"""An OpenTelemetry collector: what is sent to it over HTTP is read as the protocol says."""

import contextlib
import gzip
import time
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services import service


@dataclass
class Span:
    """As it came. Ids are hexadecimal, times nanoseconds."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    failed: bool
    start: int
    end: int
    state: str
    attributes: dict
    resource: dict


class Collector:
    """What has come so far. `status` is what it answers."""

    def __init__(self):
        self.spans = []
        self.headers = []
        self.status = 200
        self.refused = 0

    def answer(self, path, headers, body):
        if self.status != 200 or path != "/v1/traces":
            self.refused += 1
            return self.status if self.status != 200 else 404, {}
        self.headers.append(dict(headers))
        body = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = told(sent.resource.attributes)
            self.spans += [read(span, resource) for scope in sent.scope_spans for span in scope.spans]
        return 200, {}

    def trace(self, id, seconds=60.0):
        """The request's span of a trace, and those below it in the order of their beginning, once they are there."""
        until = time.monotonic() + seconds
        while not (found := [span for span in self.spans if span.trace == id]):
            assert time.monotonic() < until, f"there is no trace {id}, but {[span.trace for span in self.spans]}"
            time.sleep(0.02)
        (root,) = (span for span in found if span.kind == 2)
        below = sorted((span for span in found if span is not root), key=lambda span: span.start)
        assert {span.parent for span in below} <= {root.id}
        return root, below


def read(span, resource):
    return Span(
        span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.kind,
        span.status.code == 2, span.start_time_unix_nano, span.end_time_unix_nano, span.trace_state,
        told(span.attributes), resource,
    )  # fmt: skip


def told(attributes):
    """Their names with plain values."""
    found = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        found[each.key] = [one.string_value for one in value.values] if kind == "array_value" else value
    return found


@contextlib.contextmanager
def collecting():
    """A collector, and its address."""
    collector = Collector()
    with service(collector.answer) as address:
        yield collector, address
