"""Personal data as a Presidio server finds it. https://microsoft.github.io/presidio/api-docs/api-docs.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pydantic

from headgate.core.errors import GuardUnavailable
from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guard.asking import INTERNAL, Asking, Server, read
from headgate.stages.guards.guard import GuardSettings

BETWEEN = "\n\n"


class PresidioSettings(GuardSettings):
    url: str = pydantic.Field(description="The analyzer's address, `http://host:5002`.")
    language: str = pydantic.Field("en", min_length=2, description="Of the texts, as the server knows it.")
    entities: list[str] | None = pydantic.Field(
        None, min_length=1, description="What is looked for, as Presidio calls it: `PERSON`. Left out: all it knows."
    )
    threshold: float = pydantic.Field(0.5, ge=0, le=1, description="How sure Presidio has to be.")
    internal: bool = pydantic.Field(True, description=INTERNAL)
    remember: float = pydantic.Field(3600.0, ge=0, description="Seconds for which it is not asked of the same again.")


class _Found(msgspec.Struct):
    entity_type: str
    start: int
    end: int
    score: float = 1.0


class Presidio(Asking):
    """All texts go in one call; the category is the entity's name in small letters (`person`)."""

    Settings = PresidioSettings
    usual = "redact"

    def __init__(self, settings: PresidioSettings) -> None:
        super().__init__(settings.remember)
        self._server = Server(settings.url.rstrip("/") + "/analyze", internal=settings.internal)
        self._said: dict[str, Any] = {"language": settings.language, "score_threshold": settings.threshold}
        if settings.entities is not None:
            self._said["entities"] = settings.entities

    async def judged(self, passages: Sequence[Passage], asked: Asked) -> Sequence[Iterable[Finding]]:
        texts = [each.text for each in passages]
        whole = BETWEEN.join(texts)
        body = msgspec.json.encode({"text": whole, **self._said})
        said: list[_Found] = read(await self._server.ask(asked.help, body), list[_Found])
        if not all(0 <= each.start <= each.end <= len(whole) and each.entity_type for each in said):
            raise GuardUnavailable("its answer names a place that there is not, or no kind")
        return list(_apart(texts, said))


def _apart(texts: Sequence[str], said: Sequence[_Found]) -> Iterable[list[Finding]]:
    """What of each text was found; what reaches into several is in each of them."""
    start = 0
    for text in texts:
        end = start + len(text)
        yield [
            Finding(
                0, max(each.start - start, 0), min(each.end, end) - start, each.entity_type.lower(), each.score,
                f"Presidio: {each.entity_type}",
            )
            for each in said
            if each.start < end and each.end > start
        ]  # fmt: skip
        start = end + len(BETWEEN)
