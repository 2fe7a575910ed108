"""A configuration becomes a Gateway, built whole."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import inf
from typing import Any, cast

from headgate.catalog.catalogue import Catalogue, assemble
from headgate.catalog.menu import Menu
from headgate.catalog.refreshed import Refreshed
from headgate.config import authentication
from headgate.config.document import Path
from headgate.config.identities import Key, callers, own_limits
from headgate.config.schema import Config
from headgate.config.secrets import hash_key
from headgate.core import plugin
from headgate.core.breaker import NEVER, Trip
from headgate.core.caller import EVERY_OPERATION, Caller
from headgate.core.dialect import Dialect
from headgate.core.exchange import Exchange
from headgate.core.fingerprint import Fingerprints
from headgate.core.ids import Ids
from headgate.core.kept import Classes
from headgate.core.limits.rule import Rule, limited
from headgate.core.plan import WAYS, Retries
from headgate.core.repeats import Repeats
from headgate.core.reply import Reply
from headgate.core.standing import Board, Standing
from headgate.core.target import Provider as AnyProvider
from headgate.core.target import Target, Terms
from headgate.dialects import openai_chat
from headgate.dialects.dialect import dialects
from headgate.dialects.opaque import Opaque
from headgate.providers.provider import Provider
from headgate.runtime.gateway import ADMIN, Gateway, Ports
from headgate.runtime.guarding import Guarding, guarding
from headgate.runtime.maker import Maker, classes_of, instance, settings_of
from headgate.runtime.verifiers import verifiers
from headgate.stages.abide import Abide, Forewarn
from headgate.stages.authenticate import Authenticate
from headgate.stages.cache import Cache, Meaning
from headgate.stages.cache.identity import NEUTRAL_HEADERS
from headgate.stages.cache.stale import Refresh
from headgate.stages.count import Count
from headgate.stages.explain import Explain
from headgate.stages.fetch import Fetch
from headgate.stages.filters.capability import Capability
from headgate.stages.filters.filter import Filter
from headgate.stages.filters.health import Health
from headgate.stages.filters.requirement import Requirement
from headgate.stages.guard import read
from headgate.stages.hedge import Hedge
from headgate.stages.instruct import Instruct
from headgate.stages.judge import Bench, Judge
from headgate.stages.keep import Keep, Say
from headgate.stages.limit import Limit
from headgate.stages.limit.attempts import Attempts
from headgate.stages.receive import Receive
from headgate.stages.reckon import Reckon
from headgate.stages.record import Record
from headgate.stages.resume import Resume
from headgate.stages.retry import Retry
from headgate.stages.route import Alias, Route
from headgate.stages.rules.clause import compiled, version
from headgate.stages.rules.embedder import Embedder, Within
from headgate.stages.rules.rule import Rules
from headgate.stages.rules.topic import Topics
from headgate.stages.send import Send
from headgate.stages.shadow import Shade, Shadow
from headgate.stages.stage import Checked, Reread, Stage, chain
from headgate.stages.trace import Trace
from headgate.stages.translate import Translate


def build(config: Config, ports: Ports, admin_digest: str, refreshed: Refreshed | None = None) -> Gateway:
    """The Gateway of a configuration. Raises PluginNotFound, or ValueError when a plug-in cannot be made."""
    known, limits = catalogue(config, refreshed), limits_of(config)
    attempts = Attempts(ports.ledger, limits) if any(rule.by_target for rule in limits) else None
    maker = Maker(config, ports.board, known)
    providers = maker.host()
    aliases = {name: maker.alias(name, model) for name, model in config.models.items()}
    classes = classes_of(config)
    fingerprints = Fingerprints(admin_digest) if config.records.fingerprints else None
    record, reckon = Record(ports.journal, ports.meter, fingerprints, classes), Reckon(ports.board.ratios)
    plain = Route(aliases, providers, [Requirement(), Health()], ports.board)
    allowed = Retry(_retries(config), allowance=attempts)
    whose, limit = _callers(config, admin_digest, limits), Limit(ports.ledger, plain.behind)
    outside: list[Stage] = [record, limit, reckon, plain, allowed, Translate()]
    topics = _topics(config, ports, record, plain, [allowed, Translate()])
    guards = guarding(config, classes, admin_digest, ports, outside, topics, whose)
    asking: list[Stage] = [allowed, *guards.aim, Translate()]
    rules = maker.rules(aliases, _topics(config, ports, record, plain, asking))
    menu = Menu(known, _offered(aliases, rules, providers))
    addresses = config.server.addresses
    authenticate = Authenticate(
        whose,
        addresses.made if addresses.says else None,
        verifiers(config, ports.upstream, ports.issuers, limits),
    )
    kept = ports.cache is not None and config.caches
    # a stage of somebody's own may change what is remembered
    repeats = Repeats() if kept and not config.stages else None
    route = Route(aliases, providers, _filters(config, menu, attempts), ports.board, rules, known, kept)
    faces, templates = _faces(config.dialects)
    fetch = [Fetch(ports.fetch)] if ports.fetch is not None else []
    sending: list[Stage] = [*guards.aim, Count(menu), *fetch, Translate()]
    once = Retry(Retries(attempts=1), allowance=attempts)
    sampling = config.traces.sampling
    refresh = Refresh(ports.board.refreshing, Ids())
    first: list[Stage] = [
        *([cast(Stage, Trace(sampling))] if sampling is not None else []),
        authenticate,
        *_keep(config, ports, classes),
        Receive(config.data_dir, route.names, repeats),
        *(_stage(stage.use, stage.settings) for stage in config.stages),
        *([Reread()] if config.stages else []),
        *_lawful(config, guards),
        *([Instruct()] if _instructs(config) else []),
        Explain(chain([route], _nobody), known),
    ]
    room = Limit(ports.ledger, route.behind)
    behind: list[Stage] = [
        *([room] if any(not rule.by_target for rule in limits) else []),
        reckon,
        route,
        *_cache(config, ports, list(faces.values()), refresh, record, plain, asking, guards, repeats),
        *_judge(config, route, ports, [record, reckon, once, *sending]),
        *_shadow(config, route, ports, record, [reckon, once, *sending]),
        *guards.again(reckon.used, room.more),
        *([Resume()] if any(model.resume for model in config.models.values()) else []),
        *([Hedge()] if any(model.hedge is not None for model in config.models.values()) else []),
        Retry(_retries(config), allowance=attempts),
        *sending,
    ]
    refresh.ask = chain([record, *behind], Send(ports.upstream))
    named = _named(aliases, rules)
    _settle(ports.board, config, named, [*providers.values(), *(target.provider for target in named)])
    _limit(ports.board, named)
    ports.board.trials.keep([alias.canary.trial for alias in aliases.values() if alias.canary is not None])
    return Gateway(
        config=config,
        chain=chain([record, *first, *behind], Send(ports.upstream)),
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
    said = config.catalogue
    own = {name: model.facts() for name, model in said.models.items()}
    return assemble(kinds, own, refreshed, {place: Decimal(factor) for place, factor in said.price_factors.items()})


async def _nobody(exchange: Exchange) -> Reply:
    """Where a request ends that is only explained."""
    return Reply(exchange.dialect, stream=False, body=b"")


def _filters(config: Config, menu: Menu, attempts: Attempts | None) -> list[Filter]:
    capability = [Capability(menu)] if config.catalogue.enforce else []
    return [Requirement(), *capability, Health(), *([attempts] if attempts is not None else [])]


def _retries(config: Config) -> Retries:
    asked = config.retry
    return Retries(asked.attempts, asked.backoff, asked.max_backoff, asked.budget, asked.least, {**WAYS, **asked.ways})


def _shadow(config: Config, route: Route, ports: Ports, record: Record, sending: Sequence[Stage]) -> list[Stage]:
    """The stage that copies requests, where any are copied; `sending`: the stages of a copy."""
    shades = {
        name: Shade(alias.shade, model.shadow.share, model.shadow.at_once)
        for (name, alias), model in zip(route.aliases.items(), config.models.values(), strict=True)
        if alias.shade is not None and model.shadow is not None
    }
    send = chain(sending, Send(ports.upstream))
    return [Shadow(shades, ports.board.shadows, record, route.filters, send, Ids())] if shades else []


def _cache(
    config: Config,
    ports: Ports,
    faces: Sequence[Dialect],
    refresh: Refresh,
    record: Record,
    route: Route,
    asking: Sequence[Stage],
    guards: Guarding,
    repeats: Repeats | None,
) -> list[Stage]:
    """The stage that gives answers again, where any are kept; `route` and `asking` as for topics."""
    if ports.cache is None or not config.caches:
        return []
    known = {dialect.name: dialect for dialect in (*dialects(config.dialects), *faces)}
    headers = frozenset(name for dialect in known.values() for name in dialect.request_headers) - NEUTRAL_HEADERS
    said = {name: each.cache for name, each in config.models.items() if each.cache is not None}
    terms = {name: each.terms for name, each in said.items()}
    others = config.cache.others.terms if config.cache.others is not None else None
    if ports.index is not None:
        from headgate.runtime.similar import alikes

        like = alikes(config, ports, [record, route], asking, guards.aimed)
        terms, others = {name: like.terms(each) for name, each in said.items()}, like.terms(config.cache.others)
    meaning = _meaning(config)
    return [
        Cache(
            ports.cache, terms, others, known, headers, meaning,
            refresh=refresh, apart=guards.apart, repeats=repeats,
        )
    ]  # fmt: skip


def _lawful(config: Config, guards: Guarding) -> list[Stage]:
    """The stages that guard, and keep to clauses, where there are any: those hold for whom guards ask, too."""
    if not config.clauses:
        return [*guards.guard]
    lists, settings = config.matching.lists, settings_of(config)
    clauses, which = compiled(config.clauses, lists), version(config.clauses, lists)
    ahead: list[Stage] = [Forewarn(clauses, settings, which)] if guards.outside is not None else []
    return [*ahead, *guards.guard, Abide(clauses, settings, which, read)]


def _instructs(config: Config) -> bool:
    """Whether anybody's requests have a system prompt put before them."""
    doors = [grants for _, _, grants in config.authentication.doors()]
    people = [each for section in config.people for each in section.values()]
    return any(each.system_prompt is not None for each in (*config.keys, *people, *doors))


