"""Every key of the configuration: its type, its default, what it does; the reference page is made from this file."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from headgate.config.alerts import Alerting, AlertRule, ChannelEntry, Silence
from headgate.config.audit_settings import Audit
from headgate.config.authentication import Authentication
from headgate.config.caching import Cache
from headgate.config.catalogue_settings import CatalogueSettings
from headgate.config.clauses import Clause
from headgate.config.compliance import Law
from headgate.config.fairness import Fairness
from headgate.config.guards import GuardPolicy
from headgate.config.identities import (
    Addresses,
    Application,
    Key,
    Network,
    Organisation,
    People,
    Team,
    User,
)
from headgate.config.limits import Limit
from headgate.config.login import Login
from headgate.config.payloads import Payloads
from headgate.config.records import Records
from headgate.config.reports import Reports
from headgate.config.resilience import Breaker, Retry
from headgate.config.retention import Hold, Retention
from headgate.config.rules import Matching, Rule
from headgate.config.section import Section
from headgate.config.state import State
from headgate.config.stored import Store
from headgate.config.surrogates import Surrogates
from headgate.config.targets import Model, ProviderEntry, Target
from headgate.config.traces import Traces
from headgate.core.kept import RANK, Keep
from headgate.providers.settings import Seconds
from headgate.secrets.settings import Sources

Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]


def _host(value: str) -> str:
    if HOST.fullmatch(value) is None:
        raise PydanticCustomError("host", "not a host: write `example.com` or `*.example.com`, and nothing around it")
    return value


HOST = re.compile(r"[\w.*?-]+|[0-9A-Fa-f:.*?]*(:[0-9A-Fa-f.*?]*){2,}", re.ASCII)
"""A name or an address, or a pattern of some."""
Host = Annotated[str, AfterValidator(_host)]


class Compression(Section):
    """Replies compressed for clients that accept it (gzip, br, zstd)."""

    enabled: bool = Field(True, description="Compress replies for clients that accept it.")
    min_bytes: int = Field(4096, ge=0, description="Replies shorter than this many bytes are left as they are.")
    streams: bool = Field(False, description="Compress streamed replies too, flushed after every frame.")


class Admin(Section):
    """A listener of its own for `/metrics` and the probes."""

    host: str = Field("127.0.0.1", min_length=1, description="Address it listens on.")
    port: Port = Field(4001, description="Port it listens on.")


class TLS(Section):
    """The server's own certificate."""

    cert: Path = Field(description="PEM file of the certificate and its chain, relative to the configuration file.")
    key: Path = Field(description="PEM file of the private key, relative to the configuration file.")


