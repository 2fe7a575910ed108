"""What of a law's controls can be shown: each check gives a state and the evidence, from facts alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, NamedTuple

from headgate.config.compliance import LEVELS
from headgate.config.identities import Key
from headgate.config.preset_guards import ASKED, wanted
from headgate.config.problems import dotted
from headgate.config.schema import Config, is_loopback
from headgate.core.caller import Belongs
from headgate.governance.compliance.facts import Facts

State = Literal["met", "partly", "not met", "not covered"]
NAMES_SHOWN = 10


class Shown(NamedTuple):
    state: State
    evidence: str


def judged(met: bool, evidence: str) -> Shown:
    return Shown("met" if met else "not met", evidence)


def minimal(facts: Facts) -> Shown:
    """No more of what was said is kept than needed."""
    keep = facts.config.most_kept
    places = [f"`{dotted(path)}`" for path, level in facts.config.kept() if level == keep]
    where = ", ".join(places[:NAMES_SHOWN]) + (" …" if len(places) > NAMES_SHOWN else "")
    evidence = (
        f"at most `{keep}` ({where}): "
        + {
            "off": "nothing of what is said is kept",
            "redacted": "what is said is kept without secrets and personal data, as far as these are found",
            "full": "all that is said is kept",
        }[keep]
    )
    return judged(LEVELS.index(keep) < LEVELS.index("full"), evidence)


def guarded(facts: Facts) -> Shown:
    """What goes to providers of others goes without personal data and secrets, as far as these are found."""
    asked = list(wanted(list(ASKED)))
    done = {
        each.use: [
            name for name, policy in facts.config.guards.items() if each._replace(also=frozenset()).done_by(policy)
        ]
        for each in asked
    }
    lacking = [use for use, names in done.items() if not names]
    if lacking:
        return Shown("not met", f"no policy of guards takes {' and '.join(lacking)} data out of what goes to providers")
    names = ", ".join(f"`{name}`" for each in done.values() for name in each[:NAMES_SHOWN])
    return Shown("partly", f"by {names}: what has a form is found, names and what is written otherwise may not be")


def limited(facts: Facts) -> Shown:
    """How long data are kept is said, and what is older goes."""
    said = facts.config.retention
    kept = {"records": said.records_days, "sums": said.sums_days, "audit": said.audit_days}
    if facts.config.keeps:
        kept["payloads"] = said.payloads_days
    told = ", ".join(f"{name} {f'{days} days' if days is not None else 'for ever'}" for name, days in kept.items())
    return judged(None not in kept.values(), f"`retention`: {told}; {_done(facts, 'purge', 'purges')}")


def whole(facts: Facts) -> Shown:
    """What was written is as it was."""
    if not facts.chains:
        return Shown("not met", "nothing was written yet that could be checked")
    parts = []
    for each in facts.chains:
        sound = "whole" if not each.problems else f"{len(each.problems)} problems"
        signed = f"signed up to link {each.signed.number}" if each.signed is not None else "not signed"
        scope = f" behind link {each.since}" if each.since else ""
        parts.append(f"{each.chain}{scope}: {sound}, {each.rows} rows checked, {signed}")
    kept = facts.config.audit.checkpoint_file is not None or facts.config.audit.checkpoint_url is not None
    parts.append("checkpoints are also kept elsewhere" if kept else "checkpoints are kept nowhere else")
    signed_all = all(each.signed is not None for each in facts.chains if each.links)
    state: State = "not met" if not facts.whole else "met" if signed_all and kept else "partly"
    return Shown(state, "; ".join(parts))


def audited(facts: Facts) -> Shown:
    """Who did what is on record."""
    records = facts.config.records.store
    audit = next((each.rows for each in facts.chains if each.chain == "audit"), 0)
    evidence = f"changes through the admin API are always in the audit ({audit} entries); each request has a record"
    return judged(records, evidence + ("" if records else ", but `records.store` is false: only the newest are kept"))


def six_years(facts: Facts) -> Shown:
    return _long_enough(facts, 2190)


def two_years(facts: Facts) -> Shown:
    return _long_enough(facts, 730)


def given_out(facts: Facts) -> Shown:
    """A person gets what is kept about him."""
    return Shown("met", f"`headgate data export` gives it out with its proof; {_done(facts, 'export', 'exports')}")


def erased(facts: Facts) -> Shown:
    """What is kept about a person is deleted when he asks."""
    holds = len(facts.config.holds)
    cached = ", kept answers with it" if facts.config.caches else ""
    evidence = f"`headgate data delete`{cached}; {_done(facts, 'erase', 'deletions')}; {holds} holds"
    return Shown("partly", f"{evidence}. Not reached: backups, sinks, and what providers keep")


def authorised(facts: Facts) -> Shown:
    """Only who may gets in."""
    roles = {role: sum(user.role == role for user in facts.config.users.values()) for role in ("owner", "admin")}
    weak = [*facts.keys_for_ever, *facts.by_password_alone]
    evidence = (
        f"{len(facts.config.keys)} keys, {_named(facts.keys_for_ever, 'never expire')}; {roles['owner']} owners and "
        f"{roles['admin']} admins, {_named(facts.by_password_alone, 'rule by a password alone')}"
    )
    return judged(not weak, evidence)


def named(facts: Facts) -> Shown:
    """Who asks is a person or a program that can be told from others."""
    return judged(not facts.keys_of_nobody, f"{_named(facts.keys_of_nobody, 'are of no user and no application')}")


def logged_off(facts: Facts) -> Shown:
    idle = facts.config.login.idle
    return judged(idle <= 900, f"`login.idle`: a session ends after {idle:g} seconds without a call")


def logins_seen(facts: Facts) -> Shown:
    return Shown("met", f"logins and failed ones are in the audit; {_done(facts, 'login_failed', 'failed logins')}")


def encrypted_at_rest(facts: Facts) -> Shown:
    """What was said, and secrets, are encrypted where they are kept."""
    keep = facts.config.most_kept
    said = "nothing of what is said is kept" if keep == "off" else "what is said is encrypted (AES-256-GCM)"
    if keep != "off" and not facts.encrypted:
        return Shown("not met", "`payloads.encrypt` is off: what is said is kept in the clear")
    if facts.config.caches and facts.config.cache.store != "memory":
        if not facts.sealed:
            return Shown("not met", "`cache.encrypt` is off: answers are kept in the clear")
        said += ", as are answers that are kept to be given again"
    told = (
        "secrets are sealed; records (who asked which model when) are not encrypted: that is left to disk or database"
    )
    return Shown("partly", f"{said}; {told}")


def encrypted_on_its_way(facts: Facts) -> Shown:
    """What travels is encrypted: from clients, to providers, to databases."""
    plain = facts.found("without TLS", "unencrypted", "need not be encrypted")
    server = facts.config.server
    how = "TLS" if server.tls is not None else "this machine alone" if is_loopback(server.host) else "a proxy in front"
    return judged(
        not plain, f"clients come by {how}; " + ("; ".join(str(each) for each in plain) or "nothing travels plain")
    )


def secure(facts: Facts) -> Shown:
    """What the security audit says."""
    high = [each for each in facts.findings if each.severity == "high"]
    count = f"`headgate audit security`: {len(facts.findings)} findings, {len(high)} of them high"
    told = (f"; {each.object or each.place}: {each.message}" for each in high[:NAMES_SHOWN])
    return judged(not high, count + "".join(told))


def where(facts: Facts) -> Shown:
    """Which providers may be asked is bound to what is said of them."""
    config = facts.config
    providers = {name: sorted(entry.settings.traits) for name, entry in config.providers.items()}
    told = "; ".join(f"{name}: {', '.join(traits) or 'nothing said'}" for name, traits in providers.items())
    free = [key.name for key in config.keys if key.enabled and not _requires(config, key)]
    state: State = "partly" if not free and config.keys else "not covered"
    return Shown(
        state, f"providers: {told or 'none'}; {_named(free, 'may ask any of them')}. Contracts are beyond the gateway"
    )


def _requires(config: Config, key: Key) -> bool:
    """Whether a key, or whose it is, requires anything of providers."""
    said = Belongs(key.organisation, key.team, key.application, key.user)
    return bool(config.people.caller(key.name, key, said).requires)


def _long_enough(facts: Facts, days: int) -> Shown:
    said = facts.config.retention
    kept = {"records": said.records_days, "audit": said.audit_days}
    told = ", ".join(f"{name} {f'{each} days' if each is not None else 'for ever'}" for name, each in kept.items())
    short = [name for name, each in kept.items() if each is not None and each < days]
    if not facts.config.records.store:
        return Shown("not met", "`records.store` is false: only the newest records are kept")
    return judged(not short, f"`retention`: {told}; {days} days are asked for")


def _done(facts: Facts, action: str, what: str) -> str:
    last = facts.last.get(action)
    if last is None:
        return f"no {what} so far"
    moment = datetime.fromtimestamp(last.time, UTC).strftime("%Y-%m-%dT%H:%MZ")
    return f"{facts.counts[action]} {what}, the last at {moment}"


def _named(names: list[str], what: str) -> str:
    if not names:
        return f"none {what}"
    more = f" and {len(names) - NAMES_SHOWN} others" if len(names) > NAMES_SHOWN else ""
    return f"{len(names)} {what} ({', '.join(names[:NAMES_SHOWN])}{more})"
