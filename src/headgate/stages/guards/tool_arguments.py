"""What a model hands to tools: commands, addresses and paths that nobody allowed."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal
from urllib.parse import unquote, urlsplit

import pydantic

from headgate.core.guard import EVERY, Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings

Kind = Literal["command", "address", "path", "sql"]
PROGRAMS = (
    "(?:rm|curl|wget|bash|sh|zsh|nc|ncat|cat|python3?|perl|ruby|php|node|chmod|chown|sudo|powershell|cmd|eval|exec|kill|dd|"
    "mkfs|ssh|scp|tar|base64|env|printenv|whoami|id)"
)
COMMAND = re.compile(
    rf"[;&|\n][^\S\n]*{PROGRAMS}\b|\$\([^)\n]{{1,500}}\)|`[^`\n]{{1,500}}`|[<>]\s?/(?:etc|dev|bin|usr|var|root|home|tmp)/"
    r"|\b(?:bash|sh|zsh|cmd|powershell)(?:\.exe)?\s+[-/](?:c|enc|EncodedCommand)\b|/dev/(?:tcp|udp)/|\brm\s+-[a-z]*[rf]|\|\s*(?:ba|z|da)?sh\b",
    re.IGNORECASE,
)
SQL = re.compile(
    r";\s*(?:drop|delete|truncate|alter|update|insert|grant|exec)\b|['\"]\s*or\s+['\"]?1['\"]?\s*=\s*['\"]?1|\bunion\s+(?:all\s+)?select\b"
    r"|\bdrop\s+(?:table|database|schema)\b|\bxp_cmdshell\b|\binto\s+outfile\b",
    re.IGNORECASE,
)
URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}:[/\\]{2}[^\s<>\"'`\\]{1,2000}", re.IGNORECASE)
_IN_PATH = r"[^\s\"'`;|<>*?]"
PATH = re.compile(
    rf"(?<![\w:/.~%])(?:~|\.{{1,2}})?/{_IN_PATH}{{1,500}}|(?<!\w)\.\.(?:[/\\]|%2f|%5c){_IN_PATH}{{0,500}}"
    rf"|\b[A-Za-z]:\\{_IN_PATH}{{1,500}}",
    re.IGNORECASE,
)
SENSITIVE = re.compile(
    r"(?:^|/)\.\.(?:/|$)|^/(?:etc|proc|sys|root|boot)(?:/|$)|(?:^|/)\.(?:ssh|aws|kube|gnupg|docker|env|netrc|git-credentials)(?:/|$|\.)"
    r"|^[a-z]:/windows/",
    re.IGNORECASE,
)
HARMFUL = frozenset({"file", "gopher", "dict", "ldap", "jar", "php", "data", "javascript"})


class ToolRules(pydantic.BaseModel, extra="forbid"):
    """What one tool may be given."""

    allow: list[Kind] = pydantic.Field(
        default_factory=list,
        description="What is not looked for: `command`, `address`, `path`, `sql`.",
    )
    hosts: list[str] | None = pydantic.Field(
        None,
        description="Hosts that addresses may name, `*.example.com` for all below one. Left out: any that is not of "
        "this machine, its network or a cloud's metadata.",
    )
    paths: list[str] | None = pydantic.Field(
        None,
        description="Folders in which paths may be. Left out: anywhere but `/etc`, `/proc`, keys and the like, and not "
        "upwards by `..`.",
    )


class ToolArgumentsSettings(GuardSettings):
    tools: dict[str, ToolRules] = pydantic.Field(
        default_factory=dict,
        description="Rules by the name of a tool; `*`: of any other.",
    )


class ToolArguments(Guard):
    """Smuggled commands, SQL, paths and addresses in the arguments of calls, whatever made the model write them.
    Arguments of a stream are held back until they are over."""

    Settings = ToolArgumentsSettings
    sides = frozenset({"reply"})
    hold = 4096

    def __init__(self, settings: ToolArgumentsSettings) -> None:
        self._rules: Mapping[str, ToolRules] = settings.tools
        self._other = settings.tools.get(EVERY, ToolRules())

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        found = []
        for index, passage in enumerate(passages):
            if passage.part == "tool_argument":
                rules = self._rules.get(passage.tool, self._other)
                for start, end, kind, reason in _wrong(passage.text, rules):
                    if kind not in rules.allow:
                        found.append(Finding(index, start, end, kind, 1.0, reason))
        return found


def _wrong(text: str, rules: ToolRules) -> Iterator[tuple[int, int, Kind, str]]:
    for match in COMMAND.finditer(text):
        yield *match.span(), "command", "a command of a shell"
    for match in SQL.finditer(text):
        yield *match.span(), "sql", "a statement of SQL"
    urls = list(URL.finditer(text))
    for match in urls:
        if not _address_allowed(match[0], rules.hosts):
            yield *match.span(), "address", "an address that is not allowed"
    for match in PATH.finditer(text):
        inside = any(url.start() <= match.start() < url.end() for url in urls)
        if not inside and not _path_allowed(match[0], rules.paths):
            yield *match.span(), "path", "a path that is not allowed"


def _address_allowed(text: str, hosts: Sequence[str] | None) -> bool:
    try:
        url = urlsplit(text.replace("\\", "/"))
        host = (url.hostname or "").rstrip(".")
    except ValueError:
        return False
    if url.scheme.lower() in HARMFUL:
        return False
    if hosts is not None:
        return any(host == each.lower() or (each[:2] == "*." and host.endswith(each[1:].lower())) for each in hosts)
    return not _inside(host)


def _inside(host: str) -> bool:
    """Whether it is of this machine, its network, or a cloud's metadata."""
    if host in ("localhost", "metadata", "metadata.google.internal") or host.endswith(
        (".localhost", ".internal", ".local")
    ):
        return True
    try:  # 2130706433 and 0x7f000001 are addresses to most programs
        address = ipaddress.ip_address(int(host, 0) if host.isalnum() and host[:1].isdigit() else host)
    except ValueError:
        return False
    return not address.is_global


def _path_allowed(text: str, paths: Sequence[str] | None) -> bool:
    path = unquote(text).replace("\\", "/")
    if paths is None:
        return not SENSITIVE.search(path)
    whole = posixpath.normpath(path)
    return any(whole == each.rstrip("/") or whole.startswith(each.rstrip("/") + "/") for each in paths)
