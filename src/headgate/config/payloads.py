"""What is kept of what was said, beside the records of requests: how much, for which data, and how it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from headgate.config.section import Section
from headgate.core.kept import Keep
from headgate.redaction.names.found import Kind
from headgate.store.sealing import VARIABLE

SAID = (
    "How much is kept of what is said: `off`, `redacted` or `full`; the strictest counts of all that say it, see "
    "[how](../how-to/keep-what-was-said.md)."
)
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory; what is made there is for its owner alone
PACKAGES = {"re2": "finds what is to be taken out", "cryptography": "encrypts"}
DataClass = Annotated[str, StringConstraints(pattern=r"^[\w.-]+$", max_length=64, to_lower=True)]
"""In any letters; requests say it in any, too."""
Tell = Callable[..., None]
"""Called with a path, a message and a hint."""


class Payloads(Section):
    """What is kept of what was said: requests, answers, and what providers were asked in their stead."""

    keep: Keep = Field(
        "off",
        description="How much, where nobody else says: `off` nothing, `redacted` without secrets and personal data, "
        "`full` all.",
    )
    classes: dict[DataClass, Keep] = Field(
        default_factory=dict, description="How much at most of data of a class (`data_class`), by the class."
    )
    media: bool = Field(
        False,
        description="Of what is kept in `full`, keep pictures, sounds and files, too; else their type, size and hash.",
    )
    names: bool | list[Kind] = Field(
        False,
        description="Take out names of people and addresses, too, of what is kept `redacted` (`true`), or these kinds "
        "of what only words tell ([how well](../how-to/guard-personal-data.md#names-and-addresses)).",
    )
    max_bytes: int = Field(
        256 << 10, ge=1024, description="Most bytes of each side (request, answer, what was sent); the rest is cut off."
    )
    encrypt: bool | None = Field(
        None,
        description="Encrypt with the key that seals secrets; such payloads are not searched by text. Left out: where "
        "`HEADGATE_SECRET_KEY` is set.",
    )
    memory: Path = Field(
        MEMORY, description="A folder in memory (tmpfs), where what was said waits to be redacted, before any disk."
    )
    memory_bytes: int = Field(
        64 << 20, ge=1 << 20, description="Most bytes that wait there; more is not kept, and counted."
    )
    backlog_bytes: int = Field(
        1 << 30,
        ge=1 << 20,
        description="Most bytes that wait on disk for the database; the oldest is deleted above it.",
    )


def encrypted(payloads: Payloads, environ: Mapping[str, str]) -> bool:
    """Whether what is kept is encrypted."""
    return payloads.encrypt if payloads.encrypt is not None else bool(environ.get(VARIABLE, "").split())


def check(payloads: Payloads, tell: Tell) -> None:
    """Tell what is missing where something is to be kept."""
    missing = [f"{name}, which {task}" for name, task in PACKAGES.items() if find_spec(name) is None]
    if missing:
        tell(("payloads",), f"a package is not there: {missing[0]}", "install headgate[payloads]")
    if payloads.max_bytes > payloads.memory_bytes // 4:
        hint = f"raise `payloads.memory_bytes` to {4 * payloads.max_bytes}, or keep less of each side"
        tell(("payloads", "max_bytes"), "so much of a side finds no room in memory, where a quarter is for one", hint)
    why = not_in_memory(payloads.memory)
    if why is not None:
        hint = "name a folder of a tmpfs; Docker has one of 64 MB at /dev/shm (`--shm-size`)"
        tell(("payloads", "memory"), f"what was said cannot wait there to be redacted: {why}", hint)


def not_in_memory(folder: Path) -> str | None:
    """Why a folder is none in memory, as far as can be seen; None where it is one."""
    if not folder.is_dir():
        return "there is no such folder"
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    except OSError:
        return None
    real = folder.resolve()
    places = [(Path(line.split(" ")[1]), line.split(" ")[2]) for line in mounts]
    _, kind = max((place for place in places if real.is_relative_to(place[0])), key=_depth, default=(real, ""))
    return None if kind in ("", "tmpfs", "ramfs") else f"it is on a disk, not in memory ({kind})"


def _depth(place: tuple[Path, str]) -> int:
    return len(place[0].parts)
