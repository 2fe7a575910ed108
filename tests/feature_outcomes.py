"""What becomes of each feature at each provider, found out by asking the gateway's own code in one process.

The gateway is whole, but for the sockets: its upstream is `anybody`.
"""

import asyncio
import json
import re
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from anybody import answer, dialect_at
from feature_table import FEATURES, Came, Feature
from gateways import ADMIN_KEY
from headgate.catalog.shelf import Shelf, bundled
from headgate.config.load import load
from headgate.config.secrets import hash_key
from headgate.core import plugin
from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError, ProviderUnreachable
from headgate.core.request import PASSED
from headgate.dialects import openai_chat
from headgate.dialects.dialect import dialects
from headgate.providers.provider import Provider
from headgate.runtime.build import build
from headgate.runtime.gateway import Ports
from headgate.server.app import App

AWS = "AKIAIOSFODNN7EXAMPLE"
GIVEN = {
    "access_key_id": AWS,
    "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "account": "acme-eu",
    "account_id": "0123abcd",
    "host": "http://host",
    "project": "acme-eu",
    "project_id": "0123-abcd",
}
"""Settings a host is given where it has them; the rest of what it needs stands in its address or its key."""
KEY = "sk-feature-0123456789abcdef"
CLIENTS = {dialect.name: dialect for dialect in dialects()}
STREAMS = ("both", "never", "always")
SOME_MODEL = "a-model"
WITHIN = re.compile(r"\w+:(?!//)")
"""The address of what answers inside the gateway: a scheme and no host."""


class Row(NamedTuple):
    """A provider, and a model of its that stands for those that are asked in the same dialect."""

    provider: str
    model: str
    spoken: str
    """The dialect that conversations reach it in."""
    alone: bool
    """It speaks no other to clients of OpenAI's."""

    @property
    def kind(self):
        return hosts()[self.provider]

    @property
    def title(self):
        return self.provider if self.alone else f"{self.provider} {self.model}"


@cache
def hosts() -> dict[str, type[Provider]]:
    """The providers that are asked over a network, found by listing the folder."""
    every = plugin.every("providers", Provider).items()
    return {name: kind for name, kind in every if not WITHIN.match(getattr(kind, "base_url", ""))}


@cache
def rows():
    """Every provider, once for each dialect it is asked in by clients of OpenAI's, by the models the catalogue has."""
    return [row for name, kind in hosts().items() for row in _rows(name, kind)]


def _rows(name, kind):
    made = kind(name, kind.Settings(base_url="http://127.0.0.1:9"))
    models = [kind.sample_model] if kind.sample_model else []
    models += [entry.id for entry in known(kind.catalogue or name) if "chat" in entry.ops.split()] or [SOME_MODEL]
    models += [other.sample_model for other in hosts().values() if other.sample_model]  # of those it may have some
    found = {}
    for model in models:
        try:
            found.setdefault(made.dialect_for(openai_chat, model).name, model)
        except GatewayError:
            found.setdefault("", model)
    return [Row(name, model, spoken, len(found) == 1) for spoken, model in found.items()]


@cache
def known(provider):
    """What the catalogue came with of a provider's models: the latest first, of those the ones that can most."""
    layer = bundled(provider)
    entries = Shelf(provider, [layer]).models() if layer else ()
    return sorted(entries, key=lambda entry: (entry.released or "", len(entry.can.split()), entry.id), reverse=True)


def configuration(upstream):
    """Every provider, three times: as it is, and as one that never or only streams."""
    providers = {}
    for name, kind in hosts().items():
        settings = {"kind": name, "base_url": upstream + "/{name}" + _path(kind), **_proof(name, kind)}
        for streams in STREAMS:
            own = at(name, streams)
            providers[own] = {**settings, "base_url": settings["base_url"].replace("{name}", own), "streams": streams}
    return json.dumps(
        {
            "server": {"host": "127.0.0.1", "port": "{PORT}"},
            "data_dir": "{DATA}",
            "retry": {"attempts": 1},
            "catalogue": {"enforce": False},
            "providers": providers,
        }
    ).replace('"{PORT}"', "{PORT}")


