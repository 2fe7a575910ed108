"""The keys of `catalogue`: what is known of models, and where more of it comes from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from headgate.catalog.refreshed import CLASS
from headgate.config.section import Section


def _price(value: Any) -> str:
    """An exact decimal: what was written, be it a number or a text."""
    try:
        amount = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or not 0 <= amount < 10**12:
        raise PydanticCustomError("price", "not a price in US dollars: write a number, 0 or more")
    return f"{amount:f}"


def _price_class(value: str) -> str:
    if not CLASS.fullmatch(value):
        raise PydanticCustomError("price_class", "not a class of prices: `input`, `input>200000`, `batch.input` …")
    return value


MOST_FACTOR = 100
PRICE = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?$"}]}
Price = Annotated[str, BeforeValidator(_price), WithJsonSchema(PRICE)]


def _factor(value: Any) -> str:
    try:
        factor = _price(value)
    except PydanticCustomError:
        factor = ""
    if not factor or Decimal(factor) > MOST_FACTOR:
        raise PydanticCustomError("factor", "not a factor of prices: write a number from 0 to 100; 0.85 is 15 % less")
    return factor


Factor = Annotated[str, BeforeValidator(_factor), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})]
PriceClass = Annotated[str, AfterValidator(_price_class)]
Served = Literal[
    "chat", "embeddings", "images", "speech", "transcription", "moderation", "rerank", "realtime", "video", "ocr",
    "search",
]  # fmt: skip
Modality = Literal["text", "image", "audio", "video", "document"]
Ability = Literal[
    "tools", "parallel_tools", "schema", "reasoning", "adaptive_thinking", "caching", "web_search", "computer_use"
]


class CatalogueRefresh(Section):
    """A newer catalogue, from a file or a URL: one JSON file, as `scripts/catalogue.py --bundle` writes it."""

    url: str | None = Field(
        None, description="Where it is fetched from, by GET: an https URL, or an http one with `sha256`."
    )
    file: Path | None = Field(None, description="A file instead of a URL; when it changes, it is read again.")
    every: float = Field(86400.0, ge=60, le=86400 * 30, description="Seconds between two looks at the URL.")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-fA-F]{64}$", description="Take only the data with this SHA-256, hex."
    )


class CatalogueModel(Section):
    """What you know of a model; what you leave out is as the catalogue has it."""

    base_model: str | None = Field(
        None,
        description="The model it is otherwise like (deployments, fine-tuned models): one of the same provider, or "
        "`provider/model` of any in the catalogue.",
    )
    operations: list[Served] | None = Field(None, description="What it serves: `chat`, `embeddings`, `images` …")
    context: int | None = Field(None, ge=1, description="Tokens of prompt and answer together.")
    max_input: int | None = Field(None, ge=1, description="Most tokens of a prompt, where that is less.")
    max_output: int | None = Field(None, ge=1, description="Most tokens of an answer.")
    dimensions: int | None = Field(None, ge=1, description="Of its embeddings.")
    takes: list[Modality] | None = Field(None, description="What it reads, all of it.")
    gives: list[Modality] | None = Field(None, description="What it answers in, all of it.")
    can: list[Ability] | None = Field(None, description="What it can do, all of it.")
    cannot: list[Modality | Ability | Literal["choices"]] | None = Field(
        None, description="What requests are refused for; `choices` is more than one answer."
    )
    prices: dict[PriceClass, Price] | None = Field(
        None,
        description="US dollars per million tokens (`input`, `output`, `cache_read`, `batch.input`, `input>200000` …) "
        "or per one (`images`, `seconds`, `requests` …). They replace all the catalogue has for the model.",
    )
    retires: date | None = Field(None, description="The day from which it is no longer served.")

    def facts(self) -> dict[str, Any]:
        """As the catalogue says them."""
        said = self.model_dump(exclude_none=True, mode="json")
        found = {{"operations": "ops"}.get(name, name): value for name, value in said.items()}
        found |= {name: " ".join(value) for name, value in found.items() if isinstance(value, list)}
        if "prices" in found:
            found["prices"] = [found["prices"]]
        return found


class CatalogueSettings(Section):
    """What is known of models: prices, limits, abilities."""

    enforce: bool = Field(
        True,
        description="Refuse a request, before it is sent, that the model is known not to serve; skip such targets.",
    )
    refresh: CatalogueRefresh | None = Field(
        None, description="A newer catalogue than the one that came along. Left out: none."
    )
    price_factors: dict[str, Factor] = Field(
        default_factory=dict,
        description="What you pay of the catalogue's prices, by provider or `provider/model`: 0.85 is 15 % less, 1.1 a "
        "tenth more. What is said of a model counts instead of what is said of its provider. Prices of yours in "
        "`models` are taken as they stand.",
    )
    models: dict[str, CatalogueModel] = Field(
        default_factory=dict,
        description="What you know better, by `provider/model`; the provider by its name here, or by its kind.",
    )
