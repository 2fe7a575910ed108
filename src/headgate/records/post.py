"""Sends to sinks over HTTP, through the gateway's own client: proxies, certificate authorities, certificates."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.errors import GatewayError
from headgate.core.printable import printable
from headgate.core.target import Endpoint, Origin, Timeouts
from headgate.records.sinks import sink
from headgate.records.sinks.sink import Away, Unfit
from headgate.upstream.client import Client

LONGEST = 1 << 20
"""Bytes of an answer, where there is not to be more in it than that something was taken."""
WORDS = 200
"""Characters of what is said of a refusal."""
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OWN = frozenset(
    {"host", "connection", "content-length", "content-encoding", "content-type", "transfer-encoding", "te", "expect"}
)
"""Headers that say what is sent here."""
UNFIT = (400, 413, 422)
"""Statuses that may be about one record of many."""
Answer = tuple[int, bytes]


def address(text: str) -> str:
    """An address to send to."""
    try:
        url = urlsplit(text)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and not url.fragment
    except ValueError:
        sound = False
    if not sound or not text.isascii() or not text.isprintable() or " " in text:
        raise PydanticCustomError("address", "not an address to send to: write it like https://host/path")
    if "@" in url.netloc:
        raise PydanticCustomError("address", "no user name or password in the address: use `headers`")
    return text


class Connecting(sink.Settings):
    """How a host is connected to."""

    timeout: sink.Seconds = Field(30.0, description="Seconds that sending a batch may take.")
    ca_file: Path | None = Field(
        None,
        description="PEM file of the certificate authorities that its certificate may come from. Left out: "
        "SSL_CERT_FILE, else the system's.",
    )
    cert: Path | None = Field(None, description="PEM file of the gateway's own certificate, where it asks for one.")
    key: Path | None = Field(None, description="PEM file of its private key.")

    @model_validator(mode="after")
    def _both(self) -> Connecting:
        if (self.cert is None) != (self.key is None):
            raise PydanticCustomError("both", "`cert` and `key` belong together")
        return self


class Settings(Connecting):
    """What is said of a host."""

    url: str = Field(description="Where batches are sent: `https://host/path`.")
    headers: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Headers that are sent, such as `authorization`; values may be references to secrets.",
    )
    compress: Literal["none", "gzip"] = Field("gzip", description="How what is sent is compressed.")

    _address = field_validator("url")(address)

    @field_validator("headers")
    @classmethod
    def _sound(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = value.get_secret_value()
            if NAME.fullmatch(name) is None or name.lower() in OWN:
                raise PydanticCustomError("header", "`{name}` is no header that can be set", {"name": name[:60]})
            if not (text.isascii() and text.isprintable()):
                told = {"name": name[:60]}
                raise PydanticCustomError("header", "the value of `{name}` must be printable ASCII", told)
        return headers


class Post:
    """For one thread, which it makes an event loop for, or for one loop; connections are kept for what follows."""

    def __init__(self, settings: Connecting) -> None:
        self._settings = settings
        total = settings.timeout
        self._timeouts = Timeouts(min(total, 10.0), total, total, total)
        self._runner: asyncio.Runner | None = None
        self._client: Client | None = None

    @property
    def runner(self) -> asyncio.Runner:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner

    @property
    def client(self) -> Client:
        if self._client is None:
            settings = self._settings
            own = (str(settings.cert), str(settings.key)) if settings.cert is not None else None
            self._client = Client(ca_file=str(settings.ca_file) if settings.ca_file else None, certificate=own)
        return self._client

    def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Status and body of the answer. Raises Away where there is none."""
        return self.runner.run(self.asked(method, url, headers, body))

    async def asked(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, longest: int = LONGEST
    ) -> Answer:
        """The same on the event loop of who asks."""
        where = urlsplit(url)
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        lines = [f"{method} {path} HTTP/1.1", f"host: {where.netloc}", "user-agent: headgate"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if any(not line.isascii() or "\r" in line or "\n" in line for line in lines):
            raise Away("a header holds a line break or a letter beyond ASCII")
        origin = Origin(where.scheme, where.hostname or "", where.port or (443 if where.scheme == "https" else 80))
        head = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        try:
            response = await self.client.post(Endpoint(origin, head, self._timeouts), body)
            try:
                return response.status, await response.read(longest)
            finally:
                response.close()
        except GatewayError as error:
            raise Away(error.message.partition(";")[0].replace("The provider", "It", 1)) from None

    def send(self, url: str, headers: Mapping[str, str], body: bytes, *, packed: bool) -> bytes:
        """POST it; the answer's body. Raises Away, Unfit."""
        if packed:
            headers, body = {**headers, "content-encoding": "gzip"}, gzip.compress(body, 5, mtime=0)
        status, answer = self.ask("POST", url, headers, body)
        check(status, answer)
        return answer

    def close(self) -> None:
        if self._client is not None:
            self.runner.run(self.end())
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    async def end(self) -> None:
        """`close`, on the event loop of who asks."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def check(status: int, answer: bytes) -> None:
    """Raises Away, Unfit for what is no success."""
    if 200 <= status < 300:
        return
    words = printable(answer.decode("utf-8", "replace").strip(), limit=WORDS)
    told = f"it answered {status}" + (f": {words}" if words else "")
    raise Unfit(told) if status in UNFIT else Away(told)
