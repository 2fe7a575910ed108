"""The system prompt of all requests of somebody."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from headgate.config.section import Section


class SystemPrompt(Section):
    """What stands before every conversation; the text alone in place of the mapping is all as it is usual."""

    text: str = Field(min_length=1, max_length=100_000, description="The prompt.")
    own: Literal["keep", "refuse"] = Field(
        "keep",
        description="A system prompt of the client's own stands behind it (`keep`), or is refused, with a 400.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value
