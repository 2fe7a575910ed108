"""The contract of a policy: in which order an alias's targets are tried."""

from __future__ import annotations

import inspect
import re
from collections import deque
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import chain
from typing import Annotated, Any, Protocol

import pydantic
from pydantic_core import PydanticCustomError

from headgate.core.exchange import Exchange
from headgate.core.target import Target, Terms
from headgate.core.together import WAYS


class Policy(Protocol):
    """A policy of your own is a class like this, named in the configuration by its dotted path.

    It is called once per request and must be quick; it may keep state of its own, of which each alias has one.

    Its settings are given to it as keyword arguments. One whose attribute `Settings` is a class of `PolicySettings`
    gets one of these as its only argument instead, and has it checked with the configuration.
    """

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        """The targets in the order to try them; leaving one out means not to try it."""


def twin(policy: Policy) -> Policy:
    """A copy to be asked without a trace in the original: it has mappings, sets, lists and deques of its own."""
    made = copy(policy)
    slots = chain.from_iterable(getattr(kind, "__slots__", ()) for kind in type(policy).__mro__)
    for name in (*getattr(policy, "__dict__", ()), *slots):
        value = getattr(policy, name, None)
        if isinstance(value, dict | set | list | deque):
            object.__setattr__(made, name, copy(value))  # also where the class is a frozen one
    return made


def _known(by: str) -> str:
    if re.match(WAYS, by) is None:
        wrong = "nothing to be kept together by: write `session`, `user`, `key`, `prompt` or `header:NAME`"
        raise PydanticCustomError("together", wrong)
    return by


By = Annotated[str, pydantic.AfterValidator(_known), pydantic.WithJsonSchema({"type": "string", "pattern": WAYS})]


class PolicySettings(pydantic.BaseModel, extra="forbid"):
    """What a policy can be told: its fields are described in the reference."""

    def objection(self, terms: Sequence[Terms]) -> str:
        """What makes no sense with targets of these terms; "" for nothing."""
        return ""


class Weighing(PolicySettings):
    """Of a policy that goes by weights and has no settings of its own."""

    def objection(self, terms: Sequence[Terms]) -> str:
        return "" if any(each.weight for each in terms) else "every target has the weight 0"


def settings_of(kind: type[Policy]) -> type[PolicySettings] | None:
    """The class of a policy's settings; None: it takes keyword arguments."""
    found = getattr(kind, "Settings", None)
    return found if inspect.isclass(found) and issubclass(found, PolicySettings) else None


def arguments(kind: type[Policy], settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What to make a policy with. Raises ValueError."""
    own = settings_of(kind)
    return settings if own is None else {"settings": own.model_validate(settings)}
