"""The page that says where the catalogue's sources disagree, and which of them was believed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

HEAD = """# Where the sources of the catalogue disagree

Written by `scripts/catalogue.py`, together with `src/headgate/catalog/data`; how the sources are weighed is said in
[decision 7](../decisions/0007-catalogue.md). Prices are US dollars per million tokens, per one of everything else.

"""


@dataclass(frozen=True, order=True)
class Row:
    """A disagreement of more than 1 %."""

    provider: str
    model: str
    what: str
    genai: str
    litellm: str
    taken: str
    why: str


@dataclass
class Report:
    """What was gathered, and what was noticed on the way."""

    rows: list[Row] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)
    priced: Counter[str] = field(default_factory=Counter)
    aliases: Counter[str] = field(default_factory=Counter)
    left_out: set[str] = field(default_factory=set)

    def page(self, sources: list[str]) -> str:
        total, priced = sum(self.models.values()), sum(self.priced.values())
        lines = [HEAD, *(f"- {source}\n" for source in sources)]
        lines.append(
            f"\n{total} models of {len(self.models)} providers, {priced} of them with prices, and "
            f"{sum(self.aliases.values())} other ids for them.\n"
        )
        lines.append("\n## Models\n\n| provider | models | with prices | other ids |\n|---|---|---|---|\n")
        lines += [
            f"| {name} | {count} | {self.priced[name]} | {self.aliases[name]} |\n"
            for name, count in sorted(self.models.items())
        ]
        lines.append(f"\n## Disagreements\n\n{len(self.rows)} of them.\n\n")
        lines.append(
            "| provider | model | what | genai-prices | LiteLLM | taken | because |\n|---|---|---|---|---|---|---|\n"
        )
        lines += [
            f"| {row.provider} | `{row.model}` | {row.what} | {row.genai} | {row.litellm} | {row.taken} | {row.why} |\n"
            for row in sorted(self.rows)
        ]
        lines.append("\n## Left out\n\nWhat the sources say and the catalogue has no word for:\n\n")
        lines += [f"- {what}\n" for what in sorted(self.left_out)]
        return "".join(lines)
