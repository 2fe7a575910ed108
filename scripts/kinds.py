"""The page of the kinds of secrets and personal data that are found, made from the packs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from headgate.redaction import kinds
from headgate.redaction.kinds import Pack
from headgate.redaction.pattern import Pattern, Shape

HEAD = """# Secrets and personal data that are found

Made from the code (`make docs`). The guards [`personal` and `secrets`](stages.md#personal) look for these
([how](../how-to/guard-personal-data.md)), and what is kept
[redacted](../how-to/keep-what-was-said.md#what-is-taken-out) is without them. A group stands for its kinds. Kinds
with * are optional: they are found only where they are asked for (`also`). How sure a finding is without
a word near it is a score; from 0.5 on it counts, if nothing else is said.

## Packs

"""


def page() -> str:
    packs = [kinds.pack(name) for name in kinds.names()]
    said = "".join(f"| `{each.name}` | {each.said} |\n" for each in packs)
    head = f"{HEAD}| Pack | What it is for |\n|---|---|\n{said}"
    table = "| Kind | Group | Alone | What proves it |\n|---|---|---|---|\n"
    return head + "".join(f"\n## {each.name}\n\n{each.said}\n\n{table}{''.join(_rows(each))}" for each in packs)


def _rows(pack: Pack) -> Iterator[str]:
    for group, names in pack.groups.items():
        for kind in names:
            rules: list[Pattern | Shape] = [each for each in pack.patterns if each.kind == kind]
            rules += (each for each in pack.shapes if each.kind == kind)
            star = "*" if kind in pack.optional else ""
            yield f"| `{kind}`{star} | `{group}` | {_alone(rules)} | {_proof(rules)} |\n"


def _alone(rules: list[Pattern | Shape]) -> str:
    scores = sorted(each.alone for each in rules if isinstance(each.alone, float))
    if len(scores) < len(rules):
        return "by its form"
    return f"{scores[0]:g}" if scores[0] == scores[-1] else f"{scores[0]:g} to {scores[-1]:g}"


def _proof(rules: list[Pattern | Shape]) -> str:
    said = [" ".join(inspect.cleandoc(each.check.__doc__ or "").split()) for each in rules if each.check]
    words = list(dict.fromkeys(one for one in said if one))
    return " ".join(words).replace("|", "\\|") or "its form"
