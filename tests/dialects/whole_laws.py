"""What the tests of operations with one JSON in and one out share: their dialects, fixtures, and recorded traffic."""

import json
from pathlib import Path

import pytest

from headgate.core.events import Result, Start, Stop, Used
from headgate.dialects import unreached
from headgate.dialects.dialect import crossed, dialects
from together import together

HERE = Path(__file__).parent
RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "exchanges"
needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")
OPERATIONS = ("embeddings", "rerank", "moderation", "images")
DIALECTS = [
    dialect
    for dialect in dialects()
    if dialect.operation in OPERATIONS
    and dialect.takes == "json"
    and dialect.read_request is not unreached.read_request
]
ONE_EACH = {"ollama_embeddings", "titan_embed"}
"""Dialects with one embedding in a reply."""
BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def fixtures(kind):
    return [(own, path) for own in DIALECTS for path in sorted((HERE / own.name / "fixtures" / kind).glob("*.json"))]


def named(kind):
    found = fixtures(kind)
    return together(("own", "path"), found)


def others(own):
    return [other for other in DIALECTS if other.operation == own.operation and other is not own]


def pairs():
    found = [(own, other) for own in DIALECTS for other in others(own)]
    return together(("own", "other"), found)


def loaded(path):
    return json.loads(path.read_bytes())


def without_nulls(value):
    return {key: item for key, item in value.items() if item is not None}


def read(own, body):
    """The events of a whole reply; they are well formed."""
    reader = own.reader(False)
    found = reader.feed(body) + reader.end()
    assert isinstance(found[0], Start)
    assert isinstance(found[-1], Stop)
    assert found[-1].reason == "stop"
    [_] = [event for event in found if isinstance(event, Result)]
    return found


def write(own, events, request):
    lost = []
    writer = own.writer(False, request, lost)
    return writer.feed(events) + writer.end(), lost


def value_of(events):
    return next(event.value for event in events if isinstance(event, Result))


def usage_of(events):
    return next((event.usage for event in events if isinstance(event, Used)), None)


def said(other, own, fields):
    """A request of `own` in the words of `other`, and what was lost."""
    lost = []
    body = crossed(other, own.read_request(fields), lost)
    return json.loads(body), [loss.path for loss in lost]


def said_in_body(own, fields):
    """Without what stands in the URL."""
    return {key: value for key, value in fields.items() if not (own.in_url and key in ("model", "stream", "method"))}
