"""How guards ask others: a server of theirs over the gateway's own connections, and nobody twice about the same."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from abc import abstractmethod
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import msgspec

from headgate.core.breaker import Breaker, Trip
from headgate.core.errors import GatewayError, GuardUnavailable, ProviderNonsense, ProviderUnreachable
from headgate.core.guard import Asked, Finding, Help, Passage
from headgate.core.ports import Response
from headgate.core.target import Endpoint, Origin, Timeouts
from headgate.stages.guards.guard import Guard

Header = tuple[bytes, bytes]
T = TypeVar("T")
LONGEST = 4 << 20
"""Bytes of an answer."""
TIMEOUTS = Timeouts(connect=3.0, first_byte=60.0, idle=60.0, total=60.0)
"""The policy's own is shorter."""
SLOW = 2.0
"""Seconds after which a question that nobody waits for any more has taken too long."""
EARLY = 0.002
"""Seconds by which a time that is over may be told too soon, as uvloop counts whole thousandths."""
REMEMBERED = 10_000
"""Texts whose findings are kept."""
FEW = 100
"""Findings, of which no more are kept of one text: somebody may send many that are full of them."""
TOGETHER = 8
"""Questions of one request that are under way at a time."""
INTERNAL = "It is your own: it may be shown what other policies keep from providers that are not `internal`."
OWN = frozenset({400, 413, 414, 422})
"""Statuses that tell of what was asked, and nothing of the server: one client's text is not to take it from others."""
NAMES = (b"x-amzn-errortype", b"x-ms-error-code")
"""Headers in which Amazon and Azure say what is wrong."""
NAME = re.compile(rb"[A-Za-z]{1,60}")


class Server:
    """One that a guard asks. What fails again and again is not asked for a while."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, *, internal: bool) -> None:
        """`internal`: it is one's own. Raises ValueError for what is no address; the message does not have it."""
        self._internal = internal
        where = urlsplit(url)
        if where.scheme not in ("https", "http") or not where.hostname:
            raise ValueError("the address of the server has to be like https://host/path")
        if "@" in where.netloc:
            raise ValueError("the address of the server holds a name or a password, which are not sent; leave them out")
        self.path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        lines = [f"POST {self.path} HTTP/1.1", f"host: {where.netloc}", "user-agent: headgate"]
        lines += [f"{name}: {value}" for name, value in {"content-type": "application/json", **(headers or {})}.items()]
        if not all(line.isascii() and line.isprintable() for line in lines) or " " in self.path:
            raise ValueError("an address or a header holds a space, a line break or a letter beyond ASCII")
        port = where.port or (443 if where.scheme == "https" else 80)
        head = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        self.host = where.netloc.encode("ascii")
        self.endpoint = Endpoint(Origin(where.scheme, where.hostname, port), head, TIMEOUTS)
        self._breaker = Breaker(Trip())

    async def ask(self, help: Help | None, body: bytes, headers: Sequence[Header] = ()) -> bytes:
        """Its answer. Once more where nothing has reached it. Raises GuardUnavailable."""
        if help is None:
            raise GuardUnavailable("nobody else is asked here")
        if not self._internal and help.kept:
            raise GuardUnavailable("its server is not internal, and other policies keep something of it from those")
        now = time.monotonic()
        if not self._breaker.allows(now):
            raise GuardUnavailable(f"its server is not asked for now: {self._breaker.why}")
        probe = self._breaker.claim(now)
        try:
            response = await self._sent(help, body, headers)
            try:
                said = await response.read(LONGEST) if response.status == 200 else b""
            finally:
                response.close()
        except GatewayError as error:
            self._failed(
                probe, error.code, certain=not isinstance(error, ProviderNonsense)
            )  # a text may bring that about
            raise GuardUnavailable(f"its server: {error.code}") from None
        except asyncio.CancelledError:
            self._left(help, probe, now)
            raise
        if response.status != 200 and response.status not in OWN:
            self._failed(probe, f"status {response.status}")
        else:
            self._breaker.succeeded(probe)
        if response.status != 200:
            raise GuardUnavailable(f"its server answered with status {response.status}{_named(response)}")
        return said

    async def _sent(self, help: Help, body: bytes, headers: Sequence[Header]) -> Response:
        try:
            return await help.upstream.post(self.endpoint, body, headers)
        except ProviderUnreachable:
            return await help.upstream.post(self.endpoint, body, headers)

    def _failed(self, probe: int, why: str, *, certain: bool = True) -> None:
        self._breaker.failed(time.monotonic(), probe, why, None, certain=certain)

    def _left(self, help: Help, probe: int, since: float) -> None:
        """Nobody waits for it any more: it took too long, or the client went away."""
        over = asyncio.get_running_loop().time() >= help.until - EARLY
        if over or time.monotonic() - since > SLOW:
            self._failed(probe, "it took too long")
        elif probe:
            self._breaker.release(probe)


