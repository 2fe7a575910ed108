"""Leave out the targets whose model is known not to serve what is asked; refuse where none is left.

A limit on the answer is no reason to refuse where the request is said anew in another dialect: such a target is noted
in `exchange.ceilings`, tried after those that can, and asked for as much as its model gives. Clients (Claude Code) ask
for as much as a Claude gives whatever the model, and need little of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from headgate.catalog.entry import CONFIGURATION, Entry
from headgate.catalog.menu import Menu
from headgate.core import chat
from headgate.core.caller import Caller
from headgate.core.errors import Incapable, Unsupported
from headgate.core.estimate import CHOICES, LENGTH, OPTIONS, inside, numbers
from headgate.core.exchange import Ceiling, Exchange
from headgate.core.target import Shape, Target

REMEMBERED = 50_000
"""Models of which is kept what they cannot: more than configurations have, as clients may name any."""
TUPLES = 4000
"""Of targets. Each is held, and with it its standing: some five kilobytes for a name that a client has made up."""
OPERATIONS = ("chat", "embeddings", "images", "speech", "transcription", "moderation", "rerank")

# Where the dialects say a thing. A look there is cheap, and sees whether the typed reading is worth its while.
CONVERSATION = ("messages", "contents", "input")
TOOLS = ("tools", "toolConfig", "functions")
FORMAT = ("response_format", "text", "output_config", "output_format", "generationConfig", "format", "outputConfig")
PLAIN = frozenset({"text", "input_text", "output_text", "tool_use", "thinking", "redacted_thinking", "refusal"})
"""Types of parts that hold no picture, sound or file."""
SHORT = 40
"""Characters of a text that are looked at for a media type: `data:audio/wav;base64,…`."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something a model does not serve.

    `hint` is a cheap look: False means that the request does not hold it. It is given the exchange, and the words for
    what is not text in its conversation. `asked` is the certain look at the typed request, and says what it holds, ""
    for nothing. `able` is whether another model serves it. `fields` are where a request says it.
    """

    fields: Sequence[str]
    cannot: str
    hint: Callable[[Exchange, str], bool]
    asked: Callable[[Any], str]
    able: Callable[[Entry], bool]
    kind: Literal["", "output", "prompt"] = ""
    """Of a limit: on the answer's length, for which less may be asked instead, or on the prompt's."""
    limit: int = 0
    """Tokens."""


Known = dict[tuple[str, str, int], tuple[Shape | None, tuple[Doubt, ...]]]
"""What there is to doubt of models, by provider, model and shape."""


class Capability:
    """Targets of which nothing bad is known cost a dictionary hit."""

    def __init__(self, menu: Menu, remembered: int = REMEMBERED) -> None:
        self.menu = menu
        self.remembered = remembered
        self.tuples = TUPLES
        self._doubts: dict[str, Known] = {operation: {} for operation in OPERATIONS}
        self._of_any: dict[tuple[str, int], tuple[Sequence[Target], tuple[Doubt, ...]]] = {}

    def __call__(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        operation = exchange.dialect.operation
        known = self._doubts.get(operation)
        if known is not None:
            doubts = self._about(targets, known, operation)
            if doubts:
                words = beside_text(exchange.fields)
                if _first(doubts, exchange, words) is not None:
                    return self._able(exchange, targets, known, words)
        return targets

    def _about(self, targets: Sequence[Target], known: Known, operation: str) -> tuple[Doubt, ...]:
        """What there is to doubt of any of these targets; kept for tuples, as those of a name are always the same."""
        place = operation, id(targets)
        held = self._of_any.get(place)
        if held is not None and held[0] is targets:
            return held[1]
        found: dict[Doubt, None] = {}
        least: dict[str, Doubt] = {}
        for target in targets:
            for doubt in self._look_up(target, known, operation):
                if not doubt.limit:
                    found[doubt] = None
                elif doubt.kind not in least or doubt.limit < least[doubt.kind].limit:
                    least[doubt.kind] = doubt  # who asks for less than this asks for less than all others
        doubts = (*found, *least.values())
        if isinstance(targets, tuple):
            if len(self._of_any) >= self.tuples:
                self._of_any.clear()
            self._of_any[place] = targets, doubts
        return doubts

    def _able(
        self,
        exchange: Exchange,
        targets: Sequence[Target],
        known: Known,
        words: str,
    ) -> Sequence[Target]:
        """The targets that can. Raises Incapable."""
        refused: list[tuple[Target, Doubt]] = []
        left: list[Target] = []
        ceilings: dict[Target, Ceiling] = {}
        for target in targets:
            doubts = self._look_up(target, known, exchange.dialect.operation)
            doubt = _first(doubts, exchange, words)
            if doubt is not None and doubt.kind == "output" and _crosses(exchange, target):
                ceilings[target] = Ceiling(doubt.limit, _field_of(doubt, exchange.fields))
                doubt = _first([other for other in doubts if other is not doubt], exchange, words)
            if doubt is None:
                left.append(target)
            else:
                refused.append((target, doubt))
                exchange.decision.out.append((target, "capability", doubt.cannot))
        if not left:
            raise self._refusal(exchange, *refused[0])
        exchange.ceilings = ceilings
        return left

    def _refusal(self, exchange: Exchange, target: Target, doubt: Doubt) -> Incapable:
        field = _field_of(doubt, exchange.fields)
        names = self.menu.able(exchange.caller or Caller(""), doubt.able)
        others = f"; models that can: {', '.join(names)}" if names else ""
        what = f"`{field}`: {doubt.asked(exchange.request)}, but {target.name} {doubt.cannot}{others}"
        error = Incapable(what, param=field)
        error.too_long = doubt.kind == "prompt"
        return error

    def _look_up(self, target: Target, known: Known, operation: str) -> tuple[Doubt, ...]:
        shape = target.shape
        place = target.provider.name, target.model, id(shape)
        held = known.get(place)
        if held is not None and held[0] is shape:
            return held[1]
        if len(known) >= self.remembered:
            known.clear()
        shelf = self.menu.catalogue.shelves.get(target.provider.name)
        found: tuple[Doubt, ...] = ()
        if shelf is not None:
            found = doubts_of(shelf.find(target.model), operation, firm=shelf.firm, host=shelf.cannot)
        if shape is not None:
            # what the configuration takes out or sets itself is not the client's to be refused for
            ours = {*shape.set, *(name for path in shape.drop for name in path.split("."))}
            found = tuple(doubt for doubt in found if ours.isdisjoint(doubt.fields))
        known[place] = shape, found
        return found


def doubts_of(entry: Entry | None, operation: str, *, firm: frozenset[str], host: frozenset[str]) -> tuple[Doubt, ...]:
    """What is to be looked for in requests to a model. `firm` are the limits its data is sure of, `host` is what
    nobody gets from this provider."""
    entry = entry or Entry()
    serves = entry.ops.split()
    if serves and operation not in serves and "ops" not in entry.by.get("derived", "").split():
        return (_operation(serves, operation),)
    if operation != "chat":
        return ()
    cannot = {*host, *entry.cannot.split()}
    found = [doubt for word, doubt in ABILITIES.items() if word in cannot]
    sure = {*firm, *entry.by.get(CONFIGURATION, "").split()}
    if entry.max_output and "max_output" in sure:
        found.append(_output(entry.max_output))
    if entry.prompt_limit and sure & {"context", "max_input"}:
        found.append(_prompt(entry.prompt_limit))
    return tuple(found)


def _crosses(exchange: Exchange, target: Target) -> bool:
    """Whether the request is said anew for this target, in another dialect than the client's."""
    try:
        return target.provider.dialect_for(exchange.dialect, target.model) is not exchange.dialect
    except Unsupported:
        return False


