"""Checks a request's head for everything a proxy must not be in doubt about: target, Host, and where the body ends.

llhttp (under httptools) already refuses, with all its leniencies off: bare CR or LF, obs-fold, whitespace before the
colon, control characters, names that are no tokens, differing or malformed content-lengths and chunk sizes.
What it lets pass and RFC 9112 (or caution) does not is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from headgate.core.memo import Memo
from headgate.server.refusals import Limits, Refusal, bad_request, too_much

Headers = list[tuple[bytes, bytes]]

FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)\r\n", re.IGNORECASE)
MOST_DIGITS = 18
HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\])(?::[0-9]{0,5})?")
TARGET = re.compile(rb"[!$-~\"]+")
ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]+)(/[^?]*)?(\?.*)?")
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})|%(?:[01][0-9A-Fa-f]|7[Ff])")


class Head:
    """One that was checked, for the next on its connection that is the same byte for byte but for its content-length.

    Nothing but where the body ends can come out otherwise for such a one: it needs no parser.
    """

    __slots__ = ("after", "before", "headers", "memo", "named", "place", "scope")

    def __init__(self, scope: Mapping[str, Any], headers: Headers, before: bytes, after: bytes) -> None:
        """`before` and `after` the digits of its content-length are its bytes; where it has none, nothing is after."""
        self.scope = scope
        self.headers = headers.copy()
        self.before = before
        self.after = after
        self.named = dict(headers)
        self.place = [name for name, _ in headers].index(b"content-length") if after else -1
        self.memo = Memo()

    @classmethod
    def learned(cls, data: bytes, target: bytes, scope: Mapping[str, Any], headers: Headers) -> Head | None:
        """Of a sound head of HTTP/1.1, after which the connection goes on and a body comes as it is, if any.

        None where `data` does not begin with all of it.
        """
        first = b"%b %b HTTP/1.1\r\n" % (scope["method"].encode(), target)
        end = data.find(b"\r\n\r\n") + 4
        if not data.startswith(first) or end < len(first):
            return None
        length = CONTENT_LENGTH.search(data, len(first) - 2, end)
        if length is None:
            return cls(scope, headers, data[:end], b"") if b"content-length" not in dict(headers) else None
        return cls(scope, headers, data[: length.start(1)], data[length.end(1) : end])

    def begins(self, data: bytes) -> tuple[bytes, int] | None:
        """(the digits of the body's length, where the body begins) of data that begins with a head like this one."""
        if not data.startswith(self.before):
            return None
        start, after = len(self.before), self.after
        if not after:
            return b"0", start
        end = data.find(b"\r", start)
        digits = data[start:end]
        if end < 0 or not digits.isdigit() or len(digits) > MOST_DIGITS or not data.startswith(after, end):
            return None
        return digits, end + len(after)

    def again(self, digits: bytes) -> tuple[Headers, dict[bytes, bytes]]:
        """Its headers, and the same by their names, with another content-length."""
        headers, named = self.headers.copy(), self.named.copy()
        if self.place >= 0:
            headers[self.place] = (b"content-length", digits)
            named[b"content-length"] = digits
        return headers, named


def check_size(limits: Limits, url: bytes, headers: Headers, received: int) -> None:
    """`received`: how many bytes the head has at most; perhaps some of the body are among them. Raises Refusal."""
    large = received > limits.max_header_bytes and (
        len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > limits.max_header_bytes
    )
    if large or len(url) > limits.max_url_bytes or len(headers) > limits.max_headers:
        raise too_large(limits, url, headers)


def too_large(limits: Limits, url: bytes, headers: Headers) -> Refusal:
    """Of a head, as far as it has come."""
    if len(url) > limits.max_url_bytes or (url and not headers):
        return too_much(f"The request's target is longer than {limits.max_url_bytes} bytes; shorten it.", 414)
    if len(headers) > limits.max_headers:
        return too_much(f"The request has more than {limits.max_headers} headers; send fewer.")
    return too_much(f"The request's headers are larger than {limits.max_header_bytes} bytes; send smaller ones.")


def read_start(url: bytes, method: bytes, version: str) -> dict[str, Any]:
    """What a request's first line says, for ASGI's scope. Raises Refusal."""
    if version not in ("1.1", "1.0"):
        raise Refusal(505, "http_version_not_supported", "This server speaks HTTP/1.1 and HTTP/1.0.")
    if method == b"CONNECT":
        raise Refusal(501, "method_not_implemented", "This server is no forward proxy; CONNECT is not supported.")
    path, raw, query = read_target(url, method)
    return {
        "http_version": version, "method": method.decode("ascii"), "path": path, "raw_path": raw, "query_string": query
    }  # fmt: skip


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
    if not length.isdigit() or len(length) > MOST_DIGITS:
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
