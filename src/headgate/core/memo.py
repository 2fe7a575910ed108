"""What was found out of the headers that the requests of one connection repeat, word for word."""

from __future__ import annotations


class Memo:
    """As long as a connection's requests have the same headers, but for the length of the body, they share one."""

    __slots__ = ("key",)

    def __init__(self) -> None:
        self.key: bytes | None = None
        """What the key is known by that they present, where they present one alone: what becomes of whoever has it is
        asked each time."""
