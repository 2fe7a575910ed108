"""Put what a request names by URL into it, where the target cannot fetch it itself."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence

from headgate.core.chat import Audio, Bytes, ChatRequest, Document, Image, Link, Part, ToolResult, Video
from headgate.core.errors import GatewayError, InvalidRequest, Unsupported
from headgate.core.exchange import Exchange
from headgate.core.ports import Fetch as Port
from headgate.core.reply import Reply
from headgate.stages.stage import Proceed

MOST = 50
"""Links of a request that are fetched."""
AT_ONCE = 4
"""So many at the same time: by no more than these a request can get more than it may."""

Linked = Image | Document | Audio | Video


class Fetch:
    """A target's dialect that has no way to name a URL refuses it, and only then it is fetched; so it is, before
    anything else, for hosts that are said to reach nothing (`inline_links`). Each URL once for all targets."""

    def __init__(self, port: Port) -> None:
        self.port = port

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        target = exchange.target
        if exchange.dialect.operation != "chat" or target is None:
            return await proceed(exchange)
        if target.provider.inline_links and await self._put_in(exchange):
            exchange.edited = True
        try:
            return await proceed(exchange)
        except Unsupported:
            if not await self._put_in(exchange):
                raise
        return await proceed(exchange)

    async def _put_in(self, exchange: Exchange) -> bool:
        """Whether there was anything to fetch. Raises InvalidRequest for what cannot be."""
        found = list(links(exchange.request))
        if not found:
            return False
        if len(found) > MOST:
            raise InvalidRequest(f"more than {MOST} URLs would have to be fetched for this model; send the data itself")
        places: dict[str, str] = {}
        for place, part in found:
            assert isinstance(part.source, Link)
            places.setdefault(part.source.url, place)
        data = await self._all(list(places.items()))
        for _, part in found:
            assert isinstance(part.source, Link)
            part.source = data[part.source.url]
        return True

    async def _all(self, places: Sequence[tuple[str, str]]) -> dict[str, Bytes]:
        """What each URL names. The first that fails ends the others."""
        data: dict[str, Bytes] = {}
        left = self.port.together
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._bytes(url, place)) for url, place in some]
            except ExceptionGroup as failed:
                # what nobody foresaw is not to be hidden by what is told the client
                unforeseen = (each for each in failed.exceptions if not isinstance(each, GatewayError))
                raise next(unforeseen, failed.exceptions[0]) from None
            for (url, place), task in zip(some, tasks, strict=True):
                data[url] = task.result()
                left -= len(data[url].base64) * 3 // 4
                if left < 0:
                    raise InvalidRequest(
                        f"what the URLs name has more than {self.port.together} bytes together "
                        "(fetch.max_total_bytes); send less of it",
                        param=place,
                    )
        return data

    async def _bytes(self, url: str, place: str) -> Bytes:
        try:
            fetched = await self.port.fetch(url)
        except InvalidRequest as error:
            raise InvalidRequest(f"the URL {url[:100]!a} cannot be used: {error.message}", param=place) from None
        return Bytes(base64=base64.b64encode(fetched.data).decode(), media_type=fetched.media_type)


def links(request: ChatRequest) -> Iterator[tuple[str, Linked]]:
    """The parts that name their data by an http URL, each with its place."""
    for i, message in enumerate(request.messages):
        for j, part in enumerate(message.parts):
            yield from _links(part, f"messages[{i}].content[{j}]")


def _links(part: Part, place: str) -> Iterator[tuple[str, Linked]]:
    if isinstance(part, ToolResult):
        for k, inner in enumerate(part.parts):
            yield from _links(inner, f"{place}.content[{k}]")
    elif (
        isinstance(part, Image | Document | Audio | Video)
        and isinstance(part.source, Link)
        and part.source.url[:8].lower().startswith(("http://", "https://"))
    ):
        yield place, part
