"""What a LiteLLM configuration knows of models: prices, limits, what they are otherwise like."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from headgate.catalog.catalogue import assemble
from headgate.migrate.litellm.providers import Asked, kinds, known, rules
from headgate.migrate.litellm.report import Report
from headgate.migrate.litellm.source import Part

MILLION = Decimal(10**6)
MOST_PRICE = MILLION
"""US dollars that a token, or whatever else is counted, may cost."""
TOKENS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "output_cost_per_image_token": "output_image",
}
"""Per token there, per million tokens here: litellm/types/utils.py, CustomPricingLiteLLMParams."""
OTHERS = {
    "input_cost_per_character": "characters",
    "output_cost_per_character": "output_characters",
    "input_cost_per_second": "seconds",
    "output_cost_per_second": "output_seconds",
    "output_cost_per_image": "images",
    "input_cost_per_image": "input_images",
    "input_cost_per_query": "searches",
}
TIERS = {"batches": "batch", "priority": "priority", "flex": "flex"}
COST = re.compile(r"(?P<name>.+?)(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>batches|priority|flex))?\Z")
IS_COST = re.compile(r".*_cost(_|\Z)|tiered_pricing\Z|cost_per_second\Z")
"""What of `litellm_params` and `model_info` is about prices."""
MODES = {
    "chat": "chat", "completion": "chat", "responses": "chat", "embedding": "embeddings", "rerank": "rerank",
    "image_generation": "images", "image_edit": "images", "audio_transcription": "transcription",
    "audio_speech": "speech", "moderation": "moderation", "moderations": "moderation", "realtime": "realtime",
    "video_generation": "video", "ocr": "ocr", "search": "search",
}  # fmt: skip
LIMITS = {"max_input_tokens": "max_input", "max_output_tokens": "max_output", "output_vector_size": "dimensions"}
ABILITIES = {
    "supports_function_calling": "tools",
    "supports_parallel_function_calling": "parallel_tools",
    "supports_response_schema": "schema",
    "supports_reasoning": "reasoning",
    "supports_prompt_caching": "caching",
    "supports_web_search": "web_search",
    "supports_computer_use": "computer_use",
    "supports_vision": "image",
    "supports_pdf_input": "document",
    "supports_audio_input": "audio",
    "supports_video_input": "video",
}
OWN = frozenset(
    {"id", "access_groups", "mode", "base_model", "max_tokens", "db_model", "created_at", "created_by", "updated_at",
     "updated_by", "description", "litellm_provider"}
)  # fmt: skip
"""What of `model_info` is read elsewhere, or says nothing about how requests are served."""


EVERYBODY = "whoever may ask for every model may ask for it: list the `models` of the others"
LOST = {
    "team_id": EVERYBODY,
    "team_public_model_name": EVERYBODY,
    "access_windows": EVERYBODY,
    "blocked": "it is in force here: take its target out",
}


class Facts:
    """What one deployment says of its model, as `catalogue.models` has it."""

    def __init__(self, report: Report, kind: str, asked: Asked) -> None:
        self.report = report
        self.kind = kind
        self.asked = asked
        self.said: dict[str, Any] = {}

    def read(self, params: Part, info: Part | None) -> dict[str, Any]:
        for part in (*(info.each() if info is not None else ()), *params.each()):
            if IS_COST.match(part.name):
                self._price(part)
        if info is not None:
            for part in info.each():
                self._fact(part)
            self._base(info)
        if self.said.get("prices") and "input" in self.said["prices"]:
            self.said["prices"].setdefault("output", 0)
        return self.said

    def _price(self, part: Part) -> None:
        found = COST.match(part.name)
        assert found is not None
        word = part.name if part.name in TOKENS else found["name"]
        amount = _amount(part)
        if amount is None or (word not in TOKENS and word not in OTHERS):
            if amount != 0:
                self.report.lost(part, "there is no such class of prices", "see `catalogue.models.<name>.prices`")
            return
        name = TOKENS.get(word) or OTHERS[word]
        if found["tier"] and part.name not in TOKENS:
            name = f"{TIERS[found['tier']]}.{name}"
        if found["above"] and part.name not in TOKENS:
            name += f">{found['above']}000"
        amount = amount * MILLION if word in TOKENS else amount
        self.said.setdefault("prices", {})[name] = _written(amount)

    def _fact(self, part: Part) -> None:
        if part.name in LIMITS or (part.name == "max_tokens" and "max_output" not in self.said):
            number = part.number()
            if isinstance(number, int) and number > 0:
                self.said[LIMITS.get(part.name, "max_output")] = number
        elif part.name in ABILITIES:
            if not part.true():
                self.said.setdefault("cannot", []).append(ABILITIES[part.name])
        elif part.name == "mode" and not self._is_known():
            if part.text() in MODES:
                self.said["operations"] = [MODES[part.text()]]
        elif part.name not in OWN and not IS_COST.match(part.name) and part.value is not False:
            self.report.lost(part, "nothing here goes by it", LOST.get(part.name, "leave it out"))

    def _is_known(self) -> bool:
        return known(self.kind, self.asked.model)

    def _base(self, info: Part) -> None:
        """`base_model`: the model that a deployment is one of."""
        part = info.at("base_model")
        if part is None:
            return
        prefix, _, rest = part.text().partition("/")
        own = rules()[prefix].kind if prefix in rules() and rest else None
        for name in (rest if own == self.kind else "", f"{own}/{rest}" if own else "", part.text()):
            if name and _there(self.kind, name):
                self.said["base_model"] = name
                return
        self.report.lost(part, "a model that the catalogue has not", "say its prices: `catalogue.models`")


@cache
def _there(kind: str, base_model: str) -> bool:
    listed = kinds()[kind].catalogue or kind
    return not assemble({kind: listed}, {f"{kind}/x": {"base_model": base_model}}).missing


def _amount(part: Part) -> Decimal | None:
    try:
        amount = Decimal(part.node.text or str(part.node.value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < MOST_PRICE else None


def _written(amount: Decimal) -> Any:
    """A number that reads the same."""
    if amount == amount.to_integral_value():
        return int(amount)
    short = float(amount)
    return short if Decimal(repr(short)) == amount else f"{amount.normalize():f}"
