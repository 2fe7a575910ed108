"""Describes the configuration from its own types: the reference page of every key, and the JSON schema for editors."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import annotated_types
import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from headgate.alerts.channels.channel import Channel
from headgate.config.alerts import AlertRule, ChannelTerms, Silence
from headgate.config.clauses import Clause
from headgate.config.discover import kinds
from headgate.config.explain import bare
from headgate.config.guards import GuardPolicy
from headgate.config.identities import Application, Key, Organisation, Team, User
from headgate.config.limits import Limit
from headgate.config.rules import Rule
from headgate.config.schema import Config, Stage
from headgate.config.targets import Model, ProviderEntry, Target
from headgate.core.plugin import every, load, names
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings
from headgate.records.sinks.sink import Settings as SinkSettings
from headgate.records.sinks.sink import Sink
from headgate.stages.guards.guard import Guard
from headgate.stages.policies.policy import Policy, settings_of
from headgate.stages.rules.clause import SERVED
from headgate.stages.rules.subject import Variable, variables

SHORT_FORMS: dict[type, str] = {Target: "`provider/model`", Model: "`provider/model`, a list of them"}
WORDS = {
    datetime: "time",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    pydantic.SecretStr: "secret",
    typing.Any: "anything",
}
ENTRIES: dict[str, tuple[str, type[pydantic.BaseModel]]] = {
    "models": ("models.<name>", Model),
    "rules": ("rules[]", Rule),
    "clauses": ("clauses[]", Clause),
    "organisations": ("organisations.<name>", Organisation),
    "teams": ("teams.<name>", Team),
    "applications": ("applications.<name>", Application),
    "users": ("users.<name>", User),
    "keys": ("keys[]", Key),
    "limits": ("limits[]", Limit),
    "guards": ("guards.<name>", GuardPolicy),
    "stages": ("stages[]", Stage),
    "alert_rules": ("alert_rules.<name>", AlertRule),
    "silences": ("silences.<name>", Silence),
}
"""What stands in sections that are mappings or lists, and how its place is written."""
HEAD = """# Configuration reference

Every key of `headgate.yaml`. This page is made from the code (`make docs`); editors read
[headgate.schema.json](headgate.schema.json): put
`# yaml-language-server: $schema=<where that file is>` into the first line of your configuration.

`headgate check` says what is wrong with a file, with line and suggestion.

- **Where it is looked for**: `--config FILE`, `$HEADGATE_CONFIG`, `./headgate.yaml`, `./headgate.yml`; with none of
  these, providers are discovered from the environment.
- **Variables**: `${NAME}` in any value is the environment variable's value, an unset one is an error;
  `${NAME:-default}` has a default for one that is unset or empty; `$$` is a dollar sign.
- **Secrets** (type *secret*) may also be `file:path`, `env:NAME`, or refer to what
  [keeps them elsewhere](../how-to/keep-secrets.md): `vault:`, `aws:`, `gcp:`, `azure:`.
- **Paths** are relative to the configuration file.
- **YAML** is read with the types of YAML 1.2: `off`, `no` and `on` are words. A key that is there twice is an error.
- A changed file (of the configuration or of a secret) is read again without dropping a request; one with a problem is
  refused and the old configuration stays.