def at(name, streams):
    """The name in the configuration."""
    return name if streams == "both" else f"{name}__{streams}"


def _path(kind):
    address = getattr(kind, "base_url", "http://host/v1" if kind.dialects[0] is openai_chat else "http://host")
    return urlsplit(re.sub(r"\{(\w+)\}", lambda found: GIVEN.get(found[1], "somewhere"), address)).path.rstrip("/")


def _proof(name, kind):
    """Static credentials of the kind it takes; a token instead of a key that one is had for."""
    known = {field: value for field, value in GIVEN.items() if field in kind.Settings.model_fields}
    if "access_key_id" in known:
        return known
    made = kind(name, kind.Settings(base_url="http://127.0.0.1:9", api_key=KEY, **known))
    return {**known, "api_key": KEY, **({"headers": {"authorization": f"Bearer {KEY}"}} if made.proves else {})}


# --- asking


class Asked(NamedTuple):
    path: str
    body: bytes
    client: Dialect
    streamed: bool
    kind: str = "application/json"


def request(row: Row, feature: Feature) -> Asked:
    """What a client sends."""
    client = CLIENTS[feature.client]
    model = f"{at(row.provider, feature.streams)}/{model_for(row, feature)}"
    if isinstance(feature.body, bytes):
        return Asked(f"/{row.provider}/some/new/thing?x=1", feature.body, client, True)
    if feature.form is not None:
        body, kind = multipart({**feature.body, "model": model}, *feature.form)
        return Asked(client.paths[0], body, client, False, kind)
    streamed = feature.body.get("stream", False)
    if client.in_url:
        return Asked(client.paths[0].replace("{model}", model), json.dumps(feature.body).encode(), client, streamed)
    return Asked(client.paths[0], json.dumps({**feature.body, "model": model}).encode(), client, streamed)


def multipart(fields, name, file):
    """A form's bytes and content type."""
    mark = "feature-boundary"
    lines = [f'--{mark}\r\ncontent-disposition: form-data; name="{key}"\r\n\r\n{fields[key]}\r\n' for key in fields]
    head = f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = "".join([*lines, head]).encode() + file + f"\r\n--{mark}--\r\n".encode()
    return body, f"multipart/form-data; boundary={mark}"


def model_for(row, feature):
    """The row's own, or one that is for this operation: some hosts look at its name."""
    operation = CLIENTS[feature.client].operation
    if operation in ("chat", "count_tokens", "opaque") or {each.operation for each in row.kind.dialects} == {operation}:
        return row.model
    models = known(row.kind.catalogue or row.provider)
    return next((entry.id for entry in models if operation in entry.ops.split()), row.model)


@dataclass
class Sent:
    """What reached a provider."""

    path: str
    body: bytes


def reached(row, feature, sent):
    """Whether it, a request of all that were made, is what the feature is about."""
    text = sent.body.decode("utf-8", "replace")
    if not all(needle in text for needle in feature.needles):
        return False
    if feature.client == "opaque":
        return sent.path.endswith("/some/new/thing?x=1") and sent.body == feature.body
    if feature.reached is bool:
        return True
    path = sent.path.partition("?")[0]
    dialect = dialect_at(path, row.kind.dialects)
    if dialect is None:
        return False
    fields = {"model": row.model, **json.loads(sent.body), **(in_url(dialect, path) if dialect.in_url else {})}
    try:
        return bool(feature.reached(dialect.read_request(fields)))
    except GatewayError:
        return False


def in_url(dialect, path):
    """What an address says of the request."""
    for template in dialect.paths:
        pattern = re.escape(template).replace(r"\{model\}", "(?P<model>[^/]+)")
        if found := re.search(re.sub(r"\\\{\w+\\\}", "[^/]+", pattern) + "$", path):
            return dialect.read_url(template, unquote(found["model"]), {})
    return {}


def given(asked, status, body):
    """What a client has of it."""
    if status != 200 or asked.client.operation in PASSED:
        return Came(status, body, [])
    reader = asked.client.reader(asked.streamed)
    return Came(status, body, [*reader.feed(body), *reader.end()])