class Server(Section):
    """The listener clients connect to, and its limits."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address to listen on; `0.0.0.0` or `::` is every address of the machine.",
    )
    port: Port = Field(4000, description="Port to listen on; 0 takes a free one and prints it.")
    workers: int = Field(1, ge=1, le=1024, description="Processes that serve requests, one processor core each.")
    reuse_port: bool = Field(
        False,
        description="Let another process listen on the same port (SO_REUSEPORT). "
        "A restart that must not fail a single request hands the socket over instead (LISTEN_FDS).",
    )
    max_body_bytes: int = Field(
        64 << 20, ge=1024, description="Largest request body, in bytes, before and after decompression."
    )
    max_header_bytes: int = Field(65536, ge=1024, description="Largest request head, in bytes.")
    max_headers: int = Field(128, ge=8, description="Most header lines of a request.")
    max_reply_bytes: int = Field(
        256 << 20, ge=1024, description="Largest reply taken from a provider that is held as a whole, in bytes."
    )
    max_connections: Count = Field(20_000, description="Most open client connections of a worker; more are refused.")
    max_requests: Count = Field(
        2000, description="Most requests a worker serves at the same time; above it, 503 with `retry-after` at once."
    )
    header_timeout: Seconds = Field(10.0, description="Seconds for a request's head to arrive.")
    body_idle_timeout: Seconds = Field(10.0, description="Seconds over which `min_body_rate` must be reached.")
    min_body_rate: int = Field(1024, ge=0, description="Bytes per second a request's body must at least arrive with.")
    write_timeout: Seconds = Field(
        30.0, description="Seconds after which a client that takes nothing of its reply is cut off."
    )
    keep_alive: Seconds = Field(75.0, description="Seconds an idle connection is kept.")
    drain_delay: float = Field(
        0.0, ge=0, le=3600, description="Seconds between failing `/readyz` and closing the listener when stopping."
    )
    drain_timeout: Seconds = Field(60.0, description="Seconds that requests under way have to finish when stopping.")
    compression: Compression = Field(default_factory=Compression, description="Compressed replies.")
    metrics: Literal["open", "key", "off"] | None = Field(
        None,
        description="Who may read `/metrics`: everybody, who sends the admin key, or nobody. "
        "Left out: `open` when listening on loopback, else `key`.",
    )
    metrics_by_key: bool = Field(
        False,
        description="Count requests, tokens and cost for each key, not only for each team: thousands of keys make as "
        "many series for each model they use.",
    )
    admin: Admin | None = Field(
        None, description="A listener of its own for `/metrics` and the probes. Left out: none."
    )
    trusted_proxies: list[Network] = Field(
        default_factory=list,
        description="Addresses or networks (`10.0.0.0/8`) of proxies in front, whose `x-forwarded-for` is believed.",
    )
    addresses: Addresses = Field(
        default_factory=Addresses,
        description="From where anything but the probes may be asked; keys and their owners may narrow it.",
    )
    tls: TLS | None = Field(None, description="Serve HTTPS with this certificate. Left out: plain HTTP.")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)

    @property
    def metrics_access(self) -> Literal["open", "key", "off"]:
        """`metrics`, with its default worked out."""
        return self.metrics or ("open" if self.loopback else "key")


class KeyPolicy(Section):
    """How long keys live that are made through the admin API or the command line."""

    max_days: int | None = Field(
        None, ge=1, le=3650, description="Days that a key lives at most, and where nothing is said. Left out: no bound."
    )
    warn_days: int = Field(
        14, ge=0, le=365, description="Days before its end from which on the log names a key that expires."
    )


class Stage(Section):
    """A step of your own on every request's way, after its key was checked and before its target is chosen."""

    use: str = Field(min_length=1, description="Dotted path of the class: `package.module:Class`.")
    settings: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="Its settings, given to the class as keyword arguments."
    )


class Journal(Section):
    """The records of requests on disk."""

    segment_bytes: int = Field(64 << 20, ge=4096, description="Size in bytes at which a new segment file is begun.")
    max_bytes: int | None = Field(
        1 << 30, ge=65536, description="Most bytes of all segments; the oldest is deleted above it. `null`: no bound."
    )
    buffer_bytes: int = Field(
        64 << 20,
        ge=65536,
        description="Most bytes of records that wait in memory while the disk takes none; then requests are refused.",
    )
    fsync: Literal["interval", "never", "always"] = Field(
        "interval",
        description="When the disk is told to keep what was written: every second, never, or after every record. "
        "It matters when the whole machine fails; a crash of the gateway alone loses nothing.",
    )


class Upstream(Section):
    """Connections to providers. Proxies are taken from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""

    ca_file: Path | None = Field(
        None,
        description="PEM file of the certificate authorities to trust. Left out: SSL_CERT_FILE, else the system's.",
    )
    max_connections: Count = Field(1000, description="Most connections of a worker to one host; more requests wait.")


class Fetch(Section):
    """Pictures and files that requests name by URL, fetched for targets that take only the data itself."""

    enabled: bool = Field(
        False,
        description="Fetch them. Left off, a URL is left to the provider, and refused where its API takes none.",
    )
    hosts: list[Host] = Field(
        default_factory=list, description="Hosts that may be fetched from (`*.example.com`). Left out: any public one."
    )
    ports: list[Port] = Field(default_factory=lambda: [80, 443], description="Ports that may be fetched from.")
    networks: list[Network] = Field(
        default_factory=list,
        description="Addresses that may be connected to although they are not public (`10.1.2.0/24`). Without it no "
        "private, loopback, link-local or metadata address is, whatever name it hides behind.",
    )
    max_bytes: int = Field(20 << 20, ge=1024, description="Largest file, in bytes.")
    max_total_bytes: int = Field(50 << 20, ge=1024, description="Most that is fetched for one request, in bytes.")
    timeout: Seconds = Field(10.0, description="Seconds for each, with its redirects.")
    redirects: int = Field(3, ge=0, le=10, description="Most redirects followed; each is checked like the URL itself.")


class Log(Section):
    """The gateway's own messages, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important messages shown."
    )
    format: Literal["text", "json"] | None = Field(
        None, description="Lines for people or JSON for programs. Left out: text on a terminal, JSON elsewhere."
    )


