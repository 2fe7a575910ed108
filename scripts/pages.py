"""The reference pages of plug-ins and errors, made from the code they describe."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator

from headgate.config.reference import guard_settings, policy_settings
from headgate.core import errors, plugin
from headgate.dialects.dialect import dialects
from headgate.providers.provider import Provider
from headgate.stages.filters.filter import Filter
from headgate.stages.guards.guard import Guard
from headgate.stages.policies.policy import Policy
from headgate.stages.stage import Stage

HEAD = "Made from the code (`make docs`).\n\n"


def providers_page() -> str:
    """Each provider: what it speaks, where it is, whence its key."""
    lines = [
        "# Providers\n\n",
        HEAD,
        "`kind` in the configuration is one of these names, or the dotted path of [a class of yours]"
        "(../how-to/write-a-plugin.md). Settings: [configuration.md](configuration.md#providers).\n\n",
        "Without a configuration file, a provider is there if the variables it names are set. An address with `{name}` "
        "in it is made with the setting of that name. `speaks` in a provider's settings says otherwise for a host of "
        "yours.\n\n",
        "| kind | who | speaks | address | from the environment | peculiarities |\n|---|---|---|---|---|---|\n",
    ]
    for name in plugin.names("providers"):
        cls = plugin.load("providers", name, Provider)
        module = inspect.getmodule(cls)
        who = _sentence(module).rstrip(".")
        speaks = _spoken(cls) or "whatever the client speaks"
        address = f"`{cls.base_url}`" if getattr(cls, "base_url", "") else "as configured"
        variables = [*cls.env_keys(), *cls.usual.values()]
        lines.append(f"| `{name}` | {who} | {speaks} | {address} | {_named(variables)} | {_quirks(cls)} |\n")
    return "".join(lines)


def _spoken(cls: type[Provider]) -> str:
    """The dialects by what is asked for, as in `chat: openai_chat, anthropic_messages`."""
    operations: dict[str, list[str]] = {}
    for dialect in cls.dialects:
        operations.setdefault(dialect.operation.replace("_", " "), []).append(dialect.name)
    return "; ".join(f"{operation}: {_named(names)}" for operation, names in operations.items())


def _quirks(cls: type[Provider]) -> str:
    """What a request is changed in for this host."""
    said = [f"`{name}` is sent as `{theirs}`." for name, theirs in cls.renames.items()]
    said += [f"The role `{name}` is sent as `{theirs}`." for name, theirs in cls.roles.items()]
    if cls.adjust is not Provider.adjust:
        said.append(_sentence(cls.adjust))
    return " ".join(said)


GUARDS_HEAD = """## Guards

What [policies](../how-to/guard.md) (`guards` in the configuration) look with, each by `use`.

