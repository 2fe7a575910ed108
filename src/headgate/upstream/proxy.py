"""Which proxy a host is reached through, by the usual environment variables, and how a proxy is spoken to."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from headgate.core.errors import ProviderUnreachable
from headgate.core.target import Origin

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def place(host: str, port: int) -> str:
    """host:port as in a URL, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def authority(origin: Origin) -> bytes:
    """host:port as it stands in a request. Raises ProviderUnreachable for a name that DNS cannot have."""
    try:
        name = origin.host if origin.host.isascii() else origin.host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ProviderUnreachable(f"{origin.host!r} cannot be a host's name: check its spelling.") from None
    return place(name, origin.port).encode("ascii")


@dataclass(slots=True, frozen=True)
class Proxy:
    """A proxy to connect to. `authorization` is the value of `proxy-authorization`, b"" without credentials."""

    tls: bool
    host: str
    port: int
    authorization: bytes = field(default=b"", repr=False)

    @property
    def credentials(self) -> bytes:
        """The header line with the credentials, b"" without any."""
        return b"proxy-authorization: %b\r\n" % self.authorization if self.authorization else b""

    def tunnel(self, origin: Origin) -> bytes:
        """The request that asks for a tunnel to `origin` (RFC 9110 9.3.6)."""
        target = authority(origin)
        return b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (target, target, self.credentials)

    def absolute(self, origin: Origin, head: bytes) -> bytes:
        """A request's head as a proxy wants it for http:// (RFC 9112 3.2.2): the whole URL in the request line."""
        method, _, rest = head.partition(b" ")
        line, _, fields = rest.partition(b"\r\n")
        return b"%b http://%b%b\r\n%b%b" % (
            method,
            authority(origin),
            line,
            self.credentials,
            fields,
        )


def read_proxy(url: str, variable: str) -> Proxy:
    """A proxy from the value of an environment variable. Raises ProviderUnreachable; the URL, which may hold a
    password, is not in its message."""
    split, port = _split(url, variable)
    if split.scheme not in ("http", "https"):
        raise ProviderUnreachable(
            f"The proxy in {variable} is of the kind {split.scheme!r}, which is not supported: "
            "use http:// or https://, or exempt the provider's host in NO_PROXY."
        )
    if not split.hostname:
        raise ProviderUnreachable(f"The proxy in {variable} names no host: write it as http://host:port.")
    authorization = b""
    if split.username is not None:
        pair = f"{unquote(split.username)}:{unquote(split.password or '')}"
        authorization = b"Basic " + base64.b64encode(pair.encode())
    tls = split.scheme == "https"
    return Proxy(tls, split.hostname, port or (443 if tls else 80), authorization)


def _split(url: str, variable: str) -> tuple[SplitResult, int | None]:
    try:
        split = urlsplit(url if "://" in url else f"http://{url}")
        port = split.port
    except ValueError:
        raise ProviderUnreachable(
            f"The proxy in {variable} cannot be read: write it as http://host:port or http://user:password@host:port, "
            "with special characters of the password percent-encoded."
        ) from None
    return split, port


@dataclass(slots=True, frozen=True)
class Exemption:
    """One entry of NO_PROXY: `*`, a name (with everything below it), an address, a network; with or without port."""

    name: str
    port: int | None = None
    network: Network | None = None

    def covers(self, origin: Origin) -> bool:
        if self.port is not None and self.port != origin.port:
            return False
        if self.name == "*":
            return True
        host = origin.host.lower().rstrip(".")
        if self.network is not None:
            address = _address(host)
            return address is not None and address in self.network
        return host == self.name or host.endswith("." + self.name)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def read_exemptions(value: str) -> tuple[Exemption, ...]:
    """The entries of NO_PROXY, separated by commas or spaces. `.name` and `*.name` mean what `name` means, as in curl:
    the host itself and everything below it."""
    entries = value.replace(",", " ").split()
    return tuple(_exemption(entry.lower()) for entry in entries)


def _exemption(entry: str) -> Exemption:
    network = _network(entry)
    if network is not None:
        return Exemption(entry, None, network)
    host, port = entry, None
    before, colon, after = entry.rpartition(":")
    if colon and after.isascii() and after.isdigit() and (":" not in before or before.startswith("[")):
        host, port = before, int(after)
    host = host.strip("[]")
    network = _network(host)
    if host != "*":
        host = host.removeprefix("*").strip(".")
    return Exemption(host, port, network)


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


class Proxies:
    """Which proxy to take, from a mapping of environment variables.

    `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower case (which wins) or upper case. `HTTP_PROXY` is
    left alone where `REQUEST_METHOD` is set: in a CGI environment a client can set it. `localhost` and loopback
    addresses are never asked for through a proxy, as in Go: the proxy's own machine is not meant.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._exemptions = read_exemptions(self._value("no_proxy")[1])

    def _value(self, name: str) -> tuple[str, str]:
        if name in self._environment:
            return name, self._environment[name].strip()
        upper = name.upper()
        if name == "http_proxy" and "REQUEST_METHOD" in self._environment:
            return upper, ""
        return upper, self._environment.get(upper, "").strip()

    def proxy_for(self, origin: Origin) -> Proxy | None:
        """The proxy for an origin; None for a direct connection. Raises ProviderUnreachable when it is misspelt."""
        if _loopback(origin.host) or any(each.covers(origin) for each in self._exemptions):
            return None
        for name in (f"{origin.scheme}_proxy", "all_proxy"):
            variable, url = self._value(name)
            if url:
                return read_proxy(url, variable)
        return None