class Config(Section):
    """The whole configuration."""

    server: Server = Field(default_factory=Server, description="The listener clients connect to, and its limits.")
    data_dir: Path = Field(
        Path(".headgate"),
        description="Where the journal and the admin key's hash are, relative to the configuration file.",
    )
    # what a provider may be told depends on its kind: reference.py writes that part of the JSON schema
    providers: dict[str, Annotated[ProviderEntry, WithJsonSchema({"type": "object"})]] = Field(
        default_factory=dict, description="Who is asked, by a name of yours; see [Providers](#providers)."
    )
    models: dict[str, Model] = Field(
        default_factory=dict, description="The names clients ask for, and what they stand for."
    )
    rules: list[Rule] = Field(
        default_factory=list,
        description="Where requests go by who asks for what and when: the first rule that fits decides.",
    )
    clauses: list[Clause] = Field(
        default_factory=list, description="What may not be done, whoever asks: policy as code."
    )
    fairness: Fairness = Field(
        default_factory=Fairness,
        description="Questions that differ only in whom they are about, asked now and then; see [how]"
        "(../how-to/be-fair.md).",
    )
    matching: Matching = Field(
        default_factory=Matching, description="What rules go by: word lists of yours, the time zone."
    )
    organisations: dict[str, Organisation] = Field(
        default_factory=dict, description="Tenants, whose teams, applications, users and keys belong together."
    )
    teams: dict[str, Team] = Field(default_factory=dict, description="Parts of organisations.")
    applications: dict[str, Application] = Field(default_factory=dict, description="Programs that ask.")
    users: dict[str, User] = Field(default_factory=dict, description="People.")
    keys: list[Key] = Field(
        default_factory=list,
        description="The clients' keys. The admin key needs no entry here and may use every model.",
    )
    authentication: Authentication = Field(
        default_factory=Authentication, description="Who is let in beside the holders of keys."
    )
    login: Login = Field(default_factory=Login, description="How people log in at the admin API.")
    limits: list[Limit] = Field(
        default_factory=list, description="How much may be asked and spent, by whom, in which time."
    )
    key_policy: KeyPolicy = Field(
        default_factory=KeyPolicy, description="How long keys live that are made through the admin API."
    )
    stages: list[Stage] = Field(
        default_factory=list, description="Your own steps on every request's way, in this order."
    )
    guards: dict[str, GuardPolicy] = Field(
        default_factory=dict,
        description="What must not go in, out, or abroad; see [how](../how-to/guard.md).",
    )
    surrogates: Surrogates = Field(
        default_factory=Surrogates,
        description="What stands for what guards hide, and how long that is known; see [how]"
        "(../how-to/guard-personal-data.md#the-same-over-many-requests).",
    )
    dialects: list[str] = Field(
        default_factory=list, description="Dialects of your own: modules by their dotted path, served at their paths."
    )
    catalogue: CatalogueSettings = Field(
        default_factory=CatalogueSettings, description="What is known of models: prices, limits, abilities."
    )
    upstream: Upstream = Field(default_factory=Upstream, description="Connections to providers.")
    fetch: Fetch = Field(
        default_factory=Fetch,
        description="Pictures and files that requests name by URL, fetched for targets that take only the data itself.",
    )
    breaker: Breaker = Field(
        default_factory=Breaker, description="When a target that fails is left alone, and for how long."
    )
    retry: Retry = Field(default_factory=Retry, description="What happens when a target fails before its first bytes.")
    secrets: Sources = Field(
        default_factory=Sources,
        description="Where secrets are that are kept elsewhere; see [how](../how-to/keep-secrets.md).",
    )
    state: State = Field(
        default_factory=State, description="Where workers and replicas share what they know of broken targets."
    )
    store: Store = Field(
        default_factory=Store, description="Where objects are kept that are changed while the gateway runs."
    )
    journal: Journal = Field(default_factory=Journal, description="The records of requests on disk.")
    records: Records = Field(
        default_factory=Records,
        description="The records of requests in a database, where they are searched and summed.",
    )
    compliance: list[Law] = Field(
        default_factory=list,
        description="Laws whose presets are set where nothing is said; what says less is refused: `gdpr`, `hipaa`, "
        "`ccpa`; see [how](../how-to/comply.md).",
    )
    retention: Retention = Field(
        default_factory=Retention, description="How long what was written is kept; what is older is purged."
    )
    holds: dict[str, Hold] = Field(
        default_factory=dict, description="What is neither purged nor deleted, by the name of a case."
    )
    reports: Reports = Field(
        default_factory=Reports,
        description="How usage and reports tell amounts and days; see [how](../how-to/report.md).",
    )
    audit: Audit = Field(default_factory=Audit, description="Signed checkpoints of what was written.")
    alert_rules: dict[str, AlertRule] = Field(
        default_factory=dict, description="When people are told that something is not as it should be."
    )
    channels: dict[str, Annotated[ChannelEntry, WithJsonSchema({"type": "object"})]] = Field(
        default_factory=dict, description="How they are told; see [Channels](#channels)."
    )
    silences: dict[str, Silence] = Field(default_factory=dict, description="What they are not told for a while.")
    alerting: Alerting = Field(default_factory=Alerting, description="What holds for all alerts.")
    payloads: Payloads = Field(
        default_factory=Payloads,
        description="What is kept of what was said; see [how](../how-to/keep-what-was-said.md).",
    )
    cache: Cache = Field(
        default_factory=Cache, description="Answers that are kept; see [how](../how-to/cache-answers.md)."
    )
    log: Log = Field(default_factory=Log, description="The gateway's own messages, on standard error.")
    traces: Traces = Field(
        default_factory=Traces,
        description="Traces of requests for an OpenTelemetry collector; see [how](../how-to/trace-requests.md).",
    )

    @property
    def people(self) -> People:
        """Whose keys may be."""
        return People(self.organisations, self.teams, self.applications, self.users)

    def kept(self) -> Iterator[tuple[tuple[str | int, ...], Keep]]:
        """How much is kept of what is said, in the words of each who has a say, and where they stand."""
        yield ("payloads", "keep"), self.payloads.keep
        for name, level in self.payloads.classes.items():
            yield ("payloads", "classes", name), level
        said = [((*path, "payloads"), grants.payloads) for path, _, grants in self.authentication.doors()]
        said += [(("keys", index, "payloads"), key.payloads) for index, key in enumerate(self.keys)]
        for section, names in (("models", self.models), *self.people._asdict().items()):
            said += [((section, name, "payloads"), each.payloads) for name, each in names.items()]
        yield from ((path, level) for path, level in said if level is not None)

    @property
    def most_kept(self) -> Keep:
        """The most that anybody has said."""
        return max((level for _, level in self.kept()), key=RANK.__getitem__)

    @property
    def keeps(self) -> bool:
        """Whether anything may be kept of what is said."""
        return self.most_kept != "off"

    @property
    def caches(self) -> bool:
        """Whether any answers are kept."""
        said = [self.cache.others, *(each.cache for each in self.models.values())]
        return any(each is not None and each.enabled for each in said)

    def given(self, rule: Rule, name: str) -> Model | None:
        """What a request for `name` gets by a rule, as an entry of `models`; None where that is not there."""
        own = {"policy": rule.policy} if rule.policy is not None else {}
        if rule.targets is not None:
            return Model(targets=rule.targets, **own)
        known = self.models.get(rule.use or name)
        if known is not None:
            return known.model_copy(update=own)
        return Model(targets=[Target(model=rule.use)]) if rule.use is not None else None

    def targets(self) -> Iterator[Target]:
        """Every target, of names and of rules."""
        for model in self.models.values():
            yield from (target for _, target in model.places())
        for rule in self.rules:
            yield from rule.targets or ()


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
