"""Who a client is by its certificate, which a proxy in front has checked and tells in a header.

Envoy's `x-forwarded-client-cert`: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NoReturn

from headgate.core.errors import Unauthenticated
from headgate.identity import names
from headgate.identity.mapping import Mapped, Rule, Rules

Form = Literal["xfcc", "subject", "fingerprint"]
MOST_ELEMENTS = 50
REPEATED = frozenset({"uri", "dns"})
OURS = frozenset({"subject", "hash", "uri", "dns"})
"""Claims that a subject makes none of by an attribute of that name."""
_PAIR = re.compile(r' *([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))')
_ESCAPED = re.compile(r"\\(.)")
_HEX = re.compile(r"[0-9a-f]{40,128}")


@dataclass(slots=True, frozen=True)
class Settings:
    """How the proxy tells it. Raises ValueError."""

    header: str = "x-forwarded-client-cert"
    form: Form = "xfcc"
    """What is in it: Envoy's form, the subject's distinguished name, or the certificate's fingerprint."""
    hops: int = 1
    """Of the proxies that added to it, which one's client it is, counted from here: 1 is that of the nearest."""
    verified: tuple[str, str] | None = None
    """A header and what it says where the certificate has been checked: nginx tells names of others as well."""
    rules: Rules = field(default_factory=lambda: Rules(user=Rule("cn")))
    """Of `subject`, its parts (`cn`, `o`, `ou` …), `uri`, `dns` and `hash`."""

    def __post_init__(self) -> None:
        if not self.header or self.hops < 1:
            raise ValueError("there is a header, and at least one proxy that fills it")


class Proxied:
    """Says who a request comes from. Whoever asks knows whether it came from a proxy that is trusted."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._header = settings.header.lower().encode()
        self._verified = None if settings.verified is None else settings.verified[0].lower().encode()
        self._rules = _by_names(settings.rules)

    def identify(self, headers: Sequence[tuple[bytes, bytes]], *, trusted: bool) -> Mapped | None:
        """None: no proxy that is trusted tells of a certificate. Raises Unauthenticated for one that is nobody's."""
        if not trusted:
            return None  # anybody may write such a header
        told = [value for name, value in headers if name == self._header]
        if not told or not told[0].strip():
            return None
        if len(told) > 1:
            _refuse("two headers tell of it")
        if self._verified is not None:
            said = [value for name, value in headers if name == self._verified]
            if said != [(self.settings.verified or ("", ""))[1].encode()]:
                _refuse("the proxy does not say that it has checked it")
        try:
            claims = self._claims(told[0].decode())
        except ValueError as error:
            _refuse(f"what the proxy tells of it cannot be read: {error}")
        return self._rules.read(claims)

    def _claims(self, told: str) -> dict[str, Any]:
        match self.settings.form:
            case "subject":
                return of_subject(told)
            case "fingerprint":
                return {"hash": fingerprint(told)}
            case "xfcc":
                elements = parse(told)
                if len(elements) < self.settings.hops:
                    raise ValueError("fewer proxies have told of one than there should be")
                found = elements[-self.settings.hops]
                claims = of_subject(found["subject"][0]) if found.get("subject", [""])[0] else {}
                claims |= {name: found[name] for name in REPEATED if name in found}
                return claims | ({"hash": fingerprint(found["hash"][0])} if "hash" in found else {})


def parse(header: str) -> list[Mapping[str, list[str]]]:
    """The elements of `x-forwarded-client-cert`, the nearest proxy's last. Raises ValueError."""
    elements: list[dict[str, list[str]]] = [{}]
    place = 0
    while True:
        pair = _PAIR.match(header, place)
        if pair is None:
            raise ValueError(f"there is no pair at {header[place : place + 20]!a}")
        name, quoted, bare = pair.groups()
        value = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
        values = elements[-1].setdefault(name.lower(), [])
        if values and name.lower() not in REPEATED:
            raise ValueError(f"{name} stands twice in one element")
        values.append(value)
        place = pair.end()
        if place == len(header):
            return list(elements)
        if header[place] == ",":
            elements.append({})
        elif header[place] != ";":
            raise ValueError(f"a pair goes on after its end: {header[place : place + 20]!a}")
        if len(elements) > MOST_ELEMENTS:
            raise ValueError("too many proxies have told of one")
        place += 1


def of_subject(told: str) -> dict[str, Any]:
    """What a subject's name (https://www.rfc-editor.org/rfc/rfc2253) claims. Raises ValueError."""
    if told.startswith("/"):
        raise ValueError("a name with slashes can be read in several ways; have it sent with commas (RFC 2253)")
    claims: dict[str, Any] = {"subject": names.plain(names.parse(told))}
    for kind, value in names.written(told):
        if kind not in OURS:
            claims.setdefault(kind, []).append(value)
    if len(claims.get("cn", ())) > 1:
        raise ValueError("the subject has two common names")
    return claims


def fingerprint(told: str) -> str:
    """In small letters without colons. Raises ValueError."""
    found = told.strip().replace(":", "").lower()
    if not _HEX.fullmatch(found):
        raise ValueError("the fingerprint is none")
    return found


def _by_names(rules: Rules) -> Rules:
    """Tables of subjects and fingerprints say them in whatever way; they are compared in one."""
    plain = {"subject": lambda told: names.plain(names.parse(told)), "hash": fingerprint}
    changed: dict[str, Rule] = {}
    for kind in ("user", "organisation", "team", "application", "role", "models"):
        rule: Rule | None = getattr(rules, kind)
        if rule is not None and rule.table is not None and rule.claim in plain:
            changed[kind] = replace(rule, table={plain[rule.claim](told): ours for told, ours in rule.table.items()})
    return replace(rules, **changed)


def _refuse(why: str) -> NoReturn:
    raise Unauthenticated(f"the client's certificate is not taken: {why}")
