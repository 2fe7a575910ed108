"""The contract of a provider, with the defaults of an OpenAI-compatible one: a subclass states only how it differs."""

from __future__ import annotations

import re
import string
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast
from urllib.parse import SplitResult, urlsplit

import pydantic

from headgate.core import named, plugin
from headgate.core.credential import Arm, Credential
from headgate.core.dialect import Dialect, UrlDialect
from headgate.core.errors import ProviderError, ProviderNonsense, ProviderRefused, Unsupported
from headgate.core.exchange import Exchange, Place
from headgate.core.ports import Response, Upstream
from headgate.core.printable import printable
from headgate.core.reply import Reply, Unread
from headgate.core.request import TYPED
from headgate.core.secrecy import Secrecy
from headgate.core.target import Endpoint, Origin, Shape, Streaming, Target, Timeouts
from headgate.core.trace import new_span
from headgate.dialects import anthropic_messages, opaque, openai_chat
from headgate.dialects.anthropic_messages import invoke
from headgate.dialects.dialect import dialects
from headgate.dialects.fields import reworded
from headgate.providers.auth.auth import Renewed
from headgate.providers.settings import ProviderSettings
from headgate.upstream.allowance import left
from headgate.upstream.unpacked import Unpacked, Unpacker

Header = tuple[bytes, bytes]

ERROR_BYTES = 1 << 20
ANSWERED = (200, 201)
"""Statuses of a reply; the second is what some hosts behind frameworks of their own give."""
ENDPOINTS = 1000
"""Addresses that are remembered of one provider."""
ROOTED = re.compile(r"/(v\d+\w*|api)/")
"""How a path begins that does not stand under an address that ends in the API's version, as OpenAI's does."""
VERSION = (("/v1",), "")
"""The rule (see `Provider.beside`) for such a path at a host with such an address."""
NOWHERE = re.compile(r"((page|path|resource|route|url) )?(was )?(not found|method not allowed)\W*", re.IGNORECASE)
"""What a host says of an address it does not have, in whichever form."""
SECRET_HEADER = re.compile(r"key|token|secret|passw|credential|auth|cookie", re.IGNORECASE)


