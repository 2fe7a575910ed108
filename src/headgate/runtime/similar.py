"""Makes what finds answers to similar questions, as a configuration says it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from headgate.config.caching import Answers
from headgate.config.schema import Config
from headgate.config.semantic import Semantic
from headgate.config.semantic import Verify as ConfiguredVerify
from headgate.core.cached import Terms
from headgate.core.errors import RequirementUnmet
from headgate.core.exchange import Exchange
from headgate.core.ids import Ids
from headgate.dialects import openai_chat
from headgate.runtime.embedders import local_of
from headgate.runtime.gateway import Ports
from headgate.similarity.agree import differ
from headgate.stages.cache.similar import Similar
from headgate.stages.cache.similar import Terms as Alike
from headgate.stages.cache.vectors import Embed, Placed, Vectors, here
from headgate.stages.cache.verify import PATH, Verify
from headgate.stages.guard import Aimed
from headgate.stages.rules.embedder import Embedder, Within
from headgate.stages.send import Send
from headgate.stages.stage import Proceed, Stage, chain

ADVISED = 0.93
"""How like two questions have to be where an embedding model is asked that advises nothing itself."""


@dataclass(slots=True, frozen=True)
class Alikes:
    """Makes the terms of names; an embedder with the same settings is one for all of them."""

    config: Config
    ports: Ports
    asking: Callable[[float], Proceed]
    """Asks a question of the gateway's own, within so many seconds, recorded."""
    shown: Shown
    _vectors: dict[str, Vectors] = field(default_factory=dict)

    def terms(self, answers: Answers | None) -> Terms | None:
        """Raises ValueError where an embedder cannot be made."""
        terms = answers.terms if answers is not None else None
        semantic = answers.semantic if answers is not None else None
        index, store = self.ports.index, self.ports.cache
        if terms is None or semantic is None or not semantic.enabled or index is None or store is None:
            return terms
        vectors, advised = self._vectors_of(semantic)
        alike = Alike(semantic.threshold or advised, frozenset(semantic.context), semantic.max_characters)
        guard = differ if semantic.guards else None
        verify = self._verify(semantic.verify) if semantic.verify is not None else None
        beside = self.config.cache.store != "memory" and self.config.cache.index is None
        return replace(terms, similar=Similar(alike, store, index, vectors, guard, verify, beside=beside))

    def _vectors_of(self, semantic: Semantic) -> tuple[Vectors, float]:
        """What makes vectors, and how like two of them have to be as it advises."""
        said, seconds = semantic.embedder, semantic.timeout
        embed: Embed
        if said.model is not None:
            asked = Embedder(said.model, self.asking(seconds), self.asking(seconds), Ids(), PATH, "similarity")
            embed, advised = Asked(asked, self.shown), ADVISED
        else:
            local = local_of(said.folder, self.ports.embedders)
            embed, advised = here(local), local.threshold
        about = f"{said!r} {seconds}"
        if about not in self._vectors:
            self._vectors[about] = Vectors(embed, seconds)
        return self._vectors[about], advised

    def _verify(self, said: ConfiguredVerify) -> Verify:
        ask = self.asking(said.timeout)
        return Verify(said.model, said.below, said.timeout, ask, openai_chat, Ids(), self.shown)


class Shown:
    """Looks whether a model beside those of the name may be shown what a request says."""

    def __init__(self, aimed: Aimed | None) -> None:
        self._aimed = aimed

    def __call__(self, exchange: Exchange) -> None:
        """Raises RequirementUnmet."""
        if self._aimed is not None and self._aimed(exchange):
            raise RequirementUnmet("guards change what some providers are asked here")


class Asked:
    """Vectors from a model that the gateway asks."""

    def __init__(self, embedder: Embedder, shown: Shown) -> None:
        self._embedder = embedder
        self._shown = shown

    async def __call__(self, text: str, exchange: Exchange) -> Placed:
        self._shown(exchange)
        numbers, target = await self._embedder.one(text, exchange.record.worker, exchange.needs)
        return Placed(f"{target.name} {target.shape}", struct.pack(f"<{len(numbers)}f", *numbers))


def alikes(
    config: Config, ports: Ports, routing: Sequence[Stage], sending: Sequence[Stage], aimed: Aimed | None
) -> Alikes:
    """`routing` records a question of the gateway's own and finds out who is asked, `sending` asks; `aimed` tells of
    requests that guards change on their way to some providers: no other provider is shown anything of these."""
    send = Send(ports.upstream)

    def asking(seconds: float) -> Proceed:
        return chain([*routing, Within(seconds), *sending], send)

    return Alikes(config, ports, asking, Shown(aimed))
