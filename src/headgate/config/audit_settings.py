"""How what was done is proven: when the chains of hashes are signed, and where that is told beside the databases."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from headgate.config.section import Section


class Audit(Section):
    """Signed checkpoints of the audit and of the records; see [how](../how-to/prove-what-happened.md)."""

    checkpoint_seconds: float = Field(
        600.0, ge=1, le=86_400, description="Seconds between two checkpoints, where something was written meanwhile."
    )
    checkpoint_file: Path | None = Field(
        None,
        description="A file that each is appended to as a line of JSON, relative to the configuration file: best where "
        "nothing is ever taken away. Left out: none.",
    )
    checkpoint_url: SecretStr | None = Field(
        None, description="An address that each is sent to (POST, JSON): `https://…`. Left out: none."
    )
