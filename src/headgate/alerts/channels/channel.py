"""What a channel is: it gets a message about alerts of one rule, and takes it to people."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import pydantic

from headgate.alerts.alert import Alert
from headgate.alerts.text import moment


class ChannelSettings(pydantic.BaseModel):
    """What every kind of channel can be told: nothing."""

    model_config = pydantic.ConfigDict(extra="forbid", hide_input_in_errors=True)


class Undelivered(Exception):
    """It did not get there; the message says why, without a secret. `again`: it may be tried again, `after` so many
    seconds at least."""

    def __init__(self, message: str, *, again: bool = True, after: float | None = None) -> None:
        super().__init__(message)
        self.again = again
        self.after = after


class Answer(NamedTuple):
    status: int
    retry_after: bytes | None
    body: bytes


class Item(NamedTuple):
    """What became of an alert: `firing`, `resolved`, `repeated` (it is firing still)."""

    what: str
    alert: Alert

    def data(self) -> dict[str, Any]:
        """For programs."""
        alert = self.alert
        return {
            "id": alert.id, "state": alert.state, "rule": alert.rule, "severity": alert.severity,
            "labels": alert.labels, "summary": alert.summary, "value": alert.value, "limit": alert.limit,
            "fired": moment(alert.fired), "resolved": moment(alert.resolved) or None, "why": alert.why or None,
        }  # fmt: skip


class Message(NamedTuple):
    """About alerts of one rule; `id` is the same where it is sent again. `url`: where people look at the gateway."""

    id: str
    rule: str
    items: Sequence[Item]
    url: str | None = None

    @property
    def resolved(self) -> bool:
        """Whether all is well again."""
        return all(item.what == "resolved" for item in self.items)

    @property
    def title(self) -> str:
        """One line of it all."""
        firing = [item for item in self.items if item.what != "resolved"]
        first = (firing or self.items)[0].alert
        state = "RESOLVED" if self.resolved else first.severity.upper()
        more = f" (and {len(self.items) - 1} more)" if len(self.items) > 1 else ""
        return f"[{state}] {self.rule}: {first.summary}{more}"

    def lines(self) -> list[str]:
        """One for each alert."""
        told = {"firing": "FIRING", "resolved": "RESOLVED", "repeated": "STILL FIRING"}
        return [
            f"{told[what]} since {moment(alert.fired)}: {alert.summary}"
            if what != "resolved"
            else f"RESOLVED at {moment(alert.resolved)}: {alert.summary}{f' ({alert.why})' if alert.why else ''}"
            for what, alert in self.items
        ]


class Way(Protocol):
    """How a channel gets out."""

    ca_file: str | None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises Undelivered."""

    async def address(self, host: str, port: int) -> str | None:
        """What to connect to for a host; None: whatever its name stands for. Raises Undelivered."""


class Channel(ABC):
    """A subclass has settings, and sends. One object is made for each message."""

    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __init__(self, settings: Any, way: Way) -> None:
        self.settings = settings
        self.way = way

    @abstractmethod
    async def send(self, message: Message) -> None:
        """Raises Undelivered."""

    async def post(self, url: str, data: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """JSON to a service. Raises Undelivered for whatever is not 2xx."""
        body = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
        answer = await self.way.post(url, body, {"content-type": "application/json", **(headers or {})})
        if 200 <= answer.status < 300:
            return answer
        again = answer.status in (408, 409, 425, 429) or answer.status >= 500
        wait = answer.retry_after or b""
        after = float(wait) if wait.isdigit() and len(wait) < 6 else None
        raise Undelivered(f"it answered with status {answer.status}", again=again, after=after)
