"""Whatever a provider's API has beside what is understood here: forwarded unread, in both directions.

    /{provider}/…     any method but TRACE, any path, any query, any body

This module says what may go through: which headers, which paths. It reads no body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from headgate.core.chat import Loss
from headgate.core.dialect import Account, Dialect
from headgate.core.errors import GatewayError, InvalidRequest, ProviderRefused, Unsupported
from headgate.core.events import Event, Stop
from headgate.core.request import Operation, Request
from headgate.dialects import openai_errors

Headers = Sequence[tuple[bytes, bytes]]

PATH = "/{provider}/{path}"
NO_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Methods whose requests have no body unless they say so."""

_PASSED = frozenset({b"accept", b"accept-language", b"range", b"prefer", b"idempotency-key", b"x-idempotency-key"})
_PASSED_FAMILIES = (
    b"content-", b"if-", b"openai-", b"anthropic-", b"x-goog-", b"x-amzn-bedrock-", b"x-ms-", b"xi-", b"x-upload-",
    b"upload-", b"tus-", b"mistral-", b"cohere-", b"groq-", b"deepgram-",
)  # fmt: skip
_KEPT = frozenset(
    {
        b"content-length",  # framing is the gateway's own
        b"openai-organization",  # whose account is asked is for the configuration to say
        b"openai-project",
        b"x-goog-user-project",
        b"xi-api-key",
        b"upload-key",
    }
)
_CREDENTIAL = re.compile(rb"key|token|secret|passw|credential|auth|cookie|iam")
_HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authentication-info", b"te", b"trailer",
        b"transfer-encoding", b"upgrade", b"proxy-connection", b"http2-settings",
    }
)  # fmt: skip
_NOT_GIVEN = frozenset(
    {
        b"set-cookie", b"set-cookie2", b"content-length", b"content-encoding", b"x-request-id", b"server", b"date",
        b"via", b"alt-svc", b"strict-transport-security", b"nel", b"report-to", b"cf-ray", b"cf-cache-status",
        b"www-authenticate", b"access-control-allow-origin", b"access-control-allow-credentials",
        b"access-control-allow-headers", b"access-control-allow-methods", b"access-control-expose-headers",
    }
)  # fmt: skip
LINKS = frozenset(
    {b"location", b"content-location", b"operation-location", b"x-goog-upload-url", b"x-goog-upload-control-url"}
)
"""Headers of a reply with a URL that a client goes to next, with the key it has for the gateway."""

_SEGMENTS = re.compile(rb"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)+")
_QUERY = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]{}|\"<>^`\\]|%[0-9A-Fa-f]{2})*")
_VERSION = re.compile(r"v[0-9]+[a-z0-9.]*")
_KEYS = frozenset({b"key", b"api_key", b"api-key", b"apikey", b"access_token", b"auth_token", b"oauth_token"})
"""Fields of a query in which APIs take keys."""


def passed(headers: Headers) -> list[tuple[bytes, bytes]]:
    """A client's headers that go on to the provider."""
    return [
        (name, value)
        for name, value in headers
        if (name in _PASSED or name.startswith(_PASSED_FAMILIES)) and name not in _KEPT and not _secret(name)
    ]


def _secret(name: bytes) -> bool:
    return name not in _PASSED and _CREDENTIAL.search(name) is not None


def given(headers: Headers) -> list[tuple[bytes, bytes]]:
    """A provider's headers that go on to the client, without those of the connection and those that hold secrets."""
    named = {
        part.strip().lower() for name, value in headers if name == b"connection" for part in value.split(b",")
    }  # RFC 9110 7.6.1
    return [
        (name, value)
        for name, value in headers
        if name not in _HOP_BY_HOP
        and name not in _NOT_GIVEN
        and name not in named
        and not name.startswith((b"x-headgate-", b"proxy-"))
    ]


def linked(value: bytes, origin: bytes, root: bytes, ours: bytes) -> bytes:
    """Where a reply leads, as the gateway's own address, if it stands below what is forwarded: `root` at `origin`."""
    place = value.removeprefix(origin) if value.startswith(origin + b"/") else value
    if not place.startswith(root + b"/") or place[:2] == b"//":
        return value
    return ours + place[len(root) :]


def relinked(body: bytes, fields: Sequence[str], theirs: bytes, ours: bytes) -> bytes:
    """JSON in which these fields lead to the gateway, where they led below an address of the provider's."""
    for field in fields:
        link = rb'("%b"\s*:\s*")%b(?=[/"])' % (field.encode(), re.escape(theirs))
        body = re.sub(link, lambda found: found[1] + ours, body)
    return body


