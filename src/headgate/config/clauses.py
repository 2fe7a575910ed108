"""What may not be done, whoever asks: policy as code."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from headgate.config.section import Section


class Clause(Section):
    """What it denies is denied, whatever else the configuration allows: [how](../how-to/policy-as-code.md)."""

    name: str = Field(min_length=1, max_length=100, description="Its name in refusals and records.")
    deny: str = Field(
        min_length=1,
        description="An expression in CEL that is true of what is forbidden: of a request, or of a request and a "
        "target, where it asks for `target`, `provider` or `traits`.",
    )
    says: str = Field(min_length=1, max_length=1000, description="In words, for those in whose way it is.")
    law: str = Field("", max_length=200, description="Where it comes from: `GDPR Art. 44`, `contract 17`.")
    mode: Literal["enforce", "monitor"] = Field(
        "enforce", description="`monitor`: records say what it would forbid, and it forbids nothing."
    )
