"""What an endpoint of the admin API is, and what it is given of a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import pydantic

from headgate.admin.access import Who
from headgate.admin.control import Control
from headgate.admin.problems import Problem, at
from headgate.admin.visit import Visit
from headgate.core.caller import Role
from headgate.store.objects import Actor
from headgate.store.sessions import Session

ROOT = "/admin/api"
PAGE, LONGEST_PAGE = 100, 1000
Body = dict[str, Any]
Headers = Sequence[tuple[str, str]]
Answer = tuple[int, Any] | tuple[int, Any, Headers]
Model = TypeVar("Model", bound=pydantic.BaseModel)


@dataclass(slots=True)
class Call:
    """One call, let in, or to an endpoint that is open to everybody."""

    control: Control
    who: Who
    actor: Actor
    visit: Visit
    session: Session | None
    """Of who has logged in; None: who brings a key."""
    kind: str
    name: str
    query: Mapping[str, str]
    body: Body
    version: int | None
    """Of `if-match`."""


class Endpoint(NamedTuple):
    method: str
    path: str
    """`{kind}` is filled in for each kind of `kinds`, `{name}` is an object's, `{id}` a session's."""
    roles: frozenset[Role]
    """Who may call it at all; what each may see and change of it, `access` says. Nobody: it is for who has none yet."""
    summary: str
    handler: Callable[[Call], Awaitable[Answer]]
    kinds: tuple[str, ...] = ()
    takes: str | None = None
    """What the body is: `entry`, `patch`, or the name of a model of `BODIES`."""
    again: bool = True
    """Whether a call with an idempotency key is answered as before: not where the body or answer holds what is kept
    nowhere."""


def read(model: type[Model], body: Body) -> Model:
    """A body by its model. Raises Problem."""
    try:
        return model.model_validate(body)
    except pydantic.ValidationError as errors:
        told = [
            at(".".join(map(str, each["loc"])), each["msg"])
            for each in errors.errors(include_url=False, include_input=False)
        ]
        raise Problem(422, "invalid", f"{told[0]['path']}: {told[0]['message']}", told) from None


def time_told(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number(call: Call, name: str, usual: int, most: int) -> int:
    """A whole number of the query. Raises Problem."""
    text = call.query.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= most):
        raise Problem(400, "invalid_query", f"`{name}` must be a whole number from 1 to {most}")
    return int(text)


def moment(call: Call, name: str) -> float | None:
    """A time of the query, in Unix seconds. Raises Problem."""
    if name not in call.query:
        return None
    try:
        found = datetime.fromisoformat(call.query[name])
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Problem(400, "invalid_query", f"`{name}` is not a time (2027-01-31T12:00Z)") from None
