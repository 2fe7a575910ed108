"""How much may be asked at a time: characters, tokens, texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pydantic

from headgate.catalog import tokens
from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings


class LengthSettings(GuardSettings):
    characters: int | None = pydantic.Field(None, ge=1, description="Most characters of all texts of a request.")
    each: int | None = pydantic.Field(None, ge=1, description="Most characters of one of them.")
    tokens: int | None = pydantic.Field(None, ge=1, description="About how many tokens all texts may have.")
    texts: int | None = pydantic.Field(
        None, ge=1, description="Most texts: a message of words is one, a message of parts or tools several."
    )

    @pydantic.model_validator(mode="after")
    def _something(self) -> LengthSettings:
        if not self.model_fields_set:
            raise ValueError("say what is bounded: `characters`, `each`, `tokens` or `texts`")
        return self


class Length(Guard):
    """Of requests; how long an answer may be, the request says (`max_tokens`)."""

    Settings = LengthSettings
    sides = frozenset({"request"})
    hold = None

    def __init__(self, settings: LengthSettings) -> None:
        self._most = settings

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterable[Finding]:
        most, sizes = self._most, [len(passage.text) for passage in passages]
        if most.each is not None and max(sizes, default=0) > most.each:
            longest = sizes.index(max(sizes))
            yield Finding(longest, 0, sizes[longest], "too_long", reason=f"it has {sizes[longest]} characters")
        elif most.characters is not None and sum(sizes) > most.characters:
            yield Finding(0, 0, sizes[0], "too_long", reason=f"there are {sum(sizes)} characters")
        elif most.texts is not None and len(sizes) > most.texts:
            yield Finding(0, 0, sizes[0], "too_many", reason=f"there are {len(sizes)} texts")
        elif most.tokens is not None:
            count = sum(tokens.estimate(passage.text) for passage in passages)
            if count > most.tokens:
                yield Finding(0, 0, sizes[0], "too_long", reason=f"there are about {count} tokens")