# --- in one process


class Outcome(NamedTuple):
    """`word` is "yes"; "lossy": it is carried, with something beside it lost; "without": the request goes on without
    it; "no": refused; "here": the gateway answers it itself; "silent": it did not come through, and nobody says so,
    which should not be.

    `told` is what is lost of the request, or the field and the message that it was refused with. What a reply holds
    besides is another matter: see the pages of fidelity.
    """

    word: str
    told: tuple[tuple[str, str], ...] = ()
    answered: bool = True
    """The provider's reply is at hand, and was seen to come back as it should."""


@dataclass
class Response:
    """Implements core.ports.Response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name):
        return dict(self.headers).get(name)

    async def read(self, limit):
        return self.body

    async def chunk(self):
        body, self.body = self.body, b""
        return body

    def finish(self):
        pass

    def close(self):
        pass


@dataclass
class Outside:
    """All ports of a gateway: it keeps what is sent and recorded."""

    said: Any = None
    sent: list[Sent] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)
    full = False

    def append(self, record):
        self.records.append(record)

    def count(self, record):
        pass

    async def post(self, endpoint, body, headers=()):
        path = endpoint.head.split(b" ", 2)[1].decode()
        if body is not None and not isinstance(body, bytes):
            body = b"".join([piece async for piece in body.pieces()])
        self.sent.append(Sent(path, body or b""))
        found = answer(path, body or b"", self.said)
        if found.status is None:
            raise ProviderUnreachable("no reply is at hand")
        return Response(found.status, [(b"content-type", found.kind.encode())], found.body)


@cache
def outcomes() -> dict[tuple[Row, str], Outcome]:
    """Of every provider and feature."""
    return asyncio.run(_outcomes())


async def _outcomes():
    outside = Outside()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "headgate.yaml"
        text = configuration("http://127.0.0.1:9").replace("{PORT}", "9").replace("{DATA}", folder)
        path.write_text(text)
        gateway = build(load(path, {}).config, Ports(outside, outside, outside), hash_key(ADMIN_KEY))
        app = App(SimpleNamespace(gateway=gateway), {})
        return {
            (row, feature.name): await _outcome(app, outside, row, feature) for row in rows() for feature in FEATURES
        }


async def _outcome(app, outside, row, feature):
    asked = request(row, feature)
    outside.said, outside.sent = feature.said, []
    status, body = await _over_asgi(app, asked)
    if not outside.sent and status != 200:
        return Outcome("no", (refusal(asked, body),))
    if not outside.sent:
        return Outcome("here" if feature.came(given(asked, status, body)) else "silent")
    record = outside.records[-1]
    lost = tuple((loss.path, loss.why) for loss in record.lost if not loss.path.startswith("reply."))
    if not any(reached(row, feature, sent) for sent in outside.sent):
        return Outcome("without" if lost else "silent", lost)
    nobody = record.error == ProviderUnreachable.code
    if not nobody and not feature.came(given(asked, status, body)):
        return Outcome("silent", lost)
    return Outcome("lossy" if lost else "yes", lost, not nobody)


def refusal(asked, body):
    """The field that an error names, and its message; not every API has a place of its own for the field."""
    answer = json.loads(body)
    error = answer.get("error", answer)
    message = error.get("message", "")
    named = re.search(r"(?:`([^`]+)`\)?$|a (model) of another)", message)
    return error.get("param") or (named[1] or named[2] if named else ""), message


async def _over_asgi(app, asked):
    path, _, query = asked.path.partition("?")
    head = {}
    pieces = []
    scope = {
        "type": "http", "method": "POST", "scheme": "http", "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "client": ("127.0.0.1", 1),
        "headers": [
            (b"host", b"gateway"), (b"authorization", f"Bearer {ADMIN_KEY}".encode()),
            (b"content-type", asked.kind.encode()), (b"content-length", b"%d" % len(asked.body)),
        ],
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": asked.body}

    async def send(message):
        if message["type"] == "http.response.start":
            head.update(message)
        else:
            pieces.append(message["body"])

    await app(scope, receive, send)
    return head["status"], b"".join(pieces)
