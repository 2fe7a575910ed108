"""Checks a request's head for everything a proxy must not be in doubt about: target, Host, and where the body ends.

llhttp (under httptools) already refuses, with all its leniencies off: bare CR or LF, obs-fold, whitespace before the
colon, control characters, names that are no tokens, differing or malformed content-lengths and chunk sizes.
What it lets pass and RFC 9112 (or caution) does not is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from headgate.server.refusals import Refusal, bad_request

Headers = list[tuple[bytes, bytes]]

FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\])(?::[0-9]{0,5})?")
TARGET = re.compile(rb"[!$-~\"]+")
ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]+)(/[^?]*)?(\?.*)?")
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})|%(?:[01][0-9A-Fa-f]|7[Ff])")


class Head(NamedTuple):
    """One that has been checked. A connection's next one mostly says the same but for its content-length."""

    url: bytes
    method: bytes
    version: str
    headers: Headers
    place: int
    """Of the content-length among them; -1: there is none, and so no body."""
    waiting: bool
    scope: Mapping[str, Any]
    """Of ASGI, without the headers."""

    def length_of(self, url: bytes, method: bytes, version: str, headers: Headers) -> int | None:
        """The body's length, where all else is the same as here; None where it is to be looked at."""
        known, place = self.headers, self.place
        if len(headers) != len(known) or url != self.url or method != self.method or version != self.version:
            return None
        if place < 0:
            return 0 if headers == known else None
        own = headers[place]
        headers[place] = known[place]
        same = headers == known
        headers[place] = own
        length = own[1]
        return int(length) if same and own[0] == b"content-length" and length.isdigit() and len(length) < 19 else None


def read_framing(headers: Headers, version: str, url: bytes) -> tuple[int | None, bool]:
    """(the body's length, or None for chunks; whether the client waits for 100 Continue before it sends it).

    `headers` have lower-case names. Raises Refusal when there is any doubt.
    """
    host = length = coding = None
    waiting = False
    for name, value in headers:
        if name not in FRAMING:
            continue
        if name == b"host":
            if host is not None:
                raise bad_request("The request has more than one Host header; send one.")
            host = value
        elif name == b"content-length":
            if length is not None:
                raise bad_request("The request has more than one Content-Length header; send one.")
            length = value
        elif name == b"transfer-encoding":
            if coding is not None:
                raise bad_request("The request has more than one Transfer-Encoding header; send one.")
            coding = value
        else:
            waiting = value.lower() == b"100-continue" and version == "1.1"
    check_host(host, version, url)
    if coding is not None:
        check_coding(coding, length, version)
        return None, waiting
    if length is None:
        return 0, False
    if not length.isdigit() or len(length) > 18:
        raise bad_request("Content-Length is not a whole number of bytes.")
    return int(length), waiting


def check_coding(coding: bytes, length: bytes | None, version: str) -> None:
    """Only `chunked`, alone, on HTTP/1.1. RFC 9112 section 6.1 lets a server refuse the rest. Raises Refusal."""
    if length is not None:
        raise bad_request("The request has both Content-Length and Transfer-Encoding; send one of them.")
    if version != "1.1":
        raise bad_request("Transfer-Encoding does not exist in HTTP/1.0; send Content-Length.")
    if coding.lower() != b"chunked":
        raise bad_request("The only Transfer-Encoding understood here is `chunked`.")


def check_host(host: bytes | None, version: str, url: bytes) -> None:
    """Exactly one Host with a valid authority on HTTP/1.1, the same as in an absolute-form target. Raises Refusal."""
    if host is None:
        if version == "1.1":
            raise bad_request("The request has no Host header; HTTP/1.1 asks for one.")
    elif HOST.fullmatch(host) is None:
        raise bad_request("The Host header is not a host name with an optional port.")
    if url[:1] != b"/" and host is not None:
        absolute = ABSOLUTE.fullmatch(url)
        if absolute is not None and plain_authority(absolute[1]) != plain_authority(host):
            raise bad_request("The Host header and the host in the request's target differ.")


def plain_authority(authority: bytes) -> bytes:
    """For comparison: lower case, without the port that is the default."""
    return authority.lower().removesuffix(b":80").removesuffix(b":443").removesuffix(b":")


def read_target(url: bytes, method: bytes) -> tuple[str, bytes, bytes]:
    """(path, raw path, query) of a request target (RFC 9112 section 3.2). Raises Refusal.

    `path` is percent-decoded, as ASGI wants it: decide on `raw path` where an encoded slash must not count as one.
    """
    if TARGET.fullmatch(url) is None:
        raise bad_request("The request's target holds characters that must be percent-encoded, or a fragment.")
    if url[:1] != b"/":
        url = origin_form(url, method)
    raw, _, query = url.partition(b"?")
    if b"%" not in raw:
        return raw.decode("ascii"), raw, query
    if BAD_ESCAPE.search(raw) is not None:
        raise bad_request("The request's path holds a percent-encoding that is incomplete or a control character.")
    try:
        return unquote_to_bytes(raw).decode("utf-8"), raw, query
    except UnicodeDecodeError:
        raise bad_request("The request's path is not UTF-8 once percent-decoded.") from None


def origin_form(url: bytes, method: bytes) -> bytes:
    """An absolute-form target as path and query; `*` stays where the method is OPTIONS. Raises Refusal."""
    if url == b"*" and method == b"OPTIONS":
        return url
    absolute = ABSOLUTE.fullmatch(url)
    if absolute is None:
        raise bad_request("The request's target has to be a path that begins with a slash.")
    return (absolute[2] or b"/") + (absolute[3] or b"")


def unreadable(data: bytes, reason: str) -> Refusal:
    """What to say of bytes the parser gave up on; `data` is what came last, `reason` the parser's own words."""
    if data[:3] in (b"\x16\x03\x01", b"\x16\x03\x03"):
        return bad_request("This port speaks plain HTTP, not TLS; use http:// in the base URL.")
    if data[:4] == b"PRI ":
        return Refusal(505, "http_version_not_supported", "This server speaks HTTP/1.1; HTTP/2 is not supported.")
    return bad_request(f"The request is not valid HTTP/1.1: {reason}.")