def joined(base: str, rest: bytes) -> str:
    """The path at the provider: `rest`, which begins with a slash, below the path of its base_url.

    What the base_url ends in, up to its version, may stand at the beginning of `rest` again: the vendors' SDKs differ
    in whether their base URL holds it. Raises InvalidRequest for what could mean another place than it says.
    """
    if _SEGMENTS.fullmatch(rest) is None:
        raise InvalidRequest("the path holds characters that a URL's path does not; percent-encode them")
    for segment in rest[1:].split(b"/"):
        _check_segment(segment)
    if b"//" in rest:
        raise InvalidRequest("the path holds an empty segment (`//`); write it with single slashes")
    path = rest.decode("ascii")
    have = base.strip("/").split("/")
    asked = path[1:].split("/")
    if _VERSION.fullmatch(have[-1]):
        for count in range(min(len(have), len(asked)), 0, -1):
            if have[-count:] == asked[:count]:
                path = "".join(f"/{segment}" for segment in asked[count:])
                break
    return base.rstrip("/") + path or "/"


def _check_segment(segment: bytes) -> None:
    """Servers differ in how often they decode a path, and in what they take for a separator: none of it is sent."""
    decoded = segment
    for _ in range(4):
        if decoded.partition(b";")[0] in (b".", b".."):
            raise InvalidRequest("the path holds a dot segment (`.` or `..`), which is not forwarded")
        if any(byte in b"/\\" or byte < 32 or byte == 127 for byte in decoded):
            raise InvalidRequest("the path holds an encoded slash, backslash or control character; it is not forwarded")
        again = unquote_to_bytes(decoded)
        if again == decoded:
            return
        decoded = again
    raise InvalidRequest("the path is percent-encoded more than once; it is not forwarded")


def asked(base: str, query: bytes) -> str:
    """The query at the provider: the base_url's own, then the client's without the fields in which APIs take keys."""
    if _QUERY.fullmatch(query) is None:
        raise InvalidRequest("the query holds characters that a URL does not; percent-encode them")
    kept = [
        field
        for field in query.split(b"&")
        if field and unquote_to_bytes(field.partition(b"=")[0].replace(b"+", b" ")).strip().lower() not in _KEYS
    ]
    return "&".join(filter(None, (base, b"&".join(kept).decode("ascii"))))


class Silence(Account):
    """Reads and writes nothing: what is not read has no events."""

    def feed(self, data: bytes) -> bytes:
        self.started = True
        return data

    def end(self) -> bytes:
        self.complete = True
        return b""


class Deaf:
    def feed(self, data: bytes) -> list[Event]:
        return []

    def end(self) -> list[Event]:
        return [Stop(reason="stop")]


class Mute:
    def feed(self, events: Sequence[Event]) -> bytes:
        return b""

    def end(self) -> bytes:
        return b""


class Opaque:
    """The dialect of everything that is forwarded unread; of each provider its own, for its errors."""

    name = "opaque"
    operation: Operation = "opaque"
    paths = (PATH,)
    upstream_path = PATH
    in_url = False
    takes: Literal["raw"] = "raw"
    stream_types = (b"",)
    request_headers: frozenset[bytes] = frozenset()
    reply_headers: frozenset[bytes] = frozenset()

    def __init__(self, voice: Dialect | None = None) -> None:
        """`voice`: the dialect in which its clients read errors; None: OpenAI's."""
        self._voice = voice
        if voice is not None:
            self.reply_headers = voice.reply_headers

    def content_type(self, stream: bool, fields: Mapping[str, Any]) -> bytes:
        return b"application/octet-stream"

    def read_request(self, fields: Mapping[str, Any]) -> Request:
        return Request(dialect=self.name, model="*")

    def write_request(self, request: Any, lost: list[Loss]) -> bytes:
        raise Unsupported("a request that is forwarded unread cannot be written in other words")

    def foreign(self, body: bytes) -> bool:
        return False

    def wanted(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def reader(self, stream: bool) -> Deaf:
        return Deaf()

    def writer(self, stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Mute:
        return Mute()

    def relay(self, stream: bool, request: Mapping[str, Any]) -> Silence:
        return Silence()

    def read_error(self, status: int, body: bytes) -> ProviderRefused:
        voice = self._voice
        return openai_errors.read_error(status, body) if voice is None else voice.read_error(status, body)

    def write_error(self, error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
        """Nothing can be said in the middle of bytes that are not read: they break off."""
        if streaming:
            return b""
        if self._voice is None:
            return openai_errors.write_error(error, request_id, streaming=False)
        return self._voice.write_error(error, request_id, streaming=False)


more = (Opaque(),)