def _field_of(doubt: Doubt, fields: Mapping[str, Any]) -> str:
    """Where the request says it, as a path."""
    inner = {name: place for place in OPTIONS for name in inside(fields, place)}
    field = next((name for name in doubt.fields if name in fields or name in inner), doubt.fields[0])
    return field if field in fields or field not in inner else f"{inner[field]}.{field}"


def _first(doubts: Sequence[Doubt], exchange: Exchange, words: str) -> Doubt | None:
    """The first that comes true."""
    for doubt in doubts:
        if (exchange.edited or doubt.hint(exchange, words)) and doubt.asked(exchange.request):
            return doubt
    return None


def beside_text(fields: Mapping[str, Any]) -> str:
    """The names, types and media types of what is not text in a conversation, in whatever dialect; "" mostly."""
    found: list[str] = []
    for name in CONVERSATION:
        turns = fields.get(name)
        if type(turns) is list:
            for turn in turns:
                if type(turn) is dict:
                    if "images" in turn:  # Ollama's
                        found.append("image")
                    content = turn.get("content") or turn.get("parts")
                    if type(content) is list:
                        _collect(content, found)
    return " ".join(found)


def _collect(value: Any, found: list[str], depth: int = 6) -> None:
    if type(value) is str:
        found.append(value[:SHORT])
    elif type(value) is list and depth > 0:
        for item in value:
            _collect(item, found, depth - 1)
    elif type(value) is dict and depth > 0:
        kind = value.get("type")
        if "text" in value or (type(kind) is str and kind in PLAIN):
            return
        for name, inner in value.items():
            found.append(name)
            _collect(inner, found, depth - 1)


