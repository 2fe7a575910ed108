"""What the names that clients ask for stand for: their targets, and in which order these are tried."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from headgate.config.caching import Answers
from headgate.config.payloads import SAID, DataClass
from headgate.config.section import Section
from headgate.core.cause import Cause
from headgate.core.chat import CacheMark
from headgate.core.kept import Keep
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings, Seconds, Traits
from headgate.stages.policies.policy import By


class ProviderEntry(pydantic.BaseModel):
    """A provider of the configuration with its class found and its settings read."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)

    kind: str
    type: type[Provider]
    settings: ProviderSettings

    @property
    def catalogue(self) -> str:
        """Whose models it serves, by the name of a provider in the catalogue."""
        return self.settings.catalogue or self.type.catalogue or self.kind


class Target(Section):
    """One model at one provider, and what requests to it get otherwise than their clients said."""

    model: str = Field(
        min_length=1, description="`provider/model`; what stands before the first slash is the provider."
    )
    set: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields set in the request's body, in the provider's own words, whatever the client said; a "
        "mapping is merged into the client's.",
    )
    defaults: dict[str, Any] = Field(default_factory=dict, description="Fields set where the client did not say them.")
    drop: list[str] = Field(
        default_factory=list, description="Fields left out of the request's body (`logit_bias`, `options.seed`)."
    )
    system: str | None = Field(None, description="A system prompt put before the client's own.")
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = Field(
        None, description="Effort of reasoning where the client asks for none."
    )
    slow_after: Seconds | None = Field(
        None,
        description="Seconds to the first piece of an answer above which it is too slow; a target that mostly is gets "
        "no requests for a while (see [breaker](#breaker)). Left out: it never is.",
    )
    concurrency: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Most requests at a time, of each worker; more wait. Left out: no limit.",
    )
    queue: int = Field(100, ge=0, le=1_000_000, description="Most requests that wait for it; more go elsewhere.")
    queue_seconds: Seconds = Field(30.0, description="Most seconds that a request waits for it.")
    requests_per_minute: int | None = Field(
        None, ge=1, description="Most requests in a minute, of each worker; then others are asked, if there are any."
    )
    tokens_per_minute: int | None = Field(None, ge=1, description="Most tokens in a minute, as `requests_per_minute`.")
    weight: float = Field(1.0, ge=0, le=1e6, description="Its share among the targets, for policies that weigh.")
    quality: float | None = Field(
        None, description="How good its answers are, on a scale of yours; more is better. For policies that ask for it."
    )
    traits: Traits = Field(
        default_factory=list,
        description="What is so of it, beside the `traits` of its provider, for keys and requests that "
        "[require](../how-to/keep-data-where-it-may-be.md) it.",
    )
    settings: dict[str, Any] = Field(
        default_factory=dict,
        alias="with",
        description="Settings of the provider that are others for this target: `base_url`, `timeouts`, `headers`, "
        "`api_key`, a region, an API version.",
    )
    _provider: ProviderEntry | None = PrivateAttr(None)

    @property
    def provider(self) -> ProviderEntry | None:
        """The provider with `settings` put in; None where there are none."""
        return self._provider

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"model": value} if isinstance(value, str) else value


class Policy(Section):
    """In which order targets are tried; a text in place of the mapping is its `use`."""

    use: str = Field(
        "ordered", min_length=1, description="A built-in [policy](stages.md#policies), or the dotted path of a class."
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="Its settings, given to the class as keyword arguments."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"use": value} if isinstance(value, str) else value


class FallbacksOn(Section):
    """Targets that are tried next where one failed for a certain cause; a single one needs no list."""

    context_overflow: list[Target] = Field(
        default_factory=list, description="The prompt is too long for it: models that take more."
    )
    refusal: list[Target] = Field(
        default_factory=list, description="It, or a filter in front of it, would not answer: models that may."
    )
    rate_limit: list[Target] = Field(
        default_factory=list, description="It has had enough requests for now, with every key."
    )

    @property
    def each(self) -> dict[Cause, list[Target]]:
        """By cause."""
        return {"context_overflow": self.context_overflow, "refusal": self.refusal, "rate_limit": self.rate_limit}

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {name: _listed(each) for name, each in value.items()} if isinstance(value, dict) else value


