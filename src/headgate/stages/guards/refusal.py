"""Whether a model refuses to answer, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings, compiled

EXPRESSIONS = (
    r"I['\x{2019}]?(?:m| am)(?: really| very| so| truly)? (?:sorry|afraid|unable|not able|not going|not comfortable)"
    r"[^.!?\n]{0,60}\b(?:can['\x{2019}]?t|cannot|can not|won['\x{2019}]?t|unable|not able to|not comfortable|to (?:"
    r"help|assist|provide|comply|answer|do that|discuss|create|write))\b",
    r"I (?:can['\x{2019}]?t|cannot|can not|won['\x{2019}]?t|will not|must decline to|have to decline to|must refuse to)"
    r"(?: \w+){0,2} (?:help|assist|comply|provide|answer|do that|discuss|support|create|write|generate|fulfil?l|"
    r"engage|share|continue|participate)\b",
    r"I (?:must|have to|need to|will have to) (?:decline|refuse)\b",
    r"as an AI(?: language)?(?: model| assistant)?,? I (?:can['\x{2019}]?t|cannot|am not able|am unable|do not|"
    r"don['\x{2019}]?t)\b",
    r"(?:this|that|your) (?:request|question) (?:violates|goes against|is against)\b",
    r"(?:es tut mir leid|tut mir leid|leider)[^.!?\n]{0,40}\bkann ich\b[^.!?\n]{0,60}\bnicht\b",
    r"ich kann (?:dir |ihnen |dabei |das |diese[snr]? )?[^.!?\n]{0,40}\bnicht (?:helfen|beantworten|erfüllen|"
    r"unterstützen)",
    r"je (?:suis|regrette|m['\x{2019}]excuse)[^.!?\n]{0,40}\bje ne (?:peux|puis)[^.!?\n]{0,20}\bpas\b",
    r"je ne (?:peux|puis) pas (?:vous |t['\x{2019}])?(?:aider|répondre|fournir|assister)",
    r"lo siento[^.!?\n]{0,30}\bno puedo\b|no puedo (?:ayudarte|ayudarle|ayudar|proporcionar|responder)",
    r"mi dispiace[^.!?\n]{0,30}\bnon posso\b|non posso (?:aiutarti|aiutarla|aiutare|fornire|rispondere)",
)
"""What refusals of models say, in English, German, French, Spanish and Italian."""
BEGINNING = 400
"""Characters of an answer: one that refuses says so at once."""


class Refusal(Guard):
    """At the beginning of an answer; what models say in a field of their own is in the record anyhow."""

    Settings = GuardSettings
    needs = {"re2": "guard"}
    sides = frozenset({"reply"})
    usual = "flag"
    hold = 160

    def __init__(self, settings: GuardSettings) -> None:
        self._expression = compiled("|".join(f"(?:{each})" for each in EXPRESSIONS), case=False)

    def refuses(self, text: str) -> bool:
        return self._expression.search(text) is not None

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterable[Finding]:
        for index, passage in enumerate(passages):
            if passage.part == "text":
                found = self._expression.search(passage.text[:BEGINNING])
                if found is not None:
                    yield Finding(index, found.start(), found.end(), "refusal", reason="the model refuses")
