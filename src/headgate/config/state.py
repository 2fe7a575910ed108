"""Where several processes share what they know of broken targets, and count limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import Field, SecretStr

from headgate.config.secrets import is_elsewhere
from headgate.config.section import Section
from headgate.state.address import ENCRYPTED, Address, address
from headgate.state.redis import PACKAGE, installed

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""


class State(Section):
    """What processes share: workers and replicas agree about broken targets and keys, and keep to limits together."""

    url: SecretStr | None = Field(
        None,
        description="A Redis or Valkey: `redis://user:password@host:6379/0`, `rediss://` over TLS; `valkey://` and "
        "`valkeys://` are the same. Left out: every process goes by what it finds out itself.",
    )
    prefix: str = Field(
        "headgate",
        min_length=1,
        max_length=100,
        pattern=r"^[!-~]+$",
        description="What the names of its keys there begin with. Gateways that share one agree; give those that have "
        "other hosts under the same providers' names another one.",
    )
    ca_file: Path | None = Field(
        None,
        description="PEM file of the certificate authorities that its server's certificate may come from, relative to "
        "the configuration file. Left out: the system's.",
    )
    patience: float = Field(
        0.05,
        ge=0.005,
        le=0.3,
        description="Seconds that a request with limits waits for it, before the limits are counted without it.",
    )
    share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="How much each process gives out of what is left of a limit, while it is away. With 1 divided by "
        "the number of processes, together they give out no more than all of it.",
    )


def place(state: State) -> Address | None:
    """What its URL says; None where there is none, or one that is wrong, which `check` tells."""
    try:
        return address(state.url.get_secret_value()) if state.url is not None else None
    except ValueError:
        return None


def check(state: State, tell: Tell) -> None:
    """Tell what is wrong with it."""
    if state.url is None or is_elsewhere(state.url.get_secret_value()):
        return
    try:
        where = address(state.url.get_secret_value())
    except ValueError as error:
        tell(("state", "url"), str(error), "write it like redis://user:password@host:6379/0")
        return
    if state.ca_file is not None and not where.encrypted:
        encrypted = " or ".join(f"{scheme}://" for scheme, is_so in ENCRYPTED.items() if is_so)
        tell(("state", "ca_file"), "the URL asks for no encryption", f"begin it with {encrypted}, or leave this out")
    if not installed():
        tell(("state",), f"`url` needs the package {PACKAGE}, which is not there", "install headgate[redis]")