class Canary(Section):
    """A new target that gets more and more of the requests, each user always or never, as long as it does as well as
    the others."""

    target: Target = Field(description="The target on trial; it stands in `targets` not yet.")
    steps: list[Annotated[float, Field(gt=0, le=100)]] = Field(
        default_factory=lambda: [1.0, 5.0, 25.0, 100.0],
        min_length=1,
        description="Its shares of the requests, in per cent.",
    )
    every: Seconds = Field(600.0, description="Seconds that a step lasts at least.")
    least: int = Field(20, ge=1, description="Requests that it must have had to go on, or back.")
    error_margin: float = Field(
        0.05,
        ge=0,
        le=1,
        description="By how much the share of its attempts that fail may be more than that of the others, before it is "
        "taken back.",
    )
    max_slowdown: float = Field(
        1.5,
        ge=1,
        description="How many times as long as the others it may take to the first piece of an answer (the whole, "
        "where it is not streamed), before it is taken back.",
    )
    by: list[By] = Field(
        default_factory=lambda: ["user", "session", "key"],
        min_length=1,
        description="Who always or never gets it, as of the [policy](stages.md#sticky) `sticky`.",
    )

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: list[float]) -> list[float]:
        if any(one >= other for one, other in pairwise(steps)):
            raise PydanticCustomError("rising", "the steps must rise: [1, 5, 25, 100]")
        return steps


class Shadow(Section):
    """Another target that gets copies of requests, whose answers nobody is given."""

    target: Target = Field(description="Who gets them.")
    share: float = Field(1.0, gt=0, le=1, description="Share of the requests that are copied.")
    at_once: int = Field(
        20, ge=1, le=10_000, description="Most copies under way, of each worker; more are left out, and counted."
    )


class Judge(Section):
    """A model that says how good the answers of a name's targets are."""

    target: Target = Field(description="Who judges.")
    share: float = Field(0.1, ge=0, le=1, description="Share of the answers that are judged.")
    least: float = Field(
        0.5, ge=0, le=1, description="A target whose answers have less than this on average is asked after the others."
    )
    enough: int = Field(5, ge=1, le=1000, description="Judgments of a target without which no average is believed.")
    ask_again: bool = Field(
        False,
        description="Wait for the judgment of every answer that is not streamed, and where it has less than `least` "
        "ask the next target once.",
    )
    criteria: str = Field(
        "is it right, does it answer what was asked, completely and as asked for?",
        min_length=1,
        description="What makes an answer good, as the judge is told.",
    )
    seconds: Seconds = Field(30.0, description="Seconds that the judge has.")
    at_once: int = Field(
        20, ge=1, le=10_000, description="Most judgments under way, of each worker; more are left out, and counted."
    )


