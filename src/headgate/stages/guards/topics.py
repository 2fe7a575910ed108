"""What is talked about: topics that are denied, go elsewhere, or are the only ones allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pydantic

from headgate.core.errors import GuardUnavailable
from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guard.asking import Asking, several
from headgate.stages.guards.guard import GuardSettings
from headgate.stages.rules.words import Words

OFF = "off_topic"


class TopicsSettings(GuardSettings):
    denied: list[str] = pydantic.Field(
        default_factory=list, description="Topics that are told, by their names; the name is the category."
    )
    allowed: list[str] = pydantic.Field(
        default_factory=list, description="The only ones that may be: what is of none of them is `off_topic`."
    )
    words: dict[str, list[str]] = pydantic.Field(
        default_factory=dict,
        description="By topic, words and phrases (`indemnif*`) that show it. A topic without words is known by its "
        "example sentences in `matching.topics`.",
    )
    shortest: int = pydantic.Field(
        4, ge=1, description="Words from which on a text can be `off_topic`: greetings and thanks are of no topic."
    )
    remember: float = pydantic.Field(3600.0, ge=0, description="Seconds for which it is not asked of the same again.")

    @property
    def topics(self) -> list[str]:
        """Those that are known by examples."""
        return [name for name in (*self.denied, *self.allowed) if name not in self.words]


class Topics(Asking):
    """Of what is said, not of system prompts and definitions: by words, then by examples, for which an embedding model
    is asked (`matching.embedding_model`) and of a long text the beginning and the end are looked at. `then: route`
    sends a topic to another model."""

    Settings = TopicsSettings

    def __init__(self, settings: TopicsSettings) -> None:
        super().__init__(settings.remember)
        if not settings.denied and not settings.allowed:
            raise ValueError("name topics: `denied`, or `allowed`")
        unused = [name for name in settings.words if name not in (*settings.denied, *settings.allowed)]
        if unused:
            raise ValueError(f"the topic {unused[0]!r} of `words` is neither in `denied` nor in `allowed`")
        self._settings = settings
        self._words = {name: Words(words) for name, words in settings.words.items()}
        self._by_examples = bool(settings.topics)

    async def judged(self, passages: Sequence[Passage], asked: Asked) -> Sequence[Iterable[Finding]]:
        return await several(self._found(each, asked) for each in passages)

    async def _found(self, passage: Passage, asked: Asked) -> list[Finding]:
        text = passage.text
        if passage.part not in ("text", "document"):
            return []
        there = {name: (1.0, "by its words") for name, words in self._words.items() if words.within(text)}
        if self._by_examples:
            if asked.help is None:
                raise GuardUnavailable("nobody else is asked here")
            name, score, why = await asked.help.topic(text)
            if name:
                there.setdefault(name, (score, why))
        found = [
            Finding(0, 0, len(text), name, max(0.0, min(score, 1.0)), why)
            for name, (score, why) in there.items()
            if name in self._settings.denied
        ]
        allowed = self._settings.allowed
        if allowed and there.keys().isdisjoint(allowed) and len(text.split()) >= self._settings.shortest:
            found.append(Finding(0, 0, len(text), OFF, reason="it is of none of the topics that may be"))
        return found
