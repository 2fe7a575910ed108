"""Look at a stream as it comes: of each text in it as much is held back as may still become part of a finding.

Frames leave in their order and as they came, but for the texts in them that are changed. A text is what comes piece by
piece in one place: the answer, a thought, the arguments of one call.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.core.guard import Part, Passage
from headgate.stages.guard.changing import Edit, apart, edited
from headgate.stages.guard.framing import Cut, Frame, Message
from headgate.stages.guard.judging import Bound, Looking
from headgate.stages.guard.passages import (
    DATA,
    ENCODED,
    JSON_TEXT,
    WIRE,
    WORD,
    arguments,
    changed,
    escaped,
    passages,
    unscored,
)
from headgate.stages.guard.policy import Policy

Name = tuple[Any, ...]
"""Of a text that comes in pieces: where it stands, the same in all frames that bring some of it."""
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

STEP = 32
"""Characters that come before it is looked again."""
LEAST = 32
"""Characters before what is looked at that are kept, to see what it follows on."""
MOST = 65_536
"""Characters that one text holds back, whatever guards say."""
DONE = b"[DONE]"
ENDS = frozenset({"finish_reason", "finishReason", "done_reason", "stopReason", "stop_reason"})
PADDING = frozenset({"p", "obfuscation"})
"""Fields that hold letters drawn by chance, so that nobody sees from outside how long a text is."""
ONCE = WIRE | PADDING | {"id", "model", "name", "item_id", "responseId", "modelVersion", "tool_call_id"}
"""Fields whose text does not come in pieces."""
SAYS_NOTHING = WIRE | PADDING
"""Those whose text is looked at only where it does not look like a word of the API."""
WHOLE = frozenset({"args", "arguments", "input"})
"""Arguments of a call that come as an object are there at once."""
BEGINNING = 16
"""Characters that tell whether a text is JSON."""
PLACES = ("index", "output_index", "content_index", "summary_index", "contentBlockIndex")
ARGUMENTS = ("arguments", "partial_json", "input", "partialArgs")
THOUGHTS = ("reasoning", "thinking", "thought")
_LATER = r"[dD][89abAB][0-9a-fA-F]{2}"
"""The first half of a letter that takes two."""
_ESCAPE = re.compile(rf'\\(?:u({_LATER}\\u[dD][c-fC-F][0-9a-fA-F]{{2}}|[0-9a-fA-F]{{4}})|(["\\/bfnrt]))')
_CUT = re.compile(rf"\\(?:u(?:[0-9a-fA-F]{{0,3}}|{_LATER}(?:\\(?:u[0-9a-fA-F]{{0,3}})?)?))?\Z")
NUMBER = re.compile(r"-?\d[\d.eE+-]*")
BARE = re.compile(r'(?<!\\)"\s*:[\s\[\d,.eE+-]*\Z')
"""What stands before a value of JSON: behind a quote that begins a text there is no colon."""
_SIGNS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Held:
    """A frame that waits until its texts are clear, and those before it."""

    __slots__ = ("changed", "frame", "pending", "value")

    def __init__(self, frame: Frame | Message, value: Any) -> None:
        self.frame = frame
        self.value = value
        self.pending = 0
        self.changed = False

    @property
    def data(self) -> bytes:
        return self.frame.saying(_encode(unscored(self.value))) if self.changed else self.frame.raw


class Piece:
    """What a frame brings of a text, from `start` to `end` of it."""

    __slots__ = ("end", "field", "held", "holder", "start")

    def __init__(self, held: Held, holder: dict[str, Any], field: str, start: int, end: int) -> None:
        self.held = held
        self.holder = holder
        self.field = field
        self.start = start
        self.end = end


class Channel:
    """One text, of which the end is here."""

    __slots__ = ("base", "cleared", "edits", "escaped", "json", "looked", "part", "path", "pieces", "text", "tool")

    def __init__(self, name: Name) -> None:
        words = [step for step in name if isinstance(step, str)]
        said = any(word in step for step in words for word in ARGUMENTS)
        self.path = name[1:]
        last = words[-2:] if words[-1:] == ["delta"] else words[-1:]  # that by itself is told by the `type` before it
        plain = "custom" in words[-2] if len(words) > 1 else False  # what such tools are given is no JSON
        self.escaped = said and not plain and any(word in step for step in last for word in ARGUMENTS)
        self.part: Part = "tool_argument" if said else "text"
        if any(word in step for step in words for word in THOUGHTS):
            self.part = "thinking"
        self.tool = ""
        """Of arguments: whose they are, where that was said before."""
        self.json = False
        """It reads like JSON."""
        self.text = ""
        self.base = 0
        """Where in the whole text it begins."""
        self.cleared = self.looked = 0
        """Up to where in the whole text."""
        self.edits: list[Edit] = []
        self.pieces: deque[Piece] = deque()

    @property
    def end(self) -> int:
        return self.base + len(self.text)

    def add(self, held: Held, holder: dict[str, Any], field: str) -> None:
        start, text = self.end, holder[field]
        self.text += text
        if start < BEGINNING and not self.base:
            self.json = JSON_TEXT.match(self.text) is not None
        self.pieces.append(Piece(held, holder, field, start, start + len(text)))
        held.pending += 1

    def clear(self, up_to: int, context: int) -> None:
        """Let go of the pieces that end there."""
        self.cleared = max(self.cleared, up_to)
        edits = apart(self.edits) if self.edits else self.edits
        while self.pieces and self.pieces[0].end <= self.cleared:
            piece = self.pieces.popleft()
            piece.held.pending -= 1
            mine = [edit for edit in edits if edit[0] < piece.end and edit[1] > piece.start]
            if mine:
                piece.holder[piece.field] = _cut_out(piece.holder[piece.field], piece.start, mine)
                piece.held.changed = True
            edits = [edit for edit in edits if edit[1] > piece.end]
        self.edits = edits
        spare = self.cleared - context - self.base
        if spare > 0:
            self.text, self.base = self.text[spare:], self.base + spare


def _cut_out(text: str, start: int, edits: Sequence[Edit]) -> str:
    """A piece that begins at `start`; what stands instead is in the piece where the finding begins."""
    mine = [(max(begin - start, 0), end - start, instead if begin >= start else "") for begin, end, instead in edits]
    return edited(text, mine)


class Window:
    """One stream's."""

    def __init__(self, judge: Looking, policies: Sequence[Policy], cut: Cut) -> None:
        self.judge = judge
        self.policies = policies
        self.cut = cut
        self.whole = any(policy.guard.hold is None for policy in policies)
        """Nothing is given before its end, or before it is more than is looked at."""
        self.most = min(policy.largest for policy in policies)
        self.waiting = 0
        """Characters that nobody has looked at."""
        self.context = max([LEAST, *(policy.guard.hold or 0 for policy in policies)])
        self.held: deque[Held] = deque()
        self.channels: dict[Name, Channel] = {}
        self.tools: dict[Name, str] = {}
        """Of calls: the tool that is called, by how the names of all texts in the call begin."""
        self.seen: set[str] = set()
        """Texts that do not come in pieces and have been looked at; none that some tool is given."""

    async def feed(self, data: bytes) -> bytes:
        """Some of its bytes; gives the frames that may go. Raises Blocked, GuardUnavailable."""
        due = await self._fed(self.cut(data))
        if self.whole:
            if self.waiting <= self.most:
                return b""
            self.waiting, due = 0, dict.fromkeys(self.channels.values(), True)
        if due:
            await self._look(due)
        return self._going()

    async def end(self) -> bytes:
        """What is left, where nothing follows."""
        await self._fed(self.cut.rest())
        await self._look(dict.fromkeys(self.channels.values(), True))
        return self._going()

    async def _fed(self, frames: Sequence[Frame | Message]) -> dict[Channel, bool]:
        """Channels to be looked at, and whether they are at their end."""
        due: dict[Channel, bool] = {}
        for frame in frames:
            value = _read(frame.data)
            held = Held(frame, value)
            self.held.append(held)
            if value is not None:
                await self._take(held, due)
            elif isinstance(frame, Frame) and frame.data and frame.data != DONE:
                await self._take_words(held, frame)
        return due

    async def _take_words(self, held: Held, frame: Frame) -> None:
        """What is no JSON is a text."""
        text = frame.data.decode("utf-8", "replace")
        edits = await self.judge.look(self.policies, [Passage(text, "reply", "assistant")])
        if edits:
            held.frame = frame._replace(data=edited(text, edits[0]).encode())

    def _going(self) -> bytes:
        held = self.held
        if not held or held[0].pending:
            return b""
        going = []
        while held and not held[0].pending:
            going.append(held.popleft().data)
        return b"".join(going) if len(going) > 1 else going[0]

    async def _take(self, held: Held, due: dict[Channel, bool]) -> None:
        found = Reading(held.value)
        self.tools |= found.tools
        if self.tools and type(held.value) is dict:
            tool = self.tools.get(_base(held.value), "")
            for each in found.loose:
                each.tool = each.tool or tool
        loose = [each for each in found.loose if each.tool or each.text not in self.seen]
        if loose:
            edits = await self.judge.look(self.policies, loose)
            self.seen.update(
                each.text
                for place, each in enumerate(loose)
                if place not in edits and not each.tool and len(each.text) < 200
            )
            if edits:
                texts = {loose[place].path: edited(loose[place].text, each) for place, each in edits.items()}
                held.value, held.changed = changed(held.value, texts), True
                found = Reading(held.value)
        for name, holder, field in found.pieces:
            channel = self.channels.get(name)
            if channel is None:
                channel = self.channels[name] = Channel(name)
                if channel.part == "tool_argument":
                    channel.tool = self._tool(name)
                self._over(name[0], due, held)
            channel.add(held, holder, field)
            self.waiting += len(holder[field])
            if channel not in due and channel.end - channel.looked >= STEP:
                due[channel] = False
        for choice in found.over:
            self._over(choice, due)

    def _tool(self, name: Name) -> str:
        """The tool that a text with this name is an argument of; "" where nothing says it."""
        begins = (name[:end] for end in range(len(name), 0, -1))
        return next((self.tools[begin] for begin in begins if begin in self.tools), "")

    def _over(self, choice: Any, due: dict[Channel, bool], held: Held | None = None) -> None:
        """The texts of a choice (None: all) are at their end, as something else has begun; but for those of the frame
        that it begins in, which go side by side (an answer and its tokens)."""
        for name, channel in self.channels.items():
            if channel.pieces and channel.pieces[-1].held is not held and (choice is None or name[0] == choice):
                due[channel] = True

    async def _look(self, due: dict[Channel, bool]) -> None:
        channels = [channel for channel in due if channel.pieces]
        views = [View(channel) for channel in channels]
        texts = [
            Passage(view.text, "reply", "assistant", channel.part, channel.tool, channel.path)
            for view, channel in zip(views, channels, strict=True)
        ]
        bounds = [self._bound(view, channel, due[channel]) for view, channel in zip(views, channels, strict=True)]
        edits = await self.judge.look(self.policies, texts, bounds)
        for place, channel in enumerate(channels):
            view, bound = views[place], bounds[place]
            quoted = channel.escaped or (channel.json and self.judge.quoting)
            for start, end, instead in edits.get(place, ()):
                begin, said = max(view.at(start), channel.cleared), escaped(instead) if quoted else instead
                if channel.escaped and view.number(start, end):
                    said = f'"{said}"'
                channel.edits.append((begin, view.at(end), said))
            channel.looked = channel.end
            channel.clear(view.at(bound.clear), self.context)

    def _bound(self, view: View, channel: Channel, over: bool) -> Bound:
        """What of it has been drawn already, and up to where it is clear."""
        since, size = view.place(channel.cleared), len(view.text)
        if over or size - since > MOST:
            return Bound(since, size)
        until = size if not channel.escaped else size - len(_cut_short(view.text))
        for policy in self.policies:
            until = min(until, policy.guard.clear(view.text))
        return Bound(since, max(until, since))


