"""What a rule may ask about: a request's variables, each worked out when the first rule asks for it.

A method of `Subject` is a variable: its name, its type, and its description in the reference.
"""

from __future__ import annotations

import inspect
import re
import time
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Any, NamedTuple

from headgate.catalog import prompts, tokens
from headgate.core import chat
from headgate.core.caller import NOBODYS, Belongs
from headgate.core.errors import GatewayError
from headgate.core.exchange import Exchange
from headgate.core.kept import Classes
from headgate.stages.rules.complexity import COMPLEX, score
from headgate.stages.rules.expression import DAYS, Undecided
from headgate.stages.rules.knowledge import bodies, in_fields, in_path
from headgate.stages.rules.language import language

NO_CLASSES = Classes({})
ROUTED = "data_class"
"""The variable that may be another once it is known which name is asked."""
LONGEST = 100_000
"""Characters of a text that are looked at: half of them at its beginning, half at its end."""
CREDENTIAL = re.compile(rb"auth|cookie|key|secret|token|password|signature|credential")
"""What a header's name holds that may carry one."""


@dataclass(slots=True, frozen=True)
class Settings:
    """What the configuration says for all rules. `clock` gives Unix seconds."""

    zone: tzinfo = UTC
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    classes: Classes = NO_CLASSES


class Subject:
    """One request, as it was asked by the name `model`."""

    def __init__(self, exchange: Exchange, model: str, settings: Settings, *, strict: bool = False) -> None:
        """`strict`: what cannot be read is Undecided; else it has the values of an empty request."""
        self._exchange = exchange
        self._model = model
        self._settings = settings
        self._strict = strict
        self._found: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """A variable's value."""
        if name == ROUTED:
            return self.data_class()
        if name not in self._found:
            self._found[name] = getattr(self, name)()
        return self._found[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """What somebody else found out."""
        self._found[name] = value

    def __contains__(self, name: str) -> bool:
        """Whether its value is there already."""
        return name in self._found

    def key(self) -> str:
        """The name of the caller's key."""
        caller = self._exchange.caller
        return caller.key if caller is not None else ""

    def tags(self) -> list[str]:
        """`x-headgate-tags: batch, nightly`, and `metadata.tags` of the body."""
        return list(self._exchange.tags)

    def priority(self) -> str:
        """`low`, `normal` or `high`, by the header `x-headgate-priority`, a tag `priority:low` or
        `metadata.priority`."""
        return self._exchange.priority

    def metadata(self) -> dict[str, str]:
        """The body's `metadata` (Google's `labels`), and over it the JSON object in the header
        `x-headgate-metadata`."""
        return dict(self._exchange.labels.metadata)

    def headers(self) -> dict[str, str]:
        """The request's headers, their names in lower case, without those that may hold a credential."""
        headers = self._exchange.headers
        return {
            name.decode("latin-1"): value.decode("utf-8", "replace")
            for name, value in headers
            if not CREDENTIAL.search(name)
        }

    def organisation(self) -> str:
        """The organisation whose the key is."""
        return self._belongs.organisation or ""

    def team(self) -> str:
        """The team whose the key is."""
        return self._belongs.team or ""

    def application(self) -> str:
        """The application whose the key is."""
        return self._belongs.application or ""

    def person(self) -> str:
        """The user of the configuration whose the key is."""
        return self._belongs.user or ""

    def user(self) -> str:
        """The caller's own user, as the request says it (`x-headgate-user`, `user`, `safety_identifier`,
        `metadata.user_id`)."""
        return _clean(self._exchange.end_user)

    def model(self) -> str:
        """The model that is asked for, without an effort behind it."""
        return _clean(self._model)

    def dialect(self) -> str:
        """The API the client speaks (`openai_chat`, `anthropic_messages` …)."""
        return self._exchange.dialect.name

    def operation(self) -> str:
        """What is asked for: `chat`, `embeddings`, `images`, `speech`, `transcription`, `moderation`, `rerank`,
        `count_tokens`."""
        return self._exchange.dialect.operation

    def stream(self) -> bool:
        """Whether the answer is wanted as a stream."""
        return self._exchange.stream

    def data_class(self) -> str:
        """The class of what is said: the key's or the name's, else as `x-headgate-data-class` says; "" where nobody
        says it."""
        return self._settings.classes.of(self._exchange) or ""

    def findings(self) -> list[str]:
        """The categories of what [guards](../how-to/guard.md) found in the request: `email`, `injection` …"""
        return list(dict.fromkeys(each.category for each in self._exchange.record.guards if each.side == "request"))

    def knowledge(self) -> list[str]:
        """The knowledge bases that the request names: ids of vector stores, indexes, corpora, libraries, connectors;
        of what is forwarded unread also by its path."""
        exchange = self._exchange
        place, data = exchange.place, getattr(exchange.passing, "data", b"")
        try:
            said = bodies(data) if data else [exchange.fields]  # of one that is forwarded, where a stage has read it
        except GatewayError as error:
            raise Undecided(error.message) from None
        named = (name for fields in said for name in in_fields(fields))
        return list(dict.fromkeys((*named, *in_path(place.rest if place is not None else b""))))

    def hour(self) -> int:
        """0 to 23, in `time_zone`."""
        return self._now.hour

    def minute(self) -> int:
        """0 to 59."""
        return self._now.minute

    def weekday(self) -> str:
        """`monday` … `sunday`."""
        return DAYS[self._now.weekday()]

    def tokens(self) -> int:
        """About how many tokens the prompt has, tools and pictures included."""
        request = self._request
        if isinstance(request, chat.ChatRequest) and request.messages:
            return prompts.count(request, "", []).tokens
        return self._exchange.tokens or tokens.estimate(self["text"])  # a form has no body that could be counted

    def max_tokens(self) -> int:
        """How many tokens the answer may have; 0 where the request does not say."""
        return min(max(getattr(self._request, "max_tokens", None) or 0, 0), 2**53)

    def turns(self) -> int:
        """How often the user has spoken."""
        return sum(1 for message in self._messages() if message.role == "user" and not _answers_a_tool(message))

    def tools(self) -> int:
        """How many tools the model may call."""
        return len(getattr(self._request, "tools", ()))

    def images(self) -> int:
        """How many pictures are in the request."""
        request = self._request
        if isinstance(request, chat.ChatRequest):
            return self._count(chat.Image)
        inputs = (part for each in getattr(request, "inputs", ()) for part in _pieces(each))
        return len(getattr(request, "images", ())) + sum(isinstance(part, chat.Image) for part in inputs)

    def documents(self) -> int:
        """How many documents."""
        return self._count(chat.Document)

    def audio(self) -> int:
        """How many recordings."""
        return self._count(chat.Audio)

    def videos(self) -> int:
        """How many videos."""
        return self._count(chat.Video)

    def json(self) -> bool:
        """Whether the answer has to be JSON."""
        wanted = getattr(self._request, "format", None)
        return isinstance(wanted, chat.ResponseFormat) and wanted.kind != "text"

    def prompt(self) -> str:
        """What the user said last; of other operations than chat the prompt, query or input."""
        spoken = (_text(message) for message in reversed(self._messages()) if message.role == "user")
        return _clean(next(filter(None, spoken), "") or self._input())

    def system(self) -> str:
        """The system prompt."""
        return _clean("\n".join(filter(None, map(_text, self._by("system", "developer")))))

    def text(self) -> str:
        """All that the user said."""
        return _clean("\n".join(filter(None, map(_text, self._by("user")))) or self._input())

    def language(self) -> str:
        """Of what the user said last, by ISO 639-1: `en`, `de`, `zh` …; "" where it cannot be told."""
        return language(self["prompt"])

    def complexity(self) -> str:
        """`simple` or `complex`: how much thinking the prompt asks for, as far as that can be seen."""
        return "complex" if self["complexity_score"] >= COMPLEX else "simple"

    def complexity_score(self) -> float:
        """The same as a number between 0.0 and 1.0; from 0.5 on it is complex."""
        return score(self["prompt"], self["turns"], self["tools"])

    def topic(self) -> str:
        """Of those in `matching.topics` the one that what the user said last is most like; "" where it is like none,
        or that cannot be told."""
        return ""

    def topic_score(self) -> float:
        """How like it is to the nearest example of any topic, up to 1.0; 0.0 where that cannot be told."""
        return 0.0

    @cached_property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._settings.clock(), self._settings.zone)

    @cached_property
    def _request(self) -> Any:
        """The typed reading; None where the request cannot be read, which is for others to tell."""
        try:
            return self._exchange.request
        except GatewayError as error:
            if self._strict:
                raise Undecided(error.message) from None
            self._exchange.decision.said.append("rules could not read the request")
            return None

    @property
    def _belongs(self) -> Belongs:
        caller = self._exchange.caller
        return caller.belongs if caller is not None else NOBODYS

    def _messages(self) -> Sequence[chat.Message]:
        request = self._request
        return request.messages if isinstance(request, chat.ChatRequest) else ()

    def _by(self, *roles: str) -> Iterator[chat.Message]:
        return (message for message in self._messages() if message.role in roles)

    def _count(self, kind: type[chat.Part]) -> int:
        return sum(isinstance(part, kind) for message in self._messages() for part in _parts(message.parts))

    def _input(self) -> str:
        """What is said in a request that is no conversation."""
        request = self._request
        said = [getattr(request, name, None) for name in ("text", "prompt", "query", "input")]
        for each in getattr(request, "inputs", ()):
            said += [each, *(part.text for part in _pieces(each) if isinstance(part, chat.Text))]
        several = self._exchange.fields.get("prompt")  # of the Completions API, which the typed reading leaves alone
        said += several if isinstance(several, list) else []
        return "\n".join(text for text in said if isinstance(text, str) and text)


