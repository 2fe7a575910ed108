"""A configuration becomes a Gateway: the snapshot that serves requests, built whole and swapped in one assignment."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import partial
from math import inf
from typing import Any, TypeVar
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from headgate.catalog.catalogue import Catalogue, assemble
from headgate.catalog.menu import Menu
from headgate.catalog.refreshed import Refreshed
from headgate.config.schema import Config
from headgate.config.secrets import hash_key
from headgate.config.targets import Canary as ConfiguredCanary
from headgate.config.targets import Model, ProviderEntry
from headgate.config.targets import Policy as ConfiguredPolicy
from headgate.config.targets import Target as ConfiguredTarget
from headgate.core import plugin
from headgate.core.breaker import NEVER, Trip
from headgate.core.canary import Canary
from headgate.core.credential import Arm
from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError
from headgate.core.exchange import Caller, Exchange, Place
from headgate.core.plan import WAYS, Retries
from headgate.core.ports import Fetch as FetchPort
from headgate.core.ports import Journal, Meter, Upstream
from headgate.core.reply import Reply
from headgate.core.standing import Board, Standing
from headgate.core.target import PLAIN, Manner, Shape, Target, Terms
from headgate.core.target import Provider as AnyProvider
from headgate.core.together import Together
from headgate.core.trial import Course
from headgate.dialects.dialect import dialects
from headgate.dialects.opaque import Opaque
from headgate.providers.provider import Provider
from headgate.providers.settings import KeySettings
from headgate.stages.authenticate import Authenticate
from headgate.stages.count import Count
from headgate.stages.fetch import Fetch
from headgate.stages.filters.capability import Capability
from headgate.stages.filters.filter import Filter
from headgate.stages.filters.health import Health
from headgate.stages.hedge import Hedge
from headgate.stages.policies.policy import Policy, arguments
from headgate.stages.receive import Receive
from headgate.stages.record import Record
from headgate.stages.resume import Resume
from headgate.stages.retry import Retry
from headgate.stages.route import Alias, Route
from headgate.stages.rules.expression import Compiler
from headgate.stages.rules.rule import Rule, Rules
from headgate.stages.rules.subject import Settings, variables
from headgate.stages.send import Send
from headgate.stages.stage import Checked, Proceed, Stage, chain
from headgate.stages.translate import Translate

T = TypeVar("T")

Headers = Sequence[tuple[bytes, bytes]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ADMIN = "admin"
DEFAULT_FACE = b"/v1/chat/completions"
"""Whose dialect an error is in where nothing tells what the client speaks: the one most clients know."""
LIKENESS = 150
"""Bytes at either end of a path in which it may be like another."""


@dataclass(slots=True, frozen=True)
class Ports:
    """What outlives a configuration: connections, the journal, the counters."""

    journal: Journal
    meter: Meter
    upstream: Upstream
    fetch: FetchPort | None = None
    """None: nothing that a client names is fetched."""
    board: Board = field(default_factory=Board)


@dataclass(slots=True, frozen=True)
class Gateway:
    """Everything a request needs, immutable; requests under way keep the one they began with."""

    config: Config
    chain: Proceed
    check: Proceed
    """A chain for requests of the gateway's own, whose target is known."""
    record: Record
    authenticate: Authenticate
    route: Route
    menu: Menu
    """What callers may ask for, and what is known of it."""
    named: Sequence[Target]
    """The targets of all names and rules."""
    faces: Mapping[bytes, Dialect]
    """The dialect a path speaks."""
    templates: Mapping[str, tuple[re.Pattern[bytes], Dialect]]
    """Paths with placeholders, and what they speak; `model` is a group of the pattern."""
    opaque: Mapping[bytes, Dialect]
    """Of each provider, what is forwarded unread below its name."""
    trusted: Sequence[Network]

    def locate(self, path: bytes, query: bytes) -> tuple[Dialect, Place] | None:
        """The dialect of a path that holds the model, and the parts of the URL."""
        for template, (pattern, dialect) in self.templates.items():
            found = pattern.fullmatch(path)
            if found is not None:
                return dialect, Place(template, unquote(found["model"].decode("latin-1")), query)
        return None

    def forwards(self, path: bytes, query: bytes, address: str) -> tuple[Dialect, Place] | None:
        """What goes unread to a provider, by the path's first segment. `address`: scheme and host as the client sees
        them."""
        name, slash, rest = path[1:].partition(b"/")
        forwarded = self.opaque.get(name) if slash else None
        if forwarded is None:
            return None
        provider = name.decode()
        return forwarded, Place(f"{address}/{provider}", f"{provider}/*", query, slash + rest)

    def turn_away(self, error: GatewayError) -> Proceed:
        """A chain that records the request and refuses it."""

        async def refuse(exchange: Exchange) -> Reply:
            raise error

        return chain([self.record], refuse)

    def face_like(self, path: bytes, headers: Headers) -> Dialect:
        """The dialect to answer in where no path says it: whose headers the client sent, else whose path is nearest."""
        sent = {name for name, _ in headers}
        if len(path) > 2 * LIKENESS:  # it is compared with some sixty others, by anybody without a key
            path = path[:LIKENESS] + b"/" + path[-LIKENESS:]
        faces = [*self.faces.items(), *((path.encode(), face) for path, (_, face) in self.templates.items())]
        return max(
            faces,
            key=lambda face: (len(sent & face[1].request_headers), _shared(path, face[0]), face[0] == DEFAULT_FACE),
        )[1]

    def client_of(self, peer: tuple[str, int] | None, headers: Headers) -> str | None:
        """The client's address: the peer's, or what a trusted proxy says it is."""
        if peer is None:
            return None
        address = peer[0]
        if not self.trusted or not self._trusts(address):
            return address
        hops = [hop for name, value in headers if name == b"x-forwarded-for" for hop in value.split(b",")]
        for hop in reversed(hops):
            said = _address(hop)
            if said is None:
                break
            address = said
            if not self._trusts(address):
                break
        return address

    def address_of(self, scope: Mapping[str, Any]) -> str:
        """Scheme and host by which the client reaches the gateway, as it says itself or as a trusted proxy says."""
        headers = dict(scope["headers"])
        scheme, peer = scope["scheme"], scope["client"]
        if self.trusted and peer is not None and self._trusts(peer[0]):
            scheme = "https" if headers.get(b"x-forwarded-proto") == b"https" else scheme
        return f"{scheme}://{headers.get(b'host', b'').decode('latin-1')}"

    def _trusts(self, address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self.trusted)


