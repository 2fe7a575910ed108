"""How many tokens of which class a reply cost."""

from __future__ import annotations

from typing import Any

import msgspec


class Tokens(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Tokens in disjoint classes: every token is counted in exactly one field, so a price is a sum of products.

    The vendors differ: OpenAI's `prompt_tokens` includes cached tokens and `completion_tokens` includes reasoning;
    Anthropic's `input_tokens` excludes cached ones, its `output_tokens` includes thinking. Each dialect's reader
    normalises its vendor's convention.
    """

    input: int = 0
    """Text tokens of the prompt that were neither read from nor written to a cache."""
    cache_read: int = 0
    cache_write: int = 0
    """Written to the cache with the vendor's default lifetime (Anthropic: 5 minutes)."""
    cache_write_1h: int = 0
    input_audio: int = 0
    input_image: int = 0
    input_video: int = 0
    output: int = 0
    """Text tokens of the answer that are not reasoning."""
    reasoning: int = 0
    output_audio: int = 0
    output_image: int = 0

    @property
    def prompt(self) -> int:
        """All tokens of the prompt, of whatever class."""
        written = self.cache_write + self.cache_write_1h
        return self.input + self.cache_read + written + self.input_audio + self.input_image + self.input_video

    @property
    def completion(self) -> int:
        """All tokens of the answer, of whatever class."""
        return self.output + self.reasoning + self.output_audio + self.output_image


TOKEN_CLASSES = Tokens.__struct_fields__


class Usage(Tokens, kw_only=True, omit_defaults=True):
    """What a reply cost, in tokens and otherwise; the vendor's own object is kept unread in `reported`."""

    server_tools: dict[str, int] = {}
    """Calls of tools the provider ran itself, by the provider's name for the count (`web_search_requests`)."""
    units: dict[str, float] = {}
    """What is counted otherwise than in tokens: `seconds` of audio, `characters`, `images`, `searches`, `pages`."""
    tier: str | None = None
    """The service tier that served it, in the provider's own word ("flex", "ON_DEMAND_PRIORITY"); prices go by it."""
    reported: dict[str, Any] = {}

    def plus(self, other: Usage) -> Usage:
        """The sum; what the vendors reported is that of the second."""
        numbers = {name: getattr(self, name) + getattr(other, name) for name in TOKEN_CLASSES}
        tools = {
            name: self.server_tools.get(name, 0) + other.server_tools.get(name, 0)
            for name in {**self.server_tools, **other.server_tools}
        }
        units = {name: self.units.get(name, 0) + other.units.get(name, 0) for name in {**self.units, **other.units}}
        return Usage(**numbers, server_tools=tools, units=units, tier=other.tier, reported=other.reported)