"""
KINDS = {
    str: "text", int: "whole number", float: "number", bool: "true or false", list[str]: "list of texts",
    dict[str, str]: "texts by name",
}  # fmt: skip
VARIABLES_HEAD = """
`when` is an expression in [CEL](https://cel.dev) about these variables, each worked out only where a rule asks for it:

"""
CLAUSES_HEAD = """
`deny` is an expression as `when` of rules is, about the [same variables](#rules)
but `topic` and `topic_score`, and these:

"""
SINKS = "records.sinks[]"
SINKS_HEAD = """
### Sinks

What each kind can be told beside what all sinks can:
"""
PROVIDER_HEAD = """
## Providers

`providers` maps a name of yours to a provider. `kind` says which provider it is: one of those below, or the dotted path
of a class of your own (`package.module:Class`); without it, the name is the kind. Clients ask for `name/model`, and the
targets of `models` are written so too.

```yaml
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  claude: {kind: anthropic, api_key: "${ANTHROPIC_API_KEY}"}
  local: {kind: openai_compatible, base_url: "http://127.0.0.1:9100/v1", api_key: none}
```

Every provider has these keys:

"""
CHANNEL_HEAD = """
## Channels

`channels` maps a name of yours to a way to tell people of [alerts](../how-to/get-alerted.md). `kind` says which: one of
those below, or the dotted path of a class of your own (`package.module:Class`, in the file only); without it, the name
is the kind.

```yaml
channels:
  slack: {url: "${SLACK_WEBHOOK}"}
  on-call: {kind: pagerduty, routing_key: "${PAGERDUTY_KEY}", for: {severity: critical}}
```

Every channel has these keys beside those of its kind:

"""


def page() -> str:
    """The reference page, Markdown."""
    parts = [HEAD, "\n## Top level\n\n", _table(list(_rows(Config, "", deep=False)))]
    for name, field in Config.model_fields.items():
        kind = bare(field.annotation)
        path, inner = ENTRIES.get(name, (name, kind))
        if name == "providers":
            parts.append(_providers())
        elif name == "channels":
            parts.append(_channels())
        elif isinstance(inner, type) and issubclass(inner, pydantic.BaseModel):
            about = inspect.cleandoc(inner.__doc__ or "")
            parts += f"\n## {name}\n\n{about}\n\n", _table(list(_rows(inner, path)))
            if name == "rules":
                parts += VARIABLES_HEAD, _asked(variables())
            if name == "clauses":
                parts += CLAUSES_HEAD, _asked(SERVED)
            if name == "records":
                parts.append(_sinks())
    return "".join(parts)


def _asked(said: Mapping[str, Variable]) -> str:
    """What there is to ask about in an expression."""
    lines = ["| Variable | Type | What it is |\n|---|---|---|\n"]
    for name, each in said.items():
        about = each.about.replace("\n", " ")
        lines.append(f"| `{name}` | {KINDS[each.kind]} | {about} |\n")
    return "".join(lines)


def policy_settings(name: str) -> str:
    """The settings of a built-in policy as a table; "" where it has none."""
    kind = settings_of(load("stages.policies", name, Policy))  # type: ignore[type-abstract]
    rows = list(_rows(kind, "")) if kind is not None else []
    return _table(rows) if rows else ""


def guard_settings(kind: type[Guard]) -> str:
    """The settings of a guard as a table; "" where it has none."""
    rows = list(_rows(kind.Settings, "with"))
    return _table(rows) if rows else ""


def _providers() -> str:
    shared = list(_rows(ProviderSettings, "providers.<name>"))
    kind = ("`providers.<name>.kind`", "text", "the name", "Which provider it is.")
    parts = [PROVIDER_HEAD, _table([kind, *shared])]
    for name, loaded in kinds().items():
        parts.append(f"\n### {name}\n\n{_module_doc(loaded)}\n\n{_facts(loaded)}\n")
        own = [row for row in _rows(loaded.Settings, "providers.<name>") if row not in shared]
        if own:
            parts += "\n", _table(own)
    return "".join(parts)


def _sinks() -> str:
    """Each kind of sink, with the settings that are its own."""
    shared = [row[0] for row in _rows(SinkSettings, SINKS)]
    parts = [SINKS_HEAD]
    for name, loaded in every("records.sinks", Sink).items():  # type: ignore[type-abstract]  # python/mypy#4717
        own = [row for row in _rows(loaded.Settings, SINKS) if row[0] not in shared]
        extra = "".join(f" It needs `pip install 'headgate[{each}]'`." for each in dict.fromkeys(loaded.needs.values()))
        parts += f"\n#### `{name}`\n\n{_module_doc(loaded)}{extra}\n\n", _table(own)
    return "".join(parts)


def _channels() -> str:
    terms = [
        (place, kind, "the name" if place.endswith(".kind`") else default, about)
        for place, kind, default, about in _rows(ChannelTerms, "channels.<name>")
    ]
    parts = [CHANNEL_HEAD, _table(terms)]
    for name, loaded in every("alerts.channels", Channel).items():  # type: ignore[type-abstract]  # python/mypy#4717
        parts += f"\n### {name}\n\n{_module_doc(loaded)}\n\n", _table(list(_rows(loaded.Settings, "channels.<name>")))
    return "".join(parts)


def _module_doc(loaded: type[Any]) -> str:
    module = __import__(loaded.__module__, fromlist=["__doc__"])
    return (module.__doc__ or "").strip()


def _facts(loaded: type[Provider]) -> str:
    address = getattr(loaded, "base_url", None)
    facts = [f"- Address: `{address}`." if address else "- Address: `base_url` must be set."]
    for name, variable in loaded.usual.items():
        facts.append(f"- `{name}`, left out, is the environment variable `{variable}`.")
    if loaded.env_key:
        keys = " or ".join(f"`{name}`" for name in loaded.env_keys())
        facts.append(f"- Key: `api_key`; left out (and `base_url` too), the environment variable {keys}.")
    return "\n".join(facts)


def _rows(model: type[pydantic.BaseModel], path: str, deep: bool = True) -> Iterator[tuple[str, str, str, str]]:
    """Path, type, default and description of every field, those of mappings inside after them."""
    for name, field in model.model_fields.items():
        place = f"{path}.{field.alias or name}" if path else (field.alias or name)
        inner = _inner(field.annotation)
        if inner is None or not deep:
            yield f"`{place}`", _type(field), _default(field, inner), field.description or ""
        else:
            listed = typing.get_origin(bare(field.annotation)) is list
            if field.default is None or field.is_required() or listed:
                yield f"`{place}`", _type(field), _default(field, inner), field.description or ""
            yield from _rows(inner, place + ("[]" if listed else ""), deep)


def _inner(annotation: Any) -> type[pydantic.BaseModel] | None:
    """The model inside `Model`, `Model | None` or `list[Model]`."""
    kind = bare(annotation)
    if typing.get_origin(kind) is list:
        kind = bare(typing.get_args(kind)[0])
    return kind if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel) else None


def _type(field: FieldInfo) -> str:
    limits = [text for text in map(_limit, field.metadata) if text]
    return ", ".join([_words(field.annotation), *limits])


def _words(annotation: Any) -> str:
    kind = bare(annotation)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return " \\| ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return f"mapping of names to {_words(arguments[1])}"
    if origin is typing.Union or origin is types.UnionType:
        return " or ".join(_words(part) for part in arguments if part is not types.NoneType)
    if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel | ProviderEntry):
        return f"{SHORT_FORMS[kind]} or mapping" if kind in SHORT_FORMS else "mapping"
    return WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def _limit(rule: Any) -> str:
    match rule:
        case annotated_types.Ge(ge=least):
            return f"≥ {least}"
        case annotated_types.Gt(gt=below):
            return f"> {below}"
        case annotated_types.Le(le=most):
            return f"≤ {most}"
        case annotated_types.Lt(lt=above):
            return f"< {above}"
    return ""


def _default(field: FieldInfo, inner: type[pydantic.BaseModel] | None) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "-"
    if isinstance(value, pydantic.BaseModel) or (inner is not None and not value):
        return "see below" if isinstance(value, pydantic.BaseModel) else "none"
    if isinstance(value, Path):
        return f"`{value}`"
    return f"`{json.dumps(value)}`" if value not in ({}, []) else "none"


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    lines = ["| Key | Type | Default | What it does |", "|---|---|---|---|"]
    lines += ("| " + " | ".join(row).replace("\n", " ") + " |" for row in rows)
    return "\n".join(lines) + "\n"


def json_schema() -> str:
    """The JSON schema (2020-12) of the configuration file, with every built-in provider's own settings."""
    schema = Config.model_json_schema(by_alias=True)
    definitions = schema.setdefault("$defs", {})
    entry: dict[str, Any] = {"type": ["object", "null"], "properties": {"kind": _kind()}, "allOf": []}
    named: dict[str, Any] = {}
    for name, loaded in kinds().items():
        plain = loaded.Settings is ProviderSettings
        place = "provider_settings" if plain else f"provider_{name}"
        if place not in definitions:
            about = "What every provider can be told." if plain else _module_doc(loaded)
            definitions[place] = _settings_schema(loaded, about, definitions)
        reference = {"$ref": f"#/$defs/{place}"}
        entry["allOf"].append({"if": _is_kind(name), "then": reference})
        without = {"not": {"type": "object", "required": ["kind"]}}
        named[name] = {"allOf": [{"$ref": "#/$defs/provider"}, {"if": without, "then": reference}]}
    definitions["provider"] = entry
    schema["properties"]["providers"] = {
        "type": ["object", "null"],
        "description": Config.model_fields["providers"].description,
        "properties": named,
        "additionalProperties": {"$ref": "#/$defs/provider"},
    }
    schema["properties"]["channels"] |= {"additionalProperties": {"$ref": "#/$defs/Channel"}}
    definitions["Channel"] = _channel(definitions)
    _policies(definitions)
    _guards(definitions)
    definitions["Records"]["properties"]["sinks"]["items"] = _sink_schema(definitions)
    _short_forms(definitions)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Headgate"}
    return json.dumps(_variables(schema), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _channel(definitions: dict[str, Any]) -> dict[str, Any]:
    """Of any kind; where the name is the kind, only what all have in common is checked."""
    terms = ChannelTerms.model_json_schema(by_alias=True)
    definitions.update(terms.get("$defs", {}))
    cases = []
    for name, loaded in every("alerts.channels", Channel).items():  # type: ignore[type-abstract]  # python/mypy#4717
        settings = loaded.Settings.model_json_schema(by_alias=True)
        definitions.update(settings.pop("$defs", {}))
        settings["properties"] |= terms["properties"]
        cases.append({"if": _is_kind(name), "then": settings})
    return {"type": ["object", "null"], "properties": terms["properties"], "allOf": cases}


def _policies(definitions: dict[str, Any]) -> None:
    """The settings of each built-in policy."""
    cases = []
    for name in names("stages.policies"):
        kind = settings_of(load("stages.policies", name, Policy))  # type: ignore[type-abstract]
        settings = kind.model_json_schema(by_alias=True) if kind is not None else {"type": "object", "maxProperties": 0}
        is_it = {"properties": {"use": {"const": name}}, "required": ["use"]}
        cases.append({"if": is_it, "then": {"properties": {"with": settings}}})
    definitions["Policy"]["allOf"] = cases


def _guards(definitions: dict[str, Any]) -> None:
    """The settings of each built-in guard."""
    cases = []
    for name, kind in every("stages.guards", Guard).items():  # type: ignore[type-abstract]
        settings = kind.Settings.model_json_schema(by_alias=True)
        definitions.update(settings.pop("$defs", {}))
        is_it = {"properties": {"use": {"const": name}}, "required": ["use"]}
        needed = ["with"] if settings.get("required") else []
        cases.append({"if": is_it, "then": {"properties": {"with": settings}, "required": needed}})
    policy = definitions["GuardPolicy"]
    policy["allOf"] = cases
    fields = policy["properties"]
    for short, long in (("at", "at"), ("then", "then")):
        kind = fields[long]
        about = {key: kind.pop(key) for key in ("description", "default", "title") if key in kind}
        inner = kind["items"] if kind["type"] == "array" else kind["additionalProperties"]
        fields[short] = {**about, "anyOf": [inner, kind]}


def _sink_schema(definitions: dict[str, Any]) -> dict[str, Any]:
    """One of `records.sinks`, by its kind."""
    cases = []
    for name, loaded in every("records.sinks", Sink).items():  # type: ignore[type-abstract]  # python/mypy#4717
        settings = loaded.Settings.model_json_schema(by_alias=True)
        definitions.update(settings.pop("$defs", {}))
        settings["properties"]["kind"] = {"const": name}
        for field in ("where", "where_not"):
            settings["properties"][field]["additionalProperties"] = {}
        cases.append({"if": _is_kind(name), "then": settings})
    kinds = [{"enum": names("records.sinks")}, {"type": "string", "pattern": r"[.:]"}]
    return {"type": "object", "required": ["kind"], "properties": {"kind": {"anyOf": kinds}}, "allOf": cases}


def _short_forms(definitions: dict[str, Any]) -> None:
    text = {"type": "string", "pattern": r"^[^/]+/.+$|\$\{"}
    model = definitions["Model"]
    listed = {key: model["properties"]["targets"][key] for key in ("type", "items", "minItems")}
    for name in ("targets", "fallbacks"):
        field = model["properties"][name]
        kept = {key: field.pop(key) for key in ("type", "items", "minItems") if key in field}
        field["anyOf"] = [text, kept]
    definitions["Model"] = {"anyOf": [text, listed, model]}
    rule = definitions["Rule"]["properties"]
    rule["models"] = {"description": rule["models"].pop("description"), "anyOf": [{"type": "string"}, rule["models"]]}
    rule["targets"]["anyOf"].insert(0, text)
    definitions["Target"] = {"anyOf": [text, definitions["Target"]]}
    definitions["Policy"] = {"anyOf": [{"type": "string", "minLength": 1}, definitions["Policy"]]}
    for name in ("Organisation", "Team", "Application", "User"):
        definitions[name] = {"anyOf": [{"type": "null"}, definitions[name]]}


def _kind() -> dict[str, Any]:
    names = {"type": "string", "enum": list(kinds())}
    return {"description": "Which provider it is.", "anyOf": [names, {"type": "string", "pattern": r"\."}]}


def _is_kind(name: str) -> dict[str, Any]:
    return {"type": "object", "required": ["kind"], "properties": {"kind": {"const": name}}}


def _settings_schema(loaded: type[Provider], about: str, definitions: dict[str, Any]) -> dict[str, Any]:
    settings = loaded.Settings.model_json_schema(by_alias=True)
    definitions.update(settings.pop("$defs", {}))
    settings["properties"]["kind"] = {"type": "string"}
    settings["description"] = about
    settings["type"] = ["object", "null"]
    return settings


def _variables(schema: Any) -> Any:
    """Where a number or a truth value is expected, `${NAME}` may stand too; sections may be left empty."""
    if isinstance(schema, list):
        return [_variables(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {
        key: {name: _variables(part) for name, part in value.items()} if key == "properties" else _variables(value)
        for key, value in schema.items()
        if key not in ("writeOnly", "format")
    }
    if schema.get("type") in ("integer", "number", "boolean"):
        description = {key: schema.pop(key) for key in ("title", "description", "default") if key in schema}
        variable = {"type": "string", "pattern": r"\$\{"}
        return {**description, "anyOf": [schema, variable]}
    return schema
