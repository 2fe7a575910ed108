"""The hosts of a LiteLLM configuration: deployments that share an address and a key become one provider."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pydantic
import yaml

from headgate.catalog.catalogue import assemble
from headgate.config.discover import kinds as built_in
from headgate.config.provider_checks import ENDPOINTS, PROVIDER_NAME, taken
from headgate.config.secrets import SECRET_NAME, well_known
from headgate.migrate.litellm.report import Report
from headgate.migrate.litellm.source import Part, Variables
from headgate.providers.provider import Provider

SETTINGS = {
    "api_key": "api_key",
    "api_base": "base_url",
    "base_url": "base_url",
    "aws_bedrock_runtime_endpoint": "base_url",
    "api_version": "api_version",
    "organization": "organization",
    "tenant_id": "tenant_id",
    "client_id": "client_id",
    "client_secret": "client_secret",
    "azure_scope": "scope",
    "aws_region_name": "region",
    "region_name": "region",
    "watsonx_region_name": "region",
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "aws_profile_name": "profile",
    "aws_role_name": "role_arn",
    "aws_session_name": "role_session_name",
    "aws_external_id": "external_id",
    "vertex_project": "project",
    "vertex_ai_project": "project",
    "vertex_location": "location",
    "vertex_ai_location": "location",
    "vertex_credentials": "credentials_file",
    "vertex_ai_credentials": "credentials_file",
    "project_id": "project_id",
    "space_id": "space_id",
}
"""What LiteLLM calls a setting of a host, and what it is called here, in the kinds that have one."""
SECRETS = frozenset({"api_key", "secret_access_key", "session_token", "client_secret"})
SAMPLES = {"base_url": "https://placeholder.invalid/v1", "api_version": "2024-10-21"}
"""What stands for a variable while the result is checked, where not any text will do."""
NO_SECRETS = frozenset({"", "none", "null", "fake-key", "fake", "dummy", "anything", "not-needed", "na", "empty"})
REGION = re.compile(r"[a-z]{2}(-gov)?-[a-z]+-\d\Z")
PREFIX_HINT = "where the host speaks OpenAI's APIs, add it by hand: {kind: openai_compatible, base_url: …}"


class Rule(NamedTuple):
    """What one of LiteLLM's providers is here: the columns of providers.yaml."""

    kind: str
    own: str | None = None
    key: str | None = None
    base: str | None = None
    url: str | None = None
    end: str | None = None
    ids: str | None = None
    strip: Sequence[str] = ()
    also: Mapping[str, str] = {}
    bare: str | None = None


@cache
def rules() -> dict[str, Rule]:
    """Every provider of LiteLLM's that there is here, by its name there."""
    said = yaml.safe_load((Path(__file__).parent / "providers.yaml").read_text("utf-8"))
    return {name: Rule(**columns) for name, columns in said.items()}


@cache
def kinds() -> dict[str, type[Provider]]:
    """Every kind of provider that there is here."""
    return built_in()


@dataclass(slots=True)
class Host:
    """A provider of the result."""

    name: str
    kind: str
    settings: dict[str, Any]
    wanted: str | None = None
    """The name that clients ask it by (`openai/*`)."""
    used: list[str] = field(default_factory=list)
    """The models of LiteLLM's that are asked there."""


class Asked(NamedTuple):
    """Whom a deployment asks for what."""

    rule: Rule
    prefix: str
    model: str


