"""Whether answers are kept to be given again, for whom, how long, and where."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from math import inf
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from headgate.config.section import Section
from headgate.config.semantic import Semantic
from headgate.core.cached import Narrowed, Per, Terms
from headgate.store.sealing import VARIABLE

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
PACKAGE = "cryptography"


class Pace(Section):
    """How fast an answer that is kept is streamed."""

    tokens_per_second: float = Field(ge=1, le=10_000, description="Tokens a second; one is taken for four letters.")


class Answers(Section):
    """How the answers of a name are kept; `true` in place of the mapping is all as it is usual, `false` not at all."""

    enabled: bool = Field(True, description="`false`: they are not kept.")
    ttl: float = Field(
        3600.0, ge=1, le=31_536_000, description="Seconds for which an answer is given again to who asks the same."
    )
    jitter: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="By up to which share of `ttl` an answer is kept less long, each by another one, so that not all "
        "end at once.",
    )
    per: Per = Field(
        "key",
        description="Who is given each other's answers: the requests of one `end_user` of a key, of a `key`, of a "
        "`user`, `team` or `organisation`. Whose key belongs to no such one shares with nobody.",
    )
    deterministic_only: bool = Field(
        False, description="Only of requests with `temperature: 0` or a `seed`, which want the same answer each time."
    )
    tool_calls: bool = Field(
        False, description="Keep answers that call tools, and those to requests with tools that the provider runs."
    )
    coalesce: bool = Field(
        True, description="Who asks the same at the same time shares one call of a provider, streams included."
    )
    stale_while_revalidate: float = Field(
        0.0,
        ge=0,
        le=31_536_000,
        description="Seconds after its `ttl` in which an answer is still given, and asked for anew beside.",
    )
    stale_if_error: float = Field(
        0.0,
        ge=0,
        le=31_536_000,
        description="Seconds after its `ttl` in which an answer is given where no provider can give one.",
    )
    replay: Literal["at_once", "as_it_came"] | Pace = Field(
        "at_once",
        description="How an answer that is kept is streamed: all of it at once, evenly in the time that its provider "
        "took, or so many tokens a second: `{tokens_per_second: 80}`.",
    )
    semantic: Semantic | None = Field(
        None,
        description="It is given to who asks the like in other words, too: "
        "[how](../how-to/answer-similar-questions.md). Left out: only to who asks the very same.",
    )
    max_answer_bytes: int = Field(1 << 20, ge=1024, description="Most bytes of an answer that is kept.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"enabled": value} if isinstance(value, bool) else value

    @property
    def terms(self) -> Terms | None:
        """None: they are not kept."""
        if not self.enabled:
            return None
        return Terms(
            self.ttl,
            self.jitter,
            self.per,
            self.deterministic_only,
            self.tool_calls,
            self.coalesce,
            self.max_answer_bytes,
            self.stale_while_revalidate,
            self.stale_if_error,
            pace=self._pace,
        )

    @property
    def _pace(self) -> float | None:
        if isinstance(self.replay, Pace):
            return self.replay.tokens_per_second
        return 0.0 if self.replay == "as_it_came" else None


class Narrower(Section):
    """On which narrower terms than those of a name: of all that are said, the strictest count."""

    enabled: bool = Field(True, description="`false`: given no answers that are kept, and none are kept.")
    ttl: float | None = Field(
        None, ge=1, le=31_536_000, description="Seconds for which an answer is kept, and how old one may be, at most."
    )
    per: Per | None = Field(None, description="With whom answers are shared, at most.")
    deterministic_only: bool = Field(False, description="Only of requests with `temperature: 0` or a `seed`.")
    tool_calls: bool = Field(True, description="`false`: no answers that call tools.")
    coalesce: bool = Field(True, description="`false`: no call is shared with others.")
    semantic: bool = Field(True, description="`false`: no answers to what is only alike.")
    max_answer_bytes: int | None = Field(None, ge=1024, description="Most bytes of an answer that is kept.")

    @property
    def terms(self) -> Narrowed:
        return Narrowed(
            self.ttl if self.ttl is not None else inf,
            self.per or "organisation",
            self.deterministic_only,
            self.tool_calls,
            self.coalesce,
            self.semantic,
            self.max_answer_bytes if self.max_answer_bytes is not None else sys.maxsize,
        )


class Cache(Section):
    """Where answers are kept, and of which names that say nothing themselves."""

    store: Literal["memory", "sqlite", "state"] = Field(
        "memory",
        description="Where they are kept: in the memory of each worker; in a SQLite file (`answers.db` in `data_dir`), "
        "for all workers of the machine, over restarts; or in the Redis or Valkey of `state.url`, for all replicas.",
    )
    front: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="Seconds for which each worker holds in its memory, too, what it has got from there or put "
        "there, so that it is given at once; as long it may give an answer that another has replaced by a newer one. "
        "0: not at all.",
    )
    patience: float = Field(
        0.05,
        ge=0.001,
        le=1,
        description="Seconds that a request waits for `sqlite` or `state` to look for an answer, before a provider is "
        "asked.",
    )
    max_bytes: int = Field(256 << 20, ge=1 << 16, description="Most bytes of answers that each worker holds in memory.")
    index: SecretStr | None = Field(
        None,
        description="The URL of a PostgreSQL with pgvector by which all workers and replicas find answers to similar "
        "questions (`postgresql://user:password@host/name`). Left out: each worker finds those that it has met.",
    )
    max_vector_bytes: int = Field(
        256 << 20, ge=1 << 16, description="Most bytes by which each worker finds answers to similar questions."
    )
    max_file_bytes: int = Field(
        1 << 30, ge=1 << 20, description="Most bytes of answers, with all it takes, in the file."
    )
    encrypt: bool | None = Field(
        None,
        description="Encrypt what is in `sqlite` or `state` with the key that seals secrets. Left out: where "
        "`HEADGATE_SECRET_KEY` is set.",
    )
    others: Answers | None = Field(
        None,
        description="How the answers of names without a `cache` of their own are kept, `provider/model` asked for "
        "directly among them. Left out: not at all.",
    )


def encrypted(cache: Cache, environ: Mapping[str, str]) -> bool:
    """Whether what others than a worker itself can read is encrypted."""
    return cache.encrypt if cache.encrypt is not None else bool(environ.get(VARIABLE, "").split())


def check(cache: Cache, tell: Tell, *, state: bool) -> None:
    """Tell what is missing. `state`: there is a shared one."""
    if cache.store == "state" and not state:
        tell(("cache", "store"), "there is no `state.url` to keep answers at", "name a Redis or Valkey there")
    if cache.front and cache.store == "memory":
        tell(
            ("cache", "front"),
            "there is nothing behind it, as `store` is memory",
            "leave it out, or keep them elsewhere",
        )


def check_package(cache: Cache, environ: Mapping[str, str], tell: Tell) -> None:
    """Tell whether what encrypts is missing."""
    if cache.store != "memory" and encrypted(cache, environ) and find_spec(PACKAGE) is None:
        hint = "install headgate[admin], or say `encrypt: false`"
        tell(("cache", "encrypt"), f"the package {PACKAGE}, which encrypts answers, is not there", hint)