"""
ASKED = {"request": "asked", "reply": "answered"}
USUAL = {
    "flag": "told", "redact": "redacted", "mask": "masked", "hash": "hashed", "replace": "replaced", "block": "blocked",
}  # fmt: skip


def stages_page() -> str:
    """Each stage and policy in one line, and the order of the chain."""
    lines = [
        "# Stages and policies\n\n",
        HEAD,
        "The chain, outermost first: record, authenticate, keep, receive, your own stages, guard, route, "
        "shadow, resume, hedge, retry, count, fetch, translate, send. A stage or policy of your own is named by its "
        "dotted path: [how](../how-to/write-a-plugin.md).\n\n",
        "## Stages\n\n",
        *(f"- `{name}`: {_sentence(plugin.module('stages', name))}\n" for name in plugin.names("stages")),
    ]
    lines.append("\n## Filters\n\nWhat `route` leaves out before a policy ranks the rest.\n\n")
    filters = plugin.names("stages.filters")
    lines += [f"- `{name}`: {_sentence(plugin.module('stages.filters', name))}\n" for name in filters]
    lines.append("\n## Policies\n\n")
    for name in plugin.names("stages.policies"):
        loaded = plugin.load("stages.policies", name, Policy)  # type: ignore[type-abstract]
        about = [_sentence(plugin.module("stages.policies", name)), inspect.getdoc(loaded), policy_settings(name)]
        lines.append(f"### `{name}`\n\n" + "\n\n".join(text.strip() for text in about if text) + "\n\n")
    lines.append(GUARDS_HEAD)
    for name, guard in plugin.every("stages.guards", Guard).items():  # type: ignore[type-abstract]
        can = " and ".join(word for side, word in ASKED.items() if side in guard.sides)
        extra = "".join(f" It needs `pip install 'headgate[{each}]'`." for each in dict.fromkeys(guard.needs.values()))
        usual = USUAL.get(guard.usual, guard.usual)
        facts = f"It looks at what is {can}; what it finds is {usual}, if nothing is said.{extra}"
        about = [_sentence(plugin.module("stages.guards", name)), inspect.getdoc(guard), facts, guard_settings(guard)]
        lines.append(f"### `{name}`\n\n" + "\n\n".join(text.strip() for text in about if text) + "\n\n")
    contracts = ", ".join(f"`{each.__module__}`" for each in (Stage, Filter, Policy, Guard))
    return "".join(lines) + f"The contracts: {contracts}.\n"


def dialects_page() -> str:
    """Each dialect: where a client reaches it, what of its headers passes."""
    lines = [
        "# Dialects\n\n",
        HEAD,
        "What crosses from one to another, and what cannot: [fidelity/](fidelity/README.md).\n",
    ]
    for dialect in dialects():
        lines += [
            f"\n## `{dialect.name}`\n\n{_sentence(dialect)}\n\n",
            f"- What is asked for: {dialect.operation.replace('_', ' ')}.\n",
            f"- Clients reach it at {_named(dialect.paths) or 'no path of its own'}.\n",
            f"- Added to a provider's `base_url`: `{dialect.upstream_path}`.\n",
            f"- Headers of the client that go on to the provider: {_headers(dialect.request_headers)}.\n",
            f"- Headers of the provider that go on to the client: {_headers(dialect.reply_headers)}.\n",
        ]
    return "".join(lines)


def errors_page() -> str:
    """A section for every code: status, origin, meaning; the code in an answer is the section's name."""
    lines = [
        "# Errors\n\n",
        HEAD,
        "Errors come in the shape of the API the client speaks. The header `x-headgate-error-code` names the section "
        "below, `x-headgate-error-origin` says whether the gateway or the provider made it; so does the record. "
        "Where a provider refused and client and provider speak the same dialect, the provider's own status and body "
        "pass as they came. "
        "What to do about the frequent ones: [troubleshoot.md](../how-to/troubleshoot.md).\n",
    ]
    for code, classes in _codes().items():
        cls = classes[0]
        refused = cls is errors.ProviderRefused
        status = "the provider's" if refused else str(cls.status)
        again = "for 408, 409, 429 and 5xx" if refused else "yes" if cls.retryable else "no"
        meaning = " ".join(_sentence(each) for each in classes)
        lines.append(
            f"\n## {code}\n\n{meaning}\n\n"
            f"Status: {status}. Origin: {cls.origin}. Tried again on the next target: {again}.\n"
        )
    return "".join(lines)


def _codes() -> dict[str, list[type[errors.GatewayError]]]:
    found: dict[str, list[type[errors.GatewayError]]] = {}
    for cls in _tree(errors.GatewayError):
        found.setdefault(cls.code, []).append(cls)
    return found


def _tree(cls: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    for child in cls.__subclasses__():
        if child not in (errors.RequestError, errors.ProviderError) and child.__module__ == errors.__name__:
            yield child
        yield from _tree(child)


def _sentence(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    doc = inspect.cleandoc(getattr(thing, "__doc__", None) or "")
    return " ".join(doc.split("\n\n")[0].split())


def _named(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _headers(names: frozenset[bytes]) -> str:
    return _named(sorted(name.decode() for name in names)) or "none"