def build(config: Config, ports: Ports, admin_digest: str, refreshed: Refreshed | None = None) -> Gateway:
    """The Gateway of a configuration. Raises PluginNotFound, or ValueError when a plug-in cannot be made."""
    providers = {name: _provider(name, entry, config, ports.board) for name, entry in config.providers.items()}
    known = catalogue(config, refreshed)
    record = Record(ports.journal, ports.meter)
    authenticate = Authenticate(_callers(config, admin_digest))
    make = partial(_alias, providers=providers, config=config, board=ports.board, known=known)
    aliases = {name: make(name, model) for name, model in config.models.items()}
    rules = _rules(config, aliases, make)
    menu = Menu(known, _offered(aliases, rules, providers))
    filters: list[Filter] = [Capability(menu)] if config.catalogue.enforce else []
    filters.append(Health())
    route = Route(aliases, providers, filters, ports.board, rules)
    fetch: list[Stage] = [Fetch(ports.fetch)] if ports.fetch is not None else []
    asked = config.retry
    ways = {**WAYS, **asked.ways}
    retry = Retry(Retries(asked.attempts, asked.backoff, asked.max_backoff, asked.budget, asked.least, ways))
    faces, templates = _faces(config.dialects)
    own = [_stage(stage.use, stage.settings) for stage in config.stages]
    stages: list[Stage] = [
        record,
        authenticate,
        Receive(config.data_dir),
        *own,
        route,
        *([Resume()] if any(model.resume for model in config.models.values()) else []),
        *([Hedge()] if any(model.hedge is not None for model in config.models.values()) else []),
        retry,
        Count(menu),
        *fetch,
        Translate(),
    ]
    named = _named(aliases, rules)
    _configure(ports.board, config, [*providers.values(), *(target.provider for target in named)])
    _limit(ports.board, named)
    ports.board.trials.keep([alias.canary.trial for alias in aliases.values() if alias.canary is not None])
    return Gateway(
        config=config,
        chain=chain(stages, Send(ports.upstream)),
        check=chain([record, Retry(Retries(attempts=1)), Translate()], Send(ports.upstream)),
        record=record,
        authenticate=authenticate,
        route=route,
        menu=menu,
        named=named,
        faces=faces,
        templates=templates,
        opaque={name.encode(): Opaque(next(iter(provider.speaks), None)) for name, provider in providers.items()},
        trusted=[ipaddress.ip_network(entry, strict=False) for entry in config.server.trusted_proxies],
    )


def catalogue(config: Config, refreshed: Refreshed | None = None) -> Catalogue:
    """What is known of the models of the configured providers."""
    kinds = {name: entry.catalogue for name, entry in config.providers.items()}
    return assemble(kinds, {name: model.facts() for name, model in config.catalogue.models.items()}, refreshed)


