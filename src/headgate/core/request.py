"""What every request of every operation has, whichever dialect it came in."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from headgate.core.usage import Usage

Operation = Literal[
    "chat",
    "embeddings",
    "images",
    "speech",
    "transcription",
    "moderation",
    "rerank",
    "count_tokens",
    "opaque",  # forwarded unread
]
"""What is asked for. Dialects of one operation cross into each other, never into another operation's."""

PASSED: frozenset[str] = frozenset({"speech", "opaque"})
"""Operations whose replies are given piece by piece as they come, whether or not a stream was asked for."""
TYPED: frozenset[str] = frozenset({"speech", "transcription"})
"""Operations whose replies have a content type that only the provider knows."""


class Request(msgspec.Struct, kw_only=True):
    """A request in whichever dialect it was said (`dialect`, its name); each operation has its own kind."""

    dialect: str
    model: str
    stream: bool = False
    native: dict[str, Any] = {}
    """What only the dialect knows, under the vendor's own field names."""

    def reckoned(self) -> Usage | None:
        """What is known of its cost before there is an answer, for vendors that do not say (characters of speech)."""
        return None