class Model(Section):
    """What a name that clients ask for stands for; a text or a list in place of the mapping is its `targets`."""

    policy: Policy = Field(default_factory=Policy, description="In which order the targets are tried.")
    targets: list[Target] = Field(
        min_length=1,
        description="The targets: `provider/model`, or `{model: provider/model}`; a single one needs no list.",
    )
    fallbacks: list[Target] = Field(
        default_factory=list,
        description="Targets tried after all others, in this order; a single one needs no list.",
    )

    fallbacks_on: FallbacksOn = Field(
        default_factory=lambda: FallbacksOn(), description="Targets tried next where one failed for a certain cause."
    )
    first_token: Seconds | None = Field(
        None,
        description="Seconds a target has for the first piece of a stream, before the next is asked. Left out: as "
        "long as the provider's `timeouts` allow.",
    )
    whole_answer: Seconds | None = Field(
        None,
        description="The same for an answer that is not streamed, which takes as long as it is. One that would have "
        "come later is no proof that the target is broken; a target of which most come too late is merely put last.",
    )
    deadline: Seconds | None = Field(
        None,
        description="Seconds in which an answer must have begun (be there, where it is not streamed), over all "
        "attempts and waits; each attempt gets an equal share of what is left. Left out: no such limit.",
    )

    hedge: Literal["p95"] | Seconds | None = Field(
        None,
        description="Ask the second target as well where the first has not begun to answer after so many seconds, or "
        "after what 95 of 100 of its answers took (`p95`); the first answer counts. Left out: never.",
    )
    resume: bool = Field(
        False,
        description="Where a stream breaks off, have another target continue it from the text so far, instead of an "
        "error.",
    )

    canary: Canary | None = Field(
        None, description="A new target on trial: [how](../how-to/canary-a-model.md). Left out: none."
    )

    shadow: Shadow | None = Field(
        None,
        description="Another target that gets copies of requests: [how](../how-to/shadow-traffic.md). Left out: none.",
    )

    judge: Judge | None = Field(
        None,
        description="A model that judges the answers, so that targets which answer badly are asked last: "
        "[how](../how-to/judge-answers.md). Left out: none.",
    )

    cache: Answers | None = Field(
        None,
        description="Answers that are given again: [how](../how-to/cache-answers.md). Left out: see `cache.others`.",
    )

    prompt_cache: Literal["off", "auto", "auto_1h"] = Field(
        "off",
        description="`auto`: long prompts are marked for providers that keep them only so (Anthropic's; Claude and "
        "Nova at Bedrock), where the client marks nothing; `auto_1h`: to be kept for an hour: "
        "[how](../how-to/keep-prompt-caches-warm.md#marks).",
    )

    payloads: Keep | None = Field(None, description=f"{SAID} Left out: no word in it.")

    data_class: DataClass | None = Field(
        None, description="The class of what requests for it say, where the key and its owners name none."
    )

    @property
    def marks(self) -> CacheMark | None:
        """How prompts are marked; None: not at all."""
        return None if self.prompt_cache == "off" else CacheMark("1h" if self.prompt_cache == "auto_1h" else None)

    def places(self) -> Iterator[tuple[tuple[str | int, ...], Target]]:
        """Every target, and where it stands."""
        listed = {"targets": self.targets, "fallbacks": self.fallbacks}
        for section, targets in listed.items():
            yield from (((section, index), target) for index, target in enumerate(targets))
        for cause, targets in self.fallbacks_on.each.items():
            yield from ((("fallbacks_on", cause, index), target) for index, target in enumerate(targets))
        if self.canary is not None:
            yield ("canary", "target"), self.canary.target
        if self.shadow is not None:
            yield ("shadow", "target"), self.shadow.target
        if self.judge is not None:
            yield ("judge", "target"), self.judge.target

    @field_validator("deadline")
    @classmethod
    def _long_enough(cls, deadline: float | None, info: ValidationInfo) -> float | None:
        for name in ("first_token", "whole_answer"):
            one = info.data.get(name)
            if deadline is not None and one is not None and one > deadline:
                told = {"name": name, "one": f"{one:g}"}
                raise PydanticCustomError("deadline", "shorter than `{name}`, which is {one} s of it for one", told)
        return deadline

    @field_validator("hedge")
    @classmethod
    def _a_second(cls, hedge: Literal["p95"] | float | None, info: ValidationInfo) -> Literal["p95"] | float | None:
        if hedge is not None and len(info.data.get("targets", ())) + len(info.data.get("fallbacks", ())) == 1:
            raise PydanticCustomError("hedge", "there is no second target to ask; add one to `targets` or `fallbacks`")
        return hedge

    @field_validator("resume")
    @classmethod
    def _another(cls, resume: bool, info: ValidationInfo) -> bool:
        if resume and len(info.data.get("targets", ())) + len(info.data.get("fallbacks", ())) == 1:
            raise PydanticCustomError(
                "resume", "there is no other target to go on; add one to `targets` or `fallbacks`"
            )
        return resume

    @field_validator("canary")
    @classmethod
    def _new(cls, canary: Canary | None, info: ValidationInfo) -> Canary | None:
        if canary is not None and canary.target in [*info.data.get("targets", ()), *info.data.get("fallbacks", ())]:
            raise PydanticCustomError("canary", "its target gets requests already; take it out of the other targets")
        return canary

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return in_full(value)


def in_full(model: Any) -> Any:
    """An entry of `models` without its short forms: a text or a list is its targets, a text as targets is one."""
    if isinstance(model, str):
        return {"targets": [model]}
    if isinstance(model, list):
        return {"targets": model}
    if isinstance(model, dict):
        return {**model, **{name: _listed(model[name]) for name in ("targets", "fallbacks") if name in model}}
    return model


def _listed(targets: Any) -> Any:
    return [targets] if isinstance(targets, str) else targets