class Variable(NamedTuple):
    kind: Any
    about: str


def variables(of: type = Subject) -> dict[str, Variable]:
    """What there is, by name."""
    return {
        name: Variable(typing.get_type_hints(method)["return"], inspect.getdoc(method) or "")
        for name, method in vars(of).items()
        if not name.startswith("_")
    }


def _text(message: chat.Message) -> str:
    return "\n".join(filter(None, map(_said, message.parts)))


def _said(part: chat.Part) -> str:
    """Also of a part that only some hosts know (vLLM's `input_text` in a conversation)."""
    if isinstance(part, chat.NativePart):
        text = part.value.get("text") if isinstance(part.value, dict) else None
        return text if isinstance(text, str) else ""
    return part.text if isinstance(part, chat.Text) else ""


def _parts(parts: Sequence[chat.Part]) -> Iterator[chat.Part]:
    for part in parts:
        yield part
        if isinstance(part, chat.ToolResult):
            yield from part.parts


def _pieces(given: Any) -> Sequence[chat.Part]:
    """Of one of several inputs, where it is not a text alone."""
    return given if isinstance(given, list) else getattr(given, "parts", ())


def _answers_a_tool(message: chat.Message) -> bool:
    return bool(message.parts) and all(isinstance(part, chat.ToolResult) for part in message.parts)


def _clean(text: str) -> str:
    """Not too long, and without what is no character (a form may hold it)."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
