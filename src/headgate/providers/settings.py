"""What every provider can be told in the configuration."""

from __future__ import annotations

from typing import Annotated, Any

import pydantic
from pydantic_core import PydanticCustomError

from headgate.core import plugin
from headgate.core.target import Streaming
from headgate.dialects.dialect import dialects

Seconds = Annotated[float, pydantic.Field(gt=0, le=86400 * 7, allow_inf_nan=False)]
"""Of any setting: a week at the most."""


class TimeoutSettings(pydantic.BaseModel, extra="forbid"):
    """How long to wait for a provider, in seconds."""

    connect: Seconds = pydantic.Field(5.0, description="To connect: name, TCP, TLS and proxy together.")
    first_byte: Seconds = pydantic.Field(300.0, description="From the request's last byte to the reply's head.")
    idle: Seconds = pydantic.Field(120.0, description="Between two pieces of a reply.")
    total: Seconds = pydantic.Field(900.0, description="For the whole exchange.")


class KeySettings(pydantic.BaseModel, extra="forbid"):
    """One of several keys of a provider; a text in place of the mapping is its `api_key`."""

    api_key: pydantic.SecretStr = pydantic.Field(description="The key.")
    name: str | None = pydantic.Field(
        None, min_length=1, max_length=100, description="Its name in records and metrics. Left out: `key-1`, `key-2` …"
    )
    weight: float = pydantic.Field(1.0, ge=0, le=1e6, description="Its share of the requests.")
    enabled: bool = pydantic.Field(True, description="Whether it is used.")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"api_key": value} if isinstance(value, str) else value


def _trait(trait: str) -> str:
    trait = trait.strip().lower()
    if not trait or "," in trait:
        raise PydanticCustomError("trait", "not a trait: write a word such as `eu` or `no-training`, without commas")
    return trait


Traits = list[Annotated[str, pydantic.AfterValidator(_trait)]]


class ProviderSettings(pydantic.BaseModel, extra="forbid"):
    """What every provider can be told."""

    api_key: pydantic.SecretStr | None = pydantic.Field(
        None, description="The provider's key. `none` where the host wants none."
    )
    api_keys: list[KeySettings] = pydantic.Field(
        default_factory=list,
        description="Several keys instead of `api_key`: requests are shared among those that work.",
    )
    base_url: str | None = pydantic.Field(
        None, description="Where the API is, as the vendor's own SDK means it. Without it, the vendor's address."
    )
    timeouts: TimeoutSettings = pydantic.Field(
        default_factory=TimeoutSettings, description="How long to wait for this provider."
    )
    headers: dict[str, str] = pydantic.Field(
        default_factory=dict, description="Headers added to every request to this provider."
    )
    traits: Traits = pydantic.Field(
        default_factory=list,
        description="What is so of it, for keys and requests that [require](../how-to/keep-data-where-it-may-be.md) "
        "it: `eu`, `no-training`, `hipaa`.",
    )
    internal: bool = pydantic.Field(
        False, description="It is one's own: what [policies](../how-to/guard.md) keep from others it is told."
    )
    catalogue: str | None = pydantic.Field(
        None,
        description="Whose models it serves, by the name of a provider in the catalogue (`openai` for a proxy in front "
        "of OpenAI). Left out: those of its kind.",
    )
    ask_for_usage: bool = pydantic.Field(
        True,
        description="Ask for token counts in streams where the client did not, so that records are complete; "
        "the client does not see the difference. Turn it off for a host that refuses `stream_options`.",
    )
    models: dict[str, str] = pydantic.Field(
        default_factory=dict,
        description="Names of its models that clients may use, and what the host calls each (a deployment, an ARN).",
    )
    set: dict[str, Any] = pydantic.Field(
        default_factory=dict,
        description="Fields set in every request, in the host's own words, whatever the client said; a mapping is "
        "merged into the client's. Like `defaults` and `drop` also in forms; not in what is forwarded unread.",
    )
    defaults: dict[str, Any] = pydantic.Field(
        default_factory=dict, description="Fields set where the client did not say them."
    )
    drop: list[str] = pydantic.Field(
        default_factory=list, description="Fields left out of every request (`logit_bias`, `options.seed`)."
    )
    inline_links: bool = pydantic.Field(
        False,
        description="This host cannot fetch what a URL names (a model server without a network): the gateway fetches "
        "it and sends the data, if `fetch` is on.",
    )
    streams: Streaming = pydantic.Field(
        "both",
        description="`never` for a host that only answers in one piece, `always` for one that only streams: clients "
        "get what they ask for all the same.",
    )
    propagate_trace: bool = pydantic.Field(
        False,
        description="Send this host the W3C trace context (`traceparent`, `tracestate`) of requests, so that its own "
        "spans are part of the same trace. Without `traces` there is none.",
    )
    speaks: list[str] | None = pydantic.Field(
        None,
        min_length=1,
        description="The dialects this host speaks, by name, of each operation the best first. Left out: those of its "
        "kind, as the [table](providers.md) says.",
    )

    @pydantic.field_validator("speaks")
    @classmethod
    def _known(cls, names: list[str] | None) -> list[str] | None:
        known = [dialect.name for dialect in dialects()] if names else []
        for name in names or ():
            if name not in known and plugin.BARE.match(name):
                hint = plugin.suggestion(name, known, limit=100)
                raise PydanticCustomError(
                    "dialect", "there is no dialect `{name}`; {hint}", {"name": name, "hint": hint}
                )
        return names