class Provider:
    """A host that is asked.

    The name in the configuration is the module's name, or a dotted path to a class.
    """

    Settings: ClassVar[type[ProviderSettings]] = ProviderSettings
    base_url: ClassVar[str]
    """The vendor's address; `{account}` in it stands for the setting of that name."""
    env_key: ClassVar[str | None] = None
    """The environment variable the vendor's own SDK takes its key from."""
    other_env_keys: ClassVar[tuple[str, ...]] = ()
    """Other names under which its key is usual, each for want of those before it."""
    catalogue: ClassVar[str | None] = None
    """The provider of the catalogue whose models it serves, where that is not its own name."""
    sample_model: ClassVar[str | None] = None
    """A model to try where the configuration names none."""
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat,)
    """What the host speaks; of each operation the best first."""
    beside: ClassVar[Mapping[str, tuple[tuple[str, ...], str]]] = {}
    """Dialects (by name) that stand beside `base_url` and not under it: its endings to take off, and what to put there
    instead, so that `https://host/v1` and `https://host` both lead to them."""
    renames: ClassVar[Mapping[str, str]] = {}
    """Fields of a chat completion that this host knows by another name only."""
    roles: ClassVar[Mapping[str, str]] = {}
    """Roles in OpenAI's dialects that this host does not know, and what says the same there."""
    usual: ClassVar[Mapping[str, str]] = {}
    """Settings besides the key, and the environment variables the vendor's own SDK takes them from."""
    signs: ClassVar[bool] = False
    """`prove` reads `exchange.outgoing`: also what is forwarded unread has to be there whole."""
    linked: ClassVar[tuple[str, ...]] = ()
    """Fields of JSON replies with a URL of this host that its own SDK goes to next, with the key it has for the
    gateway: in what is forwarded unread they are turned into the gateway's."""
    by_model: ClassVar[bool] = False
    """`url` depends on the model also where the dialect does not."""
    defaults: ClassVar[tuple[tuple[bytes, bytes], ...]] = ()
    """Headers a request gets where the client did not send its own of that name."""
    also_names: ClassVar[tuple[named.Path, ...]] = named.KNOWN
    """Fields of requests that name models besides `model`: a key limited to models may name only those."""

    def __init__(self, name: str, settings: ProviderSettings, *, max_reply_bytes: int = 256 << 20) -> None:
        self.name = name
        self.settings = settings
        self.max_reply_bytes = max_reply_bytes
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        self.key = "" if key == "none" else key
        secrets = [self.key, *(value for name, value in settings.headers.items() if SECRET_HEADER.search(name))]
        others = [value for name, value in settings if name != "api_key" and isinstance(value, pydantic.SecretStr)]
        secrets += [value.get_secret_value() for value in others]
        self.secrecy = Secrecy(secrets)
        own = {name: value.rstrip("/") for name, value in settings if isinstance(value, str)}
        self.address = settings.base_url or getattr(self, "base_url", "").format_map(own)
        self.timeouts = Timeouts(**settings.timeouts.model_dump())
        self.asks_for_usage = settings.ask_for_usage
        self.inline_links = settings.inline_links
        self.propagates = settings.propagate_trace
        self.traits = frozenset(settings.traits)
        self.internal = settings.internal
        self.arms: Sequence[Arm] = ()
        """This provider with each of its keys; `runtime` puts them in."""
        self.credential: Credential | None = None
        """The standing of the key that `send` uses."""
        self.speaks = _dialects(settings.speaks) if settings.speaks else self.dialects
        self.adjusts = type(self).adjust is not Provider.adjust or bool(self.renames or self.roles)
        self.proves = type(self).prove is not Provider.prove
        shaped = settings.set or settings.defaults or settings.drop
        self.shape = Shape(settings.set, settings.defaults, settings.drop) if shaped else None
        self._configured = frozenset(name.lower().encode() for name in settings.headers)
        """Headers that stand in every request as they are configured, whatever a client sends."""
        self._endpoints: dict[str, Endpoint] = {}

    @classmethod
    def needed(cls, settings: ProviderSettings | None = None) -> list[str]:
        """The settings without which there is no address, where `base_url` is not set; `settings` are what is given."""
        if not hasattr(cls, "base_url"):
            return ["base_url"]
        return [name for _, name, _, _ in string.Formatter().parse(cls.base_url) if name]

    @classmethod
    def env_keys(cls) -> tuple[str, ...]:
        """All variables its key may stand in, the vendor's own first."""
        return (cls.env_key, *cls.other_env_keys) if cls.env_key else ()

    @classmethod
    def found(cls, environ: Mapping[str, str]) -> tuple[dict[str, str], str] | None:
        """How to configure it, and because of which variable, where the environment holds all that the vendor's own SDK
        takes from there. What `usual` names is taken from there anyhow."""
        key = next(filter(environ.get, cls.env_keys()), None)
        if key is None:
            return None
        if not all(environ.get(cls.usual.get(name, "")) for name in cls.needed()):
            return None
        return {"api_key": f"env:{key}"}, key

    # What a subclass may state differently

    def auth(self, dialect: Dialect) -> dict[str, str]:
        """The headers that prove who we are."""
        return {"authorization": f"Bearer {self.key}"} if self.key else {}

    async def prove(self, exchange: Exchange, endpoint: Endpoint, upstream: Upstream) -> Sequence[tuple[bytes, bytes]]:
        """Headers that prove who we are and are another for each request: a signature of `exchange.outgoing`, a token
        that expires. `upstream` is for asking for such a token."""
        return ()

    def pack(self, exchange: Exchange, dialect: Dialect, headers: list[Header]) -> list[Header]:
        """For a host that takes an API's requests in a packing of its own: changes `exchange.outgoing` and gives the
        headers to send, out of the client's `headers` that go on to this dialect."""
        if exchange.dialect is invoke and dialect is anthropic_messages and isinstance(exchange.outgoing, bytes):
            exchange.outgoing, headers = invoke.outside(exchange.outgoing, headers)
        return headers

    def unpack(self, dialect: Dialect, stream: bool) -> Unpacker | None:
        """For a host that packs an API's replies: what takes one out. None: they come as the API sends them."""
        return None

    def read_error(self, dialect: Dialect, status: int, body: bytes) -> ProviderRefused:
        """An error of this host. One that is not in the dialect's own form names another `dialect`; never raises."""
        return dialect.read_error(status, body)

    def adjust(self, fields: dict[str, Any], dialect: Dialect, model: str) -> dict[str, Any]:
        """The fields to set (a value) or take out (None) in a request body for this host; {} changes nothing.
        What it is given is left as it is, lists and objects within it, too: other requests may read it."""
        if dialect.name == "openai_responses":
            return reworded(fields, {}, self.roles, "input")
        return reworded(fields, self.renames, self.roles) if dialect is openai_chat else {}

    def target(self, model: str, shape: Shape | None = None) -> Target:
        """A model of this provider, by the name clients know it by; `shape` is the target's own."""
        shape = shape.over(self.shape) if shape is not None else self.shape
        return Target(self, self.settings.models.get(model, model), shape)

    def further(self, fields: Mapping[str, Any]) -> list[named.Named]:
        """The models a request names besides `model`, as this host calls them, and where. Raises InvalidRequest."""
        return named.named(fields, self.also_names)

    def known_as(self, model: str) -> list[str]:
        """The names by which clients ask for what this host calls so."""
        names = self.settings.models
        return [name for name in {*names, model} if names.get(name, name) == model]

    def dialect_for(self, client: Dialect, model: str) -> Dialect:
        """The client's own dialect if this host speaks it, else the host's best for the same operation.

        Raises Unsupported where it serves no such operation.
        """
        if client in self.speaks or client.operation == "opaque":
            return client
        for dialect in self.speaks:
            if dialect.operation == client.operation:
                return dialect
        raise self.unserved(client)

    def unserved(self, client: Dialect) -> Unsupported:
        """The error for an operation that this host, or a model of it, does not have."""
        return Unsupported(
            f"{self.name} serves no requests of this kind ({client.operation.replace('_', ' ')}); ask for a model of "
            "another provider",
            param="model",
        )

    def streams(self, dialect: Dialect, model: str) -> Streaming:
        """What the gateway has to bridge: a stream asked for where there is none, or the other way round."""
        return self.settings.streams

    def url(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        """Where this host takes a request. `fields` are the client's own where it speaks this dialect, else {}.

        A subclass whose addresses hold the model sets `by_model`.
        """
        path = dialect.upstream_path
        if dialect.in_url:
            path = cast(UrlDialect, dialect).write_url(model, stream, fields)
        beside = self.beside.get(dialect.name)
        if beside is None and ROOTED.match(path) and not ROOTED.match(self.dialects[0].upstream_path):
            beside = VERSION
        return self.under_base(path, *beside or ())

    def under_base(self, path: str, endings: tuple[str, ...] = (), instead: str = "") -> str:
        """`base_url` with a path and perhaps a query of its own behind it; `endings` and `instead` as in `beside`."""
        base, mark, query = self.address.partition("?")
        if mark:
            mark = "&" if "?" in path else "?"
        base = base.rstrip("/")
        ending = next((ending for ending in endings if base.endswith(ending)), "")
        return base.removesuffix(ending) + instead + path + mark + query

    # The way of every request

    def endpoint(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> Endpoint:
        """Made on first use, then kept."""
        key = dialect.name
        if dialect.in_url or self.by_model:
            key = f"{key} {self.url(dialect, model, stream, fields)}"
        endpoint = self._endpoints.get(key)
        if endpoint is None:
            if len(self._endpoints) >= ENDPOINTS:
                self._endpoints.clear()
            endpoint = self._endpoints[key] = self._endpoint(dialect, self.url(dialect, model, stream, fields))
        return endpoint

    def _endpoint(self, dialect: Dialect, address: str) -> Endpoint:
        url = urlsplit(address)
        own = {"content-type": "application/json"} if dialect.takes == "json" else {}
        return self._at(url, "POST", url.path + (f"?{url.query}" if url.query else ""), dialect, own)

    def _at(self, url: SplitResult, method: str, place: str, dialect: Dialect, own: Mapping[str, str]) -> Endpoint:
        """The start of a request to a path and query at the origin of `url`."""
        headers = {
            "host": url.netloc.rpartition("@")[2],
            **own,
            "accept": "*/*",
            "user-agent": "headgate",
            **self.auth(dialect),
            **{name.lower(): value for name, value in self.settings.headers.items()},
        }
        lines = [f"{method} {place} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        head = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
        port = url.port or (443 if url.scheme == "https" else 80)
        return Endpoint(Origin(url.scheme, url.hostname or "", port), head, self.timeouts)

    async def send(self, exchange: Exchange, upstream: Upstream) -> Reply:
        """Ask with `exchange.outgoing`; a stream is returned when its head has come, a whole reply when all has."""
        try:
            if exchange.place is not None and exchange.dialect.takes == "raw":
                return await self._forward(exchange, exchange.place, upstream)
            return await self._ask(exchange, upstream)
        except ProviderError as error:
            self.secrecy.clean(error)
            raise

    async def _ask(self, exchange: Exchange, upstream: Upstream) -> Reply:
        dialect = exchange.spoken
        assert dialect is not None
        allowed = dialect.request_headers
        if self._configured:
            allowed -= self._configured
        passed: list[Header] = []
        if not allowed.isdisjoint(exchange.named):
            passed = [header for header in exchange.headers if header[0] in allowed]
        for default in self.defaults:
            if default[0] not in self._configured and not any(name == default[0] for name, _ in passed):
                passed.append(default)
        passed = self.pack(exchange, dialect, passed)
        if self.propagates:
            passed += _trace(exchange)
        fields = exchange.fields if dialect is exchange.dialect else {}
        model = exchange.target.model if exchange.target else exchange.model
        outgoing = exchange.outgoing
        if isinstance(outgoing, bytes) or outgoing is None or outgoing.path is None:
            endpoint = self.endpoint(dialect, model, exchange.streamed, fields)
        else:
            url = urlsplit(self.under_base(outgoing.path))
            endpoint = self._at(url, "POST", url.path + (f"?{url.query}" if url.query else ""), dialect, {})
        if not isinstance(outgoing, bytes) and outgoing is not None and outgoing.content_type is not None:
            passed.append((b"content-type", outgoing.content_type))
        if self.proves:
            passed += await self.prove(exchange, endpoint, upstream)
        response = await upstream.post(endpoint, outgoing, passed)
        exchange.ending.callback(response.close)
        if self.credential is not None:
            self._note(self.credential, model, response)
        if response.status not in ANSWERED:
            raise await self._refusal(dialect, response, model)
        return await self._answered(exchange, dialect, response)

    def _note(self, credential: Credential, model: str, response: Response) -> None:
        """What the provider says is left of the key's limits."""
        rest = left(response.headers, time.time())
        if rest is not None:
            now = time.monotonic()
            if rest.requests == 0:
                credential.limited(model, now, rest.requests_reset)
            if rest.tokens is not None:
                credential.told(model, now, rest.tokens, rest.tokens_reset)

    async def _answered(self, exchange: Exchange, dialect: Dialect, response: Response) -> Reply:
        headers = self._shown(response, dialect.reply_headers)
        kind = self.secrecy.scrub(response.header(b"content-type") or b"")
        unpacker = self.unpack(dialect, exchange.streamed)
        fits = not kind or kind.lower().startswith(dialect.stream_types if unpacker is None else unpacker.types)
        # OpenAI's whisper is never streamed, whatever is asked: https://platform.openai.com/docs/guides/speech-to-text
        whole = dialect.operation == "transcription" and kind.lower().startswith((b"application/json", b"text/plain"))
        if not exchange.streamed or whole:
            body = await response.read(self.max_reply_bytes)
            response.close()
            body = body if unpacker is None else unpacker.feed(body)
            reply = Reply(dialect, stream=False, body=body, headers=headers, secrecy=self.secrecy)
        elif fits:
            if unpacker is not None:
                response = Unpacked(response, unpacker)
            limit = self.max_reply_bytes
            reply = Reply(dialect, True, b"", response, headers, secrecy=self.secrecy, limit=limit)
        else:
            response.close()
            shown = printable(kind[:80].decode("latin-1"))
            raise ProviderNonsense(
                f"{self.name} was asked for a stream and answered with content type {shown!r}; check base_url, or that "
                "this model can stream"
            )
        if dialect.operation in TYPED and dialect is exchange.dialect and reply.stream is exchange.stream:
            reply.content_type = kind or None
        return reply

    async def _forward(self, exchange: Exchange, place: Place, upstream: Upstream) -> Reply:
        """Pass the request on unread, below `base_url` and nowhere else, and its answer back, whatever it is."""
        dialect, body = exchange.dialect, exchange.passing
        assert body is not None
        base = urlsplit(self.address)
        query = opaque.asked(base.query, place.query)
        path = opaque.joined(self._root(base.path), place.rest) + (f"?{query}" if query else "")
        taken = self._configured | {name.encode() for name in self.auth(dialect)}
        passed = [header for header in opaque.passed(exchange.headers) if header[0] not in taken]
        sent = {name for name, _ in passed}
        passed += [default for default in self.defaults if default[0] not in sent and default[0] not in taken]
        if self.propagates:
            passed += _trace(exchange)
        endpoint = self._at(base, exchange.method, path, dialect, {})
        if b"accept" in sent:
            endpoint = replace(endpoint, head=endpoint.head.replace(b"accept: */*\r\n", b"", 1))
        if body.length == 0 and exchange.method in opaque.NO_BODY:
            exchange.outgoing = None
        elif body.length == 0:
            # read although there is nothing: what it does at the provider is not to be done twice either
            exchange.outgoing = b"".join([piece async for piece in body.pieces()])
        elif self.signs:
            exchange.outgoing = b"".join([piece async for piece in body.pieces()])
        if self.proves:
            passed += await self.prove(exchange, endpoint, upstream)
        response = await upstream.post(endpoint, exchange.outgoing, passed)
        exchange.ending.callback(response.close)
        return await self._unread(exchange, place, response)

    def _root(self, path: str) -> str:
        """What is forwarded unread stands under this path: that of `base_url`, or as `beside` says."""
        path = path.rstrip("/")
        endings, instead = self.beside.get("opaque", ((), ""))
        return path.removesuffix(next((ending for ending in endings if path.endswith(ending)), "")) + instead

    async def _unread(self, exchange: Exchange, place: Place, response: Response) -> Reply:
        base, ours = urlsplit(self.address), place.template.encode()
        origin, root = f"{base.scheme}://{base.netloc}".encode(), self._root(base.path).encode()
        headers = []
        for name, value in opaque.given(response.headers):
            if name in opaque.LINKS:
                value = opaque.linked(value, origin, root, ours)
            if name != b"content-type":
                headers.append((name, self.secrecy.scrub(value)))
        reply = Unread(
            exchange.dialect, stream=True, body=b"", headers=headers, secrecy=self.secrecy, status=response.status
        )
        reply.content_type = self.secrecy.scrub(response.header(b"content-type") or b"")
        length = response.header(b"content-length")
        encoded = response.header(b"content-encoding") not in (None, b"identity")
        reply.length = int(length) if length is not None and not encoded else None
        json = reply.content_type.startswith(b"application/json")
        if exchange.method != "HEAD" and (response.status >= 400 or (self.linked and json)):
            body = self.secrecy.scrub(await response.read(self.max_reply_bytes))
            response.close()
            reply.body = opaque.relinked(body, self.linked if json else (), origin + root, ours)
            reply.length = len(reply.body)
        else:
            reply.response = response
        return reply

    async def _refusal(
        self, dialect: Dialect, response: Response, model: str | None
    ) -> ProviderRefused | ProviderNonsense:
        body = await response.read(ERROR_BYTES)
        if response.status < 400:
            return ProviderNonsense(
                f"{self.name} answered {response.status}, which its API does not; "
                "redirects are not followed: check base_url"
            )
        error = self.read_error(dialect, response.status, body)
        error.dialect = error.dialect or dialect
        error.content_type = response.header(b"content-type") or b"application/json"
        error.retry_after = error.retry_after or retry_after(response.header(b"retry-after"))
        if response.status in (404, 405) and _astray(error, model):
            error.message += f" The API does not seem to be there: check base_url of the provider {self.name}."
            error.kind = None  # so that the client is told
        error.headers = self._shown(response, dialect.reply_headers - {b"retry-after"})
        return error

    def _shown(self, response: Response, names: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
        """The reply's headers of these names."""
        return [(name, self.secrecy.scrub(value)) for name, value in response.headers if name in names]

    async def bearer(self, token: Renewed[str], upstream: Upstream) -> Sequence[tuple[bytes, bytes]]:
        """The header for `prove`, of a token that is renewed; none where the configuration has one of its own."""
        if b"authorization" in self._configured:
            return ()
        value = (await token.get(upstream)).encode("latin-1", "replace")
        self.secrecy.learn(value)
        return ((b"authorization", b"Bearer " + value),)


def _astray(error: ProviderRefused, model: str | None) -> bool:
    """Whether a 404 or 405 means that there is no such API, and not that there is no such model."""
    if error.kind is None:
        return "model" not in error.message.lower() and (model is None or model not in error.message)
    return NOWHERE.fullmatch(error.message) is not None


def _trace(exchange: Exchange) -> list[Header]:
    """What tells this host of the trace, if there is one; the attempt is the parent of its spans."""
    if exchange.trace is None:
        return []
    attempt = exchange.attempts[-1]
    attempt.span = new_span()
    return exchange.trace.told(attempt.span)


def _dialects(names: Sequence[str]) -> tuple[Dialect, ...]:
    """Dialects by name, ours or by a dotted path. Raises PluginNotFound."""
    known = {dialect.name: dialect for dialect in dialects()}
    return tuple(known.get(name) or cast(Dialect, plugin.module("dialects", name)) for name in names)


def retry_after(value: bytes | None) -> float | None:
    """Seconds of a `retry-after` header in its delta form (RFC 9110, 10.2.3); the vendors do not send dates."""
    try:
        seconds = float(value) if value else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds < 86400 else None