def _configure(board: Board, config: Config, providers: Iterable[AnyProvider]) -> None:
    set_to = config.breaker
    trip = Trip(set_to.failures, set_to.error_rate, set_to.slow_rate, set_to.least, set_to.rest, set_to.most_rest)
    board.configure(trip if set_to.enabled else NEVER, {arm.credential for each in providers for arm in each.arms})


def _named(aliases: Mapping[str, Alias], rules: Rules | None) -> list[Target]:
    """The targets of all names and rules."""
    every = list(aliases.values())
    for about in rules.names.values() if rules is not None else ():
        every += [alias for rule in about for alias in rule.gives.values()]
    return list(dict.fromkeys(target for alias in every for target in alias.everyone))


def _limit(board: Board, named: Iterable[Target]) -> None:
    """Once all could be made. Where a target stands under several names, the least of their limits holds, as all its
    requests are counted together; where it stands under none any more, there is no limit."""
    terms: dict[Standing, list[Terms]] = {standing: [] for standing in board.all()}
    for target in named:
        terms.setdefault(target.standing, []).append(target.terms)
    for standing, those in terms.items():
        standing.limit(
            min((each.concurrency for each in those if each.concurrency is not None), default=None),
            requests=any(each.requests_per_minute != inf for each in those),
            tokens=any(each.tokens_per_minute != inf for each in those),
        )


def _provider(name: str, entry: ProviderEntry, config: Config, board: Board) -> Provider:
    """It is made once with each of its keys; the first stands for all."""
    what, settings = f"the provider {name}", entry.settings
    several = settings.api_keys or [KeySettings(api_key=settings.api_key or SecretStr(""), name="key")]
    made: list[Provider] = []
    arms: list[Arm] = []
    for number, key in enumerate(several, 1):
        own = settings.model_copy(update={"api_key": key.api_key}) if settings.api_keys else settings
        one = _made(what, entry.type, name, own, max_reply_bytes=config.server.max_reply_bytes)
        digest = hash_key(key.api_key.get_secret_value())
        one.credential = board.credential(
            name, key.name or f"key-{number}", digest, enabled=key.enabled, trusting=not config.breaker.enabled
        )
        one.arms = arms
        made.append(one)
        arms.append(Arm(one, one.credential, key.weight))
    return made[0]


def _alias(
    name: str, model: Model, providers: Mapping[str, Provider], config: Config, board: Board, known: Catalogue
) -> Alias:
    target = partial(_target, alias=name, providers=providers, config=config, board=board, known=known)
    targets, fallbacks = ([target(entry) for entry in entries] for entries in (model.targets, model.fallbacks))
    special = {why: [target(entry) for entry in entries] for why, entries in model.fallbacks_on.each.items() if entries}
    hedge = 0.0 if model.hedge == "p95" else model.hedge
    manner = Manner(model.first_token or inf, model.deadline or inf, special, hedge, model.resume)
    manner = manner if manner != PLAIN else PLAIN
    canary = None
    if model.canary is not None:
        new = target(model.canary.target)
        trial = board.trials.of(name, new.name, _course(model.canary), time.monotonic())
        canary = Canary(new, trial, Together(model.canary.by))
    return Alias(name, model.policy.use, _policy(model.policy), targets, fallbacks, manner, canary)


def _target(
    entry: ConfiguredTarget,
    *,
    alias: str,
    providers: Mapping[str, Provider],
    config: Config,
    board: Board,
    known: Catalogue,
) -> Target:
    host, _, rest = entry.model.partition("/")
    provider = _provider(host, entry.provider, config, board) if entry.provider else providers[host]
    shape = Shape(entry.set, entry.defaults, entry.drop, entry.system, entry.effort)
    made = provider.target(rest, shape if shape != Shape() else None)
    # one with settings of its own may be another host altogether
    standing = board.standing(f"{alias}: {made.name}" if entry.provider else made.name)
    found = known.find(host, rest)
    requests, tokens = entry.requests_per_minute, entry.tokens_per_minute
    terms = Terms(
        weight=entry.weight,
        quality=entry.quality,
        prices=found.prices if found is not None else (),
        slow_after=entry.slow_after or inf,
        requests_per_minute=requests or inf,
        tokens_per_minute=tokens or inf,
        concurrency=entry.concurrency,
        queue=entry.queue,
        queue_seconds=entry.queue_seconds,
    )
    return replace(made, terms=terms, standing=standing)


def _course(canary: ConfiguredCanary) -> Course:
    about = hash_key(canary.model_dump_json())  # there may be a key among the settings of its target
    return Course(canary.steps, canary.every, canary.least, canary.error_margin, canary.max_slowdown, about)


