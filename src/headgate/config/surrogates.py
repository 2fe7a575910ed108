"""How long it is known what stands for what is hidden, and where that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from headgate.config.section import Section
from headgate.stages.policies.policy import By
from headgate.store.sealing import VARIABLE

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
PACKAGE = "cryptography"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Surrogates(Section):
    """What stands for what guards hide (`tokenise`, `surrogate`), and how long that is known."""

    per: Literal["request", "session"] = Field(
        "request",
        description="`request`: it is forgotten with the reply. `session`: it is kept for the requests that belong "
        "together, so that a value has the same surrogate in all of them, and comes back in any.",
    )
    by: Annotated[list[Literal["conversation"] | By], BeforeValidator(_listed)] = Field(
        default_factory=lambda: ["session", "conversation"],
        min_length=1,
        description="What belongs together; the first that a request has: `session` (a header, `x-headgate-session` or "
        "one of those that coding agents send), `conversation` (one that OpenAI keeps: what goes on with an answer is "
        "of that answer's session, whatever else it names), `user`, `key`, `prompt`, `header:NAME`. A key, and whom it "
        "names as its end user, has sessions of its own. A request that has none of it is by itself.",
    )
    store: Literal["memory", "sqlite", "state"] = Field(
        "memory",
        description="Where sessions are kept: in the memory of the one worker; encrypted in a SQLite file "
        "(`sessions.db` in `data_dir`), for all workers of the machine, over restarts; or encrypted in the Redis or "
        "Valkey of `state.url`, for all replicas.",
    )
    ttl: float = Field(
        86_400.0, ge=1, le=31_536_000, description="Seconds after its last use for which a session is kept."
    )
    patience: float = Field(
        0.25,
        ge=0.005,
        le=5,
        description="Seconds that a request waits for the store, to find its session and to add to it. After that, and "
        "where it is away, policies that hide fail (`on_error`): the request is refused, or goes on with surrogates of "
        "its own for all that is found in it.",
    )
    max_values: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Values of one session; what is hidden beyond them is known for its request only.",
    )
    max_bytes: int = Field(
        64 << 20,
        ge=1 << 16,
        description="Most bytes of sessions in memory or the file. Above it, of whoever has most (an organisation, "
        "else a team, else a key) those go first that were not used for longest.",
    )


def check(said: Surrogates, tell: Tell, *, state: bool, workers: int) -> None:
    """Tell what makes no sense. `state`: there is a shared one."""
    path = ("surrogates", "store")
    if said.per == "request":
        return
    if said.store == "state" and not state:
        tell(path, "there is no `state.url` to keep sessions at", "name a Redis or Valkey there")
    if said.store == "memory" and workers > 1:
        wrong = "each of several workers would have sessions of its own, and give one surrogate to several values"
        tell(path, wrong, "say `sqlite` or `state`")


def check_surroundings(said: Surrogates, environ: Mapping[str, str], tell: Tell) -> None:
    """Tell what is missing that encrypts."""
    if said.per == "request" or said.store == "memory":
        return
    path = ("surrogates", "store")
    if find_spec(PACKAGE) is None:
        tell(path, f"the package {PACKAGE}, which encrypts sessions, is not there", "install headgate[admin]")
    if said.store == "state" and not environ.get(VARIABLE, "").split():
        hint = f"set {VARIABLE} for all of them: `openssl rand -base64 32`"
        tell(path, "machines that share sessions need the same key to encrypt them", hint)