class View:
    """A channel's text as it is meant: the arguments of a call stand there as JSON, with escapes."""

    __slots__ = ("_base", "_places", "_raw", "text")

    def __init__(self, channel: Channel) -> None:
        self._base = channel.base
        self._raw = channel.text
        self._places: list[int] | None = None
        self.text = channel.text
        if channel.escaped and "\\" in channel.text:
            self.text, self._places = _unescaped(channel.text)

    def at(self, place: int) -> int:
        """Where a character of the view stands in the whole text."""
        return self._base + (place if self._places is None else self._places[place])

    def number(self, start: int, end: int) -> bool:
        """Whether a number of JSON stands there, which is in no quotes."""
        if NUMBER.fullmatch(self.text, start, end) is None:
            return False
        at = self.at(start) - self._base
        return BARE.search(self._raw[max(at - LEAST, 0) : at]) is not None

    def place(self, at: int) -> int:
        """The other way round."""
        inner = at - self._base
        return inner if self._places is None else bisect_left(self._places, inner)


class Reading:
    """The texts of one frame."""

    __slots__ = ("loose", "over", "pieces", "tools")

    def __init__(self, value: Any) -> None:
        self.pieces: list[tuple[Name, dict[str, Any], str]] = []
        """Of a text that comes in pieces: its name, and where this one stands."""
        self.tools: dict[Name, str] = {}
        """Tools that calls begin with, by how names begin of what is in the call."""
        self.loose: list[Passage] = []
        """Those that are whole."""
        self.over: set[Any] = set()
        """Choices that are at their end; None: all."""
        if type(value) is not dict:
            self.loose = passages(value, "reply")
            return
        delta, kind = value.get("delta"), value.get("type")
        if delta is not None:
            name = _base(value)
            rest = {key: each for key, each in value.items() if key != "delta"}
            if type(delta) is str:
                self._piece((*name, kind, "delta"), value, "delta", delta)
            else:
                self._walk(delta, name, ("delta",))
            self._whole(rest)
        elif type(kind) is str:
            self.loose = passages(value, "reply")
            self._begun(value, [each.tool for each in self.loose if each.tool])
            if kind not in ("ping", "keepalive"):
                self.over.add(None)
        else:
            self._walk(value, (0,), ())
            self._begun(value, [*self.tools.values()])
            if not (self.pieces or "choices" in value or "candidates" in value):
                self.over.add(None)

    def _begun(self, value: dict[str, Any], tools: Sequence[str]) -> None:
        """What comes at this place later is of the tool that has been named here."""
        base = _base(value) if tools else ()
        if len(base) > 1:
            self.tools[base] = tools[0]

    def _whole(self, value: dict[str, Any]) -> None:
        self.loose += [each for each in passages(value, "reply") if each.path[-1] not in ONCE]

    def _piece(self, name: Name, holder: dict[str, Any], field: str, text: str) -> None:
        sound = field == "delta" and "audio" in str(name[-2]) and "transcript" not in name[-2]
        if text and not ((sound or field in DATA) and ENCODED.match(text)):
            self.pieces.append((name, holder, field))

    def _walk(self, value: dict[str, Any], name: Name, path: tuple[Any, ...]) -> None:
        if value.get("thought") is True:  # Gemini's parts tell only so what they are
            name = (*name, "thought")
        for key, each in value.items():
            kind = type(each)
            if kind is str:
                if key in ENDS and each:
                    self.over.add(name[0])
                if key not in ONCE:
                    self._piece((*name, key), value, key, each)
                elif not (key in SAYS_NOTHING and WORD.match(each)):
                    if key == "name":
                        self.tools[name] = each
                    self.loose.append(Passage(each, "reply", "assistant", "other", "", (*path, key)))
            elif kind is dict and key in WHOLE:
                self.loose += arguments(each, (*path, key), str(value.get("name") or ""))
            elif kind is dict:
                self._walk(each, (*name, key), (*path, key))
            elif kind is list:
                self._entries(each, name, path, key)

    def _entries(self, value: list[Any], name: Name, path: tuple[Any, ...], key: str) -> None:
        for place, each in enumerate(value):
            if type(each) is dict:
                index = each.get("index", place)
                if key in ("choices", "candidates"):
                    self._walk(each, (index, key), (*path, key, place))
                else:
                    self._walk(each, (*name, key, index), (*path, key, place))
            elif type(each) is str and each:
                self.loose.append(Passage(each, "reply", "assistant", "text", "", (*path, key, place)))


def _base(value: dict[str, Any]) -> Name:
    """How the names of texts begin that come where this frame says."""
    return (value.get("choice", 0), *[value[place] for place in PLACES if place in value])


def _read(data: bytes) -> Any:
    """The JSON of a frame; None where it is none."""
    if data[:1] not in (b"{", b"["):
        return None
    try:
        return _decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _unescaped(text: str) -> tuple[str, list[int]]:
    """What a piece of JSON means, and of each of its characters, and its end, the place in the piece."""
    parts: list[str] = []
    places: list[int] = []
    at = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        code, sign = match.groups()
        parts += (text[at:start], _letter(code) if code else _SIGNS.get(sign, sign))
        places += (*range(at, start), start)
        at = end
    parts.append(text[at:])
    places += range(at, len(text) + 1)
    return "".join(parts), places


def _letter(code: str) -> str:
    first = int(code[:4], 16)
    if len(code) > 4:
        return chr(0x10000 + ((first - 0xD800) << 10) + int(code[6:], 16) - 0xDC00)
    return chr(first) if not 0xD800 <= first < 0xE000 else "\ufffd"


def _cut_short(text: str) -> str:
    """An escape at the end that is not whole."""
    found = _CUT.search(text)
    return found[0] if found else ""