def _rules(config: Config, aliases: Mapping[str, Alias], make: Callable[[str, Model], Alias]) -> Rules | None:
    """What is compiled here has been checked with the configuration."""
    if not config.rules:
        return None
    zone = UTC if config.matching.time_zone == "UTC" else ZoneInfo(config.matching.time_zone)
    settings = Settings(zone, config.matching.lists)
    compiler: Compiler | None = None
    rules = []
    for rule in config.rules:
        gives = {}
        for name in rule.models:
            given = config.given(rule, name)
            if rule.use is not None and rule.use in aliases and rule.policy is None:
                gives[name] = aliases[rule.use]
            elif given is not None:
                gives[name] = make(rule.use or name, given)
        if rule.when is not None and compiler is None:
            compiler = Compiler({name: each.kind for name, each in variables().items()}, settings.lists)
        when = compiler.compile(rule.when) if compiler is not None and rule.when is not None else None
        rules.append(Rule(rule.name, gives, when, rule.use))
    return Rules(rules, settings)


def _offered(
    aliases: Mapping[str, Alias], rules: Rules | None, providers: Mapping[str, Provider]
) -> dict[str, Sequence[Target]]:
    """The names to ask for, with all that may be behind each."""
    offered = {alias.name: alias.all for alias in aliases.values()}
    for name, about in rules.names.items() if rules is not None else ():
        if name not in offered and name.partition("/")[0] not in providers:
            offered[name] = list(dict.fromkeys(target for rule in about for target in rule.gives[name].all))
    return offered


def _policy(configured: ConfiguredPolicy) -> Policy:
    kind = plugin.load("stages.policies", configured.use, Policy)  # type: ignore[type-abstract]
    return _made(f"the policy {configured.use}", kind, **arguments(kind, configured.settings))


def _callers(config: Config, admin_digest: str) -> dict[bytes, Caller]:
    callers = {bytes.fromhex(admin_digest): Caller(ADMIN)}
    for key in config.keys:
        models = families = None
        if key.models is not None:
            models = frozenset(name for name in key.models if not name.endswith("/*"))
            families = tuple(name[:-1] for name in key.models if name.endswith("/*"))
        callers[bytes.fromhex(key.digest)] = Caller(key.name, models, families or ())
    return callers


def _faces(own: Sequence[str]) -> tuple[dict[bytes, Dialect], dict[str, tuple[re.Pattern[bytes], Dialect]]]:
    """Every dialect's paths, and those with placeholders; somebody else's comes last and may take a path over."""
    faces: dict[bytes, Dialect] = {}
    templates: dict[str, tuple[re.Pattern[bytes], Dialect]] = {}
    for dialect in dialects(own):
        for path in dialect.paths if dialect.takes != "raw" else ():
            if dialect.in_url:
                templates[path] = (_pattern(path), dialect)
            else:
                faces[path.encode()] = dialect
    return faces, templates


def _pattern(template: str) -> re.Pattern[bytes]:
    """A path with placeholders, to be matched: `{model}` may hold slashes, any other one is a segment."""
    fitting = re.escape(template).replace(r"\{model\}", "(?P<model>.+)")
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", fitting).encode())


def _stage(use: str, settings: Mapping[str, Any]) -> Stage:
    kind = plugin.load("stages", use, Stage)  # type: ignore[type-abstract]
    return Checked(use, _made(f"the stage {use}", kind, **settings))


def _made(what: str, kind: Callable[..., T], *args: Any, **settings: Any) -> T:
    """An instance of what may be somebody else's class. Raises ValueError, whatever that class raises."""
    try:
        return kind(*args, **settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} does not take these settings: {error}") from error
    except plugin.BROKEN as error:
        # only the type: a message of a stranger's may hold a value
        raise ValueError(f"{what} fails with {type(error).__name__} when it is made") from error


def _address(hop: bytes) -> str | None:
    """An entry of `x-forwarded-for` without its port; None for what is no address (`unknown`, an attacker's text)."""
    text = hop.strip().decode("latin-1")
    if text[:1] == "[":
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return None if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _shared(path: bytes, other: bytes) -> int:
    """How many path segments two paths have in common from the beginning, and from the end."""
    ours, theirs = path.split(b"/"), other.split(b"/")
    return _alike(ours, theirs) + _alike(ours[::-1], theirs[::-1])


def _alike(ours: list[bytes], theirs: list[bytes]) -> int:
    for count, (one, another) in enumerate(zip(ours, theirs, strict=False)):
        if one != another:
            return count
    return min(len(ours), len(theirs))