def _meaning(config: Config) -> Meaning:
    """What an alias and a rule stand for, hashed, as there may be a key among the settings of a target."""
    providers = repr(config.providers)

    def meaning(alias: str | None, rule: str | None) -> bytes:
        rules = [each for each in config.rules if each.name == rule]
        said = (config.models.get(alias or ""), rules, providers)
        return hashlib.blake2b(repr(said).encode("utf-8", "replace"), digest_size=16).digest()

    return meaning


def _topics(config: Config, ports: Ports, record: Record, route: Route, asking: Sequence[Stage]) -> Topics | None:
    """`route` knows no rules: who is asked for the topic is not to depend on it. `asking`: the stages behind it of a
    question of the gateway's own."""
    matching = config.matching
    if not matching.topics or matching.embedding_model is None:
        return None
    model, seconds = matching.embedding_model, matching.topic_timeout
    send = Send(ports.upstream)
    embedder = Embedder(
        model, chain([record, route, Within(seconds), *asking], send), chain([record, *asking], send), Ids()
    )
    # hashed, as there may be a key among the settings of a target
    space = ports.board.spaces.space(hash_key(repr((model, config.models.get(model), config.providers))))
    return Topics(matching.topics, matching.topic_threshold, seconds, embedder, space)


def _keep(config: Config, ports: Ports, classes: Classes) -> list[Stage]:
    """The stage that has what is said kept, where anything is."""
    if ports.payloads is None or not config.keeps:
        return []
    said = config.payloads
    names = {name: model.payloads for name, model in config.models.items() if model.payloads is not None}
    return [Keep(ports.payloads, Say(said.keep, names, said.classes, said.media), classes)]