class Book:
    """The providers made so far."""

    def __init__(self, report: Report, variables: Variables, aliases: Sequence[str]) -> None:
        """`aliases` are the names that clients ask for: no provider may be called what one with a slash begins with."""
        self.report = report
        self.variables = variables
        self.hosts: list[Host] = []
        heads = {alias: alias.partition("/")[0] for alias in aliases if "/" in alias}
        self._kept = {head for alias, head in heads.items() if not alias.endswith("/*")}
        self._kept -= {head for alias, head in heads.items() if alias == f"{head}/*"}

    def asked(self, params: Part) -> Asked | None:
        """Whom `litellm_params` name; told where nobody here is."""
        said = params.at("model")
        if said is None or not said.text():
            self.report.lost(params, "a deployment without a `model`", "say which model it is")
            return None
        prefix, slash, model = said.text().partition("/")
        provider = params.at("custom_llm_provider")
        if provider is not None:
            whole = said.text()
            prefix, slash, model = provider.text(), "/", whole.removeprefix(f"{provider.text()}/")
        if slash and prefix in rules() and model:
            return Asked(rules()[prefix], prefix, _plain(model, rules()[prefix]))
        for name, rule in rules().items():
            if rule.bare and (not slash or provider is None) and re.match(rule.bare, said.text()):
                return Asked(rule, name, said.text())
        what = f"there is no provider `{prefix}` here" if slash else "a model whose provider is not known"
        self.report.lost(said, f"{what}, so this deployment is left out", PREFIX_HINT)
        return None

    def host(self, params: Part, asked: Asked, wanted: str | None = None) -> Host:
        """The provider for a deployment, made where there is none like it. `wanted`: the name it has to have."""
        kind, settings = self._settings(params, asked)
        for host in self.hosts:
            if (host.kind, host.settings) == (kind, settings) and wanted in (None, host.wanted):
                return host
        if any(host.wanted == wanted for host in self.hosts):
            wanted = None
        for host in self.hosts:
            if (host.kind, host.settings, host.wanted) == (kind, settings, None) and wanted is not None:
                host.wanted = wanted
                return host
        host = Host("", kind, settings, wanted)
        self.hosts.append(host)
        return host

    def name(self) -> None:
        """Give all of them their names: those that clients ask by first."""
        used = {host.wanted for host in self.hosts if host.wanted is not None}
        for host in self.hosts:
            host.name = host.wanted or _free(host.kind, used | self._kept)
            used.add(host.name)

    def nameable(self, name: str) -> bool:
        """Whether a provider may have this name, as far as the gateway and other names of the source go."""
        return bool(PROVIDER_NAME.match(name)) and name not in taken()

    def _settings(self, params: Part, asked: Asked) -> tuple[str, dict[str, Any]]:
        kind = asked.rule.kind
        base = params.at("api_base") or params.at("base_url")
        if asked.rule.own is not None and base is not None and not _vendors(kind, base):
            kind = asked.rule.own
        found: dict[str, Any] = {}
        fields = kinds()[kind].Settings.model_fields
        for part in params.each():
            name = SETTINGS.get(part.name)
            if name is None:
                continue
            if name not in fields:
                self.report.lost(part, f"a provider of kind `{kind}` has no such setting", "see the provider's page")
            elif value := self._setting(part, name, kind, asked.rule):
                found[name] = value
        self._headers(params, found)
        region, slash, _ = asked.model.partition("/")
        if "region" in fields and slash and REGION.match(region):
            found["region"] = region
        self._usual(asked, kind, found, fields)
        return kind, found

    def _setting(self, part: Part, name: str, kind: str, rule: Rule) -> str:
        if name == "credentials_file" and (not part.text() or part.text().lstrip().startswith("{")):
            self.report.lost(part, "credentials in the configuration itself", "put them into a file, and name that")
            return ""
        if part.variable is None and not _sayable(kind, name, part.text()):
            self.report.lost(part, f"not what `{name}` of a provider may be", "see the provider's page")
            return ""
        if name in SECRETS:
            self.secret(part)
        value = self.variables.written(part, SAMPLES.get(name, ""))
        if part.variable is not None:
            if name == "credentials_file":
                self.report.otherwise(part, "the variable has to hold the path of a file here, not what is in it")
            return value
        return _address(value, kind, rule) if name == "base_url" else value

    def _headers(self, params: Part, found: dict[str, Any]) -> None:
        for name in ("extra_headers", "headers"):
            part = params.at(name)
            if part is not None and part.is_mapping:
                for header in part.each():
                    if SECRET_NAME.search(header.name):
                        self.secret(header)
                    found.setdefault("headers", {})[header.name] = self.variables.written(header)

    def _usual(self, asked: Asked, kind: str, found: dict[str, Any], fields: Mapping[str, Any]) -> None:
        """What LiteLLM takes from its own variables, where the source does not say it."""
        rule = asked.rule
        proven = {"tenant_id", "api_key"} & set(found)
        if rule.key is not None and not proven and not ("base_url" in found and kind == rule.own):
            found["api_key"] = self.variables.named(rule.key)
        if "base_url" not in found and rule.url is not None:
            found["base_url"] = rule.url
        elif "base_url" not in found and rule.base is not None:
            found["base_url"] = self.variables.named(rule.base, SAMPLES["base_url"])
        for name, variable in rule.also.items():
            if name not in found and name in fields and not (name == "account_id" and "base_url" in found):
                found[name] = self.variables.named(variable)

    def secret(self, part: Part) -> None:
        """Told where it stands in clear, once each."""
        text = part.text()
        if part.variable is None and text.lower() not in NO_SECRETS and not well_known(text):
            self.report.secret(part, "put it into a variable, write ${NAME}, and have it replaced at the provider")


def _sayable(kind: str, name: str, text: str) -> bool:
    """Whether a setting of a provider may be this, as far as it alone shows."""
    if not text.strip() or not text.isascii() or not text.isprintable() or (name in SECRETS and " " in text):
        return False
    try:
        kinds()[kind].Settings.model_validate({name: text})
    except pydantic.ValidationError as error:
        return all(problem["loc"][:1] != (name,) for problem in error.errors())
    return True


def _plain(model: str, rule: Rule) -> str:
    head, slash, rest = model.partition("/")
    if slash and head in rule.strip:
        model = rest
    return f"{rule.ids}{model}" if rule.ids and "/" not in model and model != "*" else model


def own_id(kind: str, model: str) -> str:
    """A model's id less what only says where it runs (`us-east-1/anthropic.claude…`)."""
    head, slash, rest = model.partition("/")
    return rest if slash and REGION.match(head) and "region" in kinds()[kind].Settings.model_fields else model


@cache
def known(kind: str, model: str) -> bool:
    """Whether the catalogue has the model of a provider of this kind."""
    return assemble({kind: kinds()[kind].catalogue or kind}, {}).find(kind, model) is not None


def _vendors(kind: str, base: Part) -> bool:
    """Whether an address is the vendor's own."""
    if base.variable is not None:
        return False
    own, said = urlsplit(kinds()[kind].base_url).hostname, urlsplit(base.text()).hostname
    return own is not None and said is not None and (said == own or said.endswith("." + own.partition(".")[2]))


def _address(value: str, kind: str, rule: Rule) -> str:
    """The address as it is written here: without the request's path, which SDKs put behind it."""
    value = value.strip().rstrip("/")
    ends = [*(dialect.upstream_path for dialect in kinds()[kind].dialects), *ENDPOINTS]
    while found := next((end for end in ends if end and urlsplit(value).path.endswith(end)), None):
        value = value.partition("?")[0].removesuffix(found).rstrip("/")
    if kind == "azure" and "/openai/" in value:
        value = value.partition("/openai/")[0]
    if rule.end and kind == rule.own and not urlsplit(value).path.endswith(rule.end):
        value += rule.end
    return value


def _free(kind: str, used: set[str]) -> str:
    names: Iterator[str] = (kind if number == 1 else f"{kind}-{number}" for number in range(1, len(used) + 3))
    return next(name for name in names if name not in used)