def at_least(request: chat.ChatRequest) -> int:
    """Tokens that the prompt has by any tokenizer: a token does not reach over words, nor over more than a few letters
    of a script without spaces."""
    count = 0
    for part in _parts(request):
        if isinstance(part, chat.Text | chat.Thinking):
            unspaced = (len(part.text.encode("utf-8", "surrogatepass")) - len(part.text)) // 8
            count += max(len(part.text.split()), unspaced)
    return count


def _parts(request: chat.ChatRequest) -> Iterator[chat.Part]:
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, chat.ToolResult):
                yield from part.parts
            else:
                yield part


def _document(request: chat.ChatRequest) -> str:
    files = (
        isinstance(part, chat.Document) and not isinstance(part.source, chat.PlainText) for part in _parts(request)
    )
    return "there is a document in it" if any(files) else ""


def _tools(request: chat.ChatRequest) -> str:
    return "there are tools in it" if any(tool.builtin is None for tool in request.tools) else ""


def _schema(request: chat.ChatRequest) -> str:
    return "a JSON schema is asked for" if request.format is not None and request.format.kind == "schema" else ""


def _choices(request: chat.ChatRequest) -> str:
    return f"{request.n} answers are asked for" if (request.n or 1) > 1 else ""


def _field(names: Sequence[str]) -> Callable[[Exchange, str], bool]:
    wanted = frozenset(names)
    return lambda exchange, words: not wanted.isdisjoint(exchange.fields)


def _above(names: Sequence[str], limit: int) -> Callable[[Exchange, str], bool]:
    return lambda exchange, words: any(number > limit for number in numbers(exchange.fields, names))


def _chats(word: str) -> Callable[[Entry], bool]:
    """Whether a model is known to do this in a chat."""
    return lambda entry: entry.known_to(word) is True and "chat" in entry.ops.split()


def _medium(word: str, what: str, kind: type[chat.Part]) -> Doubt:
    def asked(request: chat.ChatRequest) -> str:
        return f"there is {what} in it" if any(isinstance(part, kind) for part in _parts(request)) else ""

    return Doubt(CONVERSATION, f"takes no {word}", lambda exchange, words: word in words, asked, _chats(word))


ABILITIES = {
    "image": _medium("image", "an image", chat.Image),
    "audio": _medium("audio", "audio", chat.Audio),
    "document": Doubt(
        CONVERSATION,
        "takes no document",
        lambda exchange, words: "pdf" in words or "document" in words or "file" in words,
        _document,
        _chats("document"),
    ),
    "tools": Doubt(TOOLS, "calls no tools", _field(TOOLS), _tools, _chats("tools")),
    "schema": Doubt(FORMAT, "does not keep to a schema", _field(FORMAT), _schema, _chats("schema")),
    "choices": Doubt(
        CHOICES,
        "gives one answer per request",
        _above(CHOICES, 1),
        _choices,
        lambda entry: False,  # nobody says of a model that it gives several
    ),
}
"""By the word for it in `cannot`."""


def _operation(serves: Sequence[str], wanted: str) -> Doubt:
    return Doubt(
        ("model",),
        f"is for {' and '.join(serves)}",
        lambda exchange, words: True,
        lambda request: f"this is a request for {wanted}",
        lambda entry: wanted in entry.ops.split(),
    )


@cache
def _output(limit: int) -> Doubt:
    def asked(request: chat.ChatRequest) -> str:
        wanted = request.max_tokens or 0
        return f"{wanted} tokens are asked for" if wanted > limit else ""

    def able(entry: Entry) -> bool:
        return (entry.max_output or 0) > limit and "chat" in entry.ops.split()

    return Doubt(LENGTH, f"writes {limit} at most", _above(LENGTH, limit), asked, able, "output", limit)


@cache
def _prompt(limit: int) -> Doubt:
    def asked(request: chat.ChatRequest) -> str:
        count = at_least(request)
        return f"it has {count} tokens at least" if count > limit else ""

    def able(entry: Entry) -> bool:
        return (entry.prompt_limit or 0) > limit and "chat" in entry.ops.split()

    def hint(exchange: Exchange, words: str) -> bool:  # a word is a letter and a space at least
        return len(exchange.body) > 2 * limit

    return Doubt(CONVERSATION, f"takes {limit}", hint, asked, able, "prompt", limit)