def _judge(config: Config, route: Route, ports: Ports, asking: Sequence[Stage]) -> list[Stage]:
    """The stage that has answers judged, where any are; `asking`: the stages of a question to a judge."""
    benches = {
        name: Bench(
            alias.judge, alias.judged.scores, said.share, said.least, said.ask_again, said.criteria, said.seconds,
            said.at_once,
        )
        for (name, alias), model in zip(route.aliases.items(), config.models.values(), strict=True)
        if (said := model.judge) is not None and alias.judge is not None and alias.judged is not None
    }  # fmt: skip
    ask = chain(asking, Send(ports.upstream))
    return [Judge(benches, ports.board.judging, ask, openai_chat, Ids())] if benches else []


def _settle(board: Board, config: Config, named: Iterable[Target], providers: Iterable[AnyProvider]) -> None:
    set_to = config.breaker
    trip = Trip(set_to.failures, set_to.error_rate, set_to.slow_rate, set_to.least, set_to.rest, set_to.most_rest)
    board.configure(
        trip if set_to.enabled else NEVER,
        {target.standing for target in named},
        {arm.credential for each in providers for arm in each.arms},
    )


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
    board.limited = [each for each in terms if each.requests is not None or each.tokens is not None]


def _offered(
    aliases: Mapping[str, Alias], rules: Rules | None, providers: Mapping[str, Provider]
) -> dict[str, Sequence[Target]]:
    """The names to ask for, with all that may be behind each."""
    offered = {alias.name: alias.all for alias in aliases.values()}
    for name, about in rules.names.items() if rules is not None else ():
        if name not in offered and name.partition("/")[0] not in providers:
            offered[name] = list(dict.fromkeys(target for rule in about for target in rule.gives[name].all))
    return offered


def limits_of(config: Config) -> list[Rule]:
    """All limits, those of the section and those that stand with whom they concern."""
    keys: list[tuple[Path, Key]] = [(("keys", index), key) for index, key in enumerate(config.keys)]
    own = [each.rule for each in own_limits(config.people, keys)]
    own += [each.rule for each in authentication.own_limits(config.authentication)]
    return [*(limit.rule(limit.name, limit.match, limit.per) for limit in config.limits), *own]


def _callers(config: Config, admin_digest: str, limits: Sequence[Rule]) -> dict[bytes, Caller]:
    admin = Caller(ADMIN, operations=EVERY_OPERATION, role="owner")
    found = {bytes.fromhex(admin_digest): admin, **dict(callers(config.keys, config.people))}
    return {digest: limited(caller, limits) for digest, caller in found.items()}


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
    return Checked(use, instance(f"the stage {use}", kind, **settings))
