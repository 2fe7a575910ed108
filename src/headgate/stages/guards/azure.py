"""Azure AI Content Safety: harm by severity, and attacks by Prompt Shields.

https://learn.microsoft.com/en-us/rest/api/contentsafety/text-operations/analyze-text
https://learn.microsoft.com/en-us/rest/api/contentsafety/text-operations/shield-prompt
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import pydantic

from headgate.core.errors import GuardUnavailable
from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guard.asking import INTERNAL, Asking, Server, everywhere, pieces, read, several
from headgate.stages.guards.guard import GuardSettings

LONGEST = 10_000
"""Code points in one request."""
VERSION = "2024-09-01"
WORST = 6
GIVEN = frozenset({"document", "tool_result"})
"""Parts that nobody said who is served: what attacks from there is `document_attack`."""
Harm = Literal["Hate", "SelfHarm", "Sexual", "Violence"]
Severity = Literal[2, 4, 6]


class AzureSettings(GuardSettings):
    endpoint: str = pydantic.Field(description="Of the resource: `https://NAME.cognitiveservices.azure.com`.")
    api_key: pydantic.SecretStr = pydantic.Field(description="One of its keys.")
    harms: dict[Harm, Severity] = pydantic.Field(
        default_factory=lambda: dict.fromkeys(("Hate", "SelfHarm", "Sexual", "Violence"), 4),  # type: ignore[arg-type]
        description="What is looked for, and the severity from which on it counts: 2 (low), 4 or 6. `{}`: nothing.",
    )
    blocklists: list[str] = pydantic.Field(default_factory=list, description="Lists of the resource to look through.")
    shield: bool = pydantic.Field(False, description="Have Prompt Shields look for attacks in what is asked, too.")
    internal: bool = pydantic.Field(False, description=INTERNAL)
    remember: float = pydantic.Field(3600.0, ge=0, description="Seconds for which it is not asked of the same again.")


class _Harm(msgspec.Struct):
    category: str
    severity: int


class _Listed(msgspec.Struct, rename="camel"):
    blocklist_name: str
    blocklist_item_text: str = ""


class _Analysis(msgspec.Struct, rename="camel"):
    categories_analysis: list[_Harm]
    blocklists_match: list[_Listed] = []


class _Attack(msgspec.Struct, rename="camel"):
    attack_detected: bool


class _Shield(msgspec.Struct, rename="camel"):
    user_prompt_analysis: _Attack | None = None
    documents_analysis: list[_Attack] = []


class Azure(Asking):
    """`hate`, `selfharm`, `sexual`, `violence` with severity / 6 as score, `blocklist`; with `shield`, `prompt_attack`
    and, of documents and results of tools, `document_attack`. Each text is asked about by itself, long ones in pieces
    of 10,000 characters; of harm and attacks all of the piece is the finding."""

    Settings = AzureSettings

    def __init__(self, settings: AzureSettings) -> None:
        super().__init__(settings.remember)
        base = f"{settings.endpoint.rstrip('/')}/contentsafety/text"
        headers = {"ocp-apim-subscription-key": settings.api_key.get_secret_value()}
        own = settings.internal
        self._analyze = Server(f"{base}:analyze?api-version={VERSION}", headers, internal=own)
        shield = Server(f"{base}:shieldPrompt?api-version={VERSION}", headers, internal=own)
        self._shield = shield if settings.shield else None
        self._harms: dict[str, int] = {str(name): least for name, least in settings.harms.items()}
        self._said: dict[str, Any] = {"categories": list(self._harms)} if self._harms else {}
        if settings.blocklists:
            self._said["blocklistNames"] = settings.blocklists
        if not self._said and not settings.shield:
            raise ValueError("it is told to look for nothing: name `harms` or `blocklists`, or set `shield`")

    async def judged(self, passages: Sequence[Passage], asked: Asked) -> Sequence[Iterable[Finding]]:
        parts = [(place, *part) for place, each in enumerate(passages) for part in pieces(each.text, LONGEST)]
        said = await several(self._all(start, text, passages[place], asked) for place, start, text in parts)
        found: list[dict[Finding, None]] = [{} for _ in passages]
        for (place, *_), those in zip(parts, said, strict=True):
            found[place].update(dict.fromkeys(those))
        return found

    async def _all(self, start: int, text: str, passage: Passage, asked: Asked) -> list[Finding]:
        found = await self._harmful(start, text, asked) if self._said else []
        if self._shield is not None and passage.side == "request":
            found += await self._attacks(self._shield, start, text, passage, asked)
        return found

    async def _harmful(self, start: int, text: str, asked: Asked) -> list[Finding]:
        body = msgspec.json.encode({"text": text, **self._said})
        said = read(await self._analyze.ask(asked.help, body), _Analysis)
        severity = {each.category: each.severity for each in said.categories_analysis}
        if not severity.keys() >= self._harms.keys():
            raise GuardUnavailable("its answer does not say how severe all is that it was asked about")
        end = start + len(text)
        found = [
            Finding(0, start, end, name.lower(), min(severity[name] / WORST, 1.0), f"severity {severity[name]}")
            for name, least in self._harms.items()
            if severity[name] >= least
        ]
        return found + [
            Finding(0, start + first, start + last, "blocklist", reason=f"on the list {each.blocklist_name}")
            for each in said.blocklists_match
            for first, last in everywhere(text, each.blocklist_item_text, case=False)
        ]

    async def _attacks(self, shield: Server, start: int, text: str, passage: Passage, asked: Asked) -> list[Finding]:
        given = passage.part in GIVEN
        body = msgspec.json.encode({"userPrompt": "", "documents": [text]} if given else {"userPrompt": text})
        said = read(await shield.ask(asked.help, body), _Shield)
        told = said.documents_analysis if given else [said.user_prompt_analysis]
        if len(told) != 1 or told[0] is None:
            raise GuardUnavailable("its answer does not say whether it is an attack")
        if not told[0].attack_detected:
            return []
        return [Finding(0, start, start + len(text), "document_attack" if given else "prompt_attack")]