def _named(response: Response) -> str:
    """The name of an error, where a header has one: what else is said of it may quote what was asked."""
    said = next((value for name, value in response.headers if name in NAMES), b"")
    name = NAME.match(said)
    return f" ({name[0].decode()})" if name is not None else ""


class Asking(Guard):
    """A guard that asks others about each text, once: a conversation is sent again with every turn."""

    outside: ClassVar[bool] = True
    hold = None

    def __init__(self, remember: float = 3600.0) -> None:
        self._seconds = remember
        self._known: dict[bytes, tuple[float, Sequence[Finding]]] = {}

    @abstractmethod
    async def judged(self, passages: Sequence[Passage], asked: Asked) -> Sequence[Iterable[Finding]]:
        """For each what is in it, as if it were the only one. Raises GatewayError."""

    async def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        now = time.monotonic()
        keys = {place: key_of(each) for place, each in enumerate(passages) if worth(each)}
        known = {key: said[1] for key in keys.values() if (said := self._known.get(key)) and said[0] > now}
        fresh = {key: passages[place] for place, key in keys.items() if key not in known}
        if fresh:
            for key, found in zip(fresh, await self.judged(list(fresh.values()), asked), strict=True):
                known[key] = tuple(found)
                self._remember(key, known[key], now)
        return [
            msgspec.structs.replace(each, passage=place, end=min(each.end, len(passages[place].text)))
            for place, key in keys.items()
            for each in known[key]
        ]

    def _remember(self, key: bytes, said: Sequence[Finding], now: float) -> None:
        if not self._seconds or len(said) > FEW:
            return
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = now + self._seconds, said


def worth(passage: Passage) -> bool:
    """Whether anybody is asked about it: a name or a number in some field is nothing that is said."""
    text = passage.text
    if passage.part == "other":
        return " " in text.strip() or len(text) > 40
    return bool(text.strip())


def key_of(passage: Passage) -> bytes:
    text = passage.text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16, key=f"{passage.side} {passage.part}".encode()).digest()


def pieces(text: str, longest: int, overlap: int = 500) -> list[tuple[int, str]]:
    """A text that is too long for one question, and where each piece begins: nothing is hidden at a seam."""
    ends = range(0, max(len(text) - overlap, 1), longest - overlap)
    return [(start, text[start : start + longest]) for start in ends]


async def several(asking: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """A few at a time. The first failure ends all."""
    room, every = asyncio.Semaphore(TOGETHER), list(asking)

    async def one(each: Coroutine[Any, Any, T]) -> T:
        async with room:
            return await each

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(each)) for each in every]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    finally:
        for each in every:
            each.close()  # one that was never begun
    return [task.result() for task in tasks]


def everywhere(text: str, said: str, *, case: bool = True) -> list[tuple[int, int]]:
    """All places of some words in a text; all of it where they are not to be found there."""
    found = re.finditer(re.escape(said), text, 0 if case else re.IGNORECASE) if said else ()
    return [each.span() for each in found] or [(0, len(text))]


def read(data: bytes, kind: Any) -> Any:
    """An answer. Raises GuardUnavailable where it is none."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise GuardUnavailable("its answer cannot be read") from None
