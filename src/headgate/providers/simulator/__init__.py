"""A provider inside the gateway for trying things out: deterministic, free, and it says that it is simulated.

What it does is set in the configuration, or by a directive anywhere in the last user message:

    [sim delay=2 pace=0.05 status=529 retry_after=1 cut=4 tool=get_weather text="exactly this"]
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import msgspec
import pydantic

from headgate.core import audio, chat, events
from headgate.core.dialect import Dialect
from headgate.core.errors import InvalidRequest, ProviderCut, ProviderRefused, Unsupported
from headgate.core.exchange import Exchange
from headgate.core.ports import Upstream
from headgate.core.reply import Reply
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings
from headgate.providers.simulator import operations, sounds
from headgate.providers.simulator.operations import OPERATIONS

_DIRECTIVE = re.compile(r'\[sim((?:\s+\w+=(?:"[^"]*"|[^\s"\]]+))+)\s*\]')
_OPTION = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s"\]]+))')
_TOKEN = re.compile(r"\s*\S+\s*?|\s+", re.DOTALL)

DEEP, MANY, VALUES = 20, 10, 1000
"""How deep an invented value may be, of how many entries a list, and of how many values the whole."""
MOST_ANSWERS = 128
SIMULATED = ("chat", *sorted([*OPERATIONS, "speech", "transcription"]))


class Behaviour(pydantic.BaseModel, extra="forbid"):
    """What the simulator does with a request."""

    delay: float = pydantic.Field(0.0, ge=0, le=3600, description="Seconds before it begins to answer.")
    pace: float = pydantic.Field(0.0, ge=0, le=60, description="Seconds between two tokens of a stream.")
    text: str | None = pydantic.Field(None, description="Answer exactly this.")
    status: int | None = pydantic.Field(None, ge=400, le=599, description="Fail with this HTTP status.")
    retry_after: float | None = pydantic.Field(None, ge=0, description="Seconds, sent along with a failure.")
    cut: int | None = pydantic.Field(None, ge=0, description="Break a stream off after this many tokens.")
    tool: str | None = pydantic.Field(None, description="Call the offered tool of this name.")


class SimulatorSettings(ProviderSettings, Behaviour):
    """The settings of every provider have no effect here, but for the names they share."""


class Simulator(Provider):
    Settings = SimulatorSettings
    base_url = "simulator:"
    sample_model: ClassVar[str | None] = "sim"
    dialects: ClassVar[tuple[Dialect, ...]] = ()
    settings: SimulatorSettings

    def dialect_for(self, client: Dialect, model: str) -> Dialect:
        if client.operation not in SIMULATED:
            raise Unsupported(
                f"{self.name} does not simulate {client.operation}; there are {', '.join(SIMULATED)}", param="model"
            )
        return client

    async def send(self, exchange: Exchange, upstream: Upstream) -> Reply:
        request = exchange.request
        chats = isinstance(request, chat.ChatRequest)
        if chats and request.n is not None and not 1 <= request.n <= MOST_ANSWERS:
            raise InvalidRequest(f"`n` must be from 1 to {MOST_ANSWERS}", param="n")
        asked = _asked(request) if chats else operations.asked(request)
        behaviour = self._behaviour(asked)
        await self._behave(behaviour)
        model = exchange.target.model if exchange.target else request.model
        said: Iterable[events.Event]
        if chats:
            said = Answer(request, behaviour, _DIRECTIVE.sub("", asked).strip(), model)
        elif isinstance(request, audio.SpeechRequest):
            said = sounds.speech(request, model)
        elif isinstance(request, audio.TranscriptionRequest):
            said = sounds.transcript(request, model, behaviour.text)
        else:
            said = _result(exchange.dialect.operation, request, model)
        reply = self._reply(exchange, said, behaviour)
        if isinstance(request, audio.SpeechRequest) and not request.events and request.format != "pcm":
            reply.content_type = b"audio/wav"
        return reply

    def _reply(self, exchange: Exchange, said: Iterable[events.Event], behaviour: Behaviour) -> Reply:
        writer = exchange.dialect.writer(exchange.streamed, exchange.fields, [])
        headers = ((b"x-headgate-simulated", b"true"),)
        if not exchange.streamed:
            body = writer.feed(list(said)) + writer.end()
            return Reply(exchange.dialect, stream=False, body=body, headers=headers)
        frames = _frames(said, writer)
        return Reply(exchange.dialect, True, b"", SimulatedResponse(frames, behaviour), headers)

    async def _behave(self, behaviour: Behaviour) -> None:
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if behaviour.status is not None:
            raise ProviderRefused(
                f"simulated failure with status {behaviour.status}",
                status=behaviour.status,
                retry_after=behaviour.retry_after,
            )

    def _behaviour(self, asked: str) -> Behaviour:
        found = _DIRECTIVE.search(asked)
        given = {name: quoted or bare for name, quoted, bare in _OPTION.findall(found[1])} if found else {}
        configured = {name: getattr(self.settings, name) for name in Behaviour.model_fields}
        try:
            return Behaviour(**{**configured, **given})
        except pydantic.ValidationError as error:
            option = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
            field = Behaviour.model_fields.get(option)
            why = f"must fit: {field.description}" if field else f"there are {', '.join(Behaviour.model_fields)}"
            raise InvalidRequest(f"[sim …] in the last message: {option[:50]!r}: {why}") from None


class SimulatedResponse:
    """A stream as it would come from a provider, one token at a time."""

    status = 200

    def __init__(self, frames: Iterator[bytes], behaviour: Behaviour) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self._frames = frames
        self._behaviour = behaviour
        self._given = 0

    def header(self, name: bytes) -> bytes | None:
        return None

    async def read(self, limit: int) -> bytes:
        return b"".join(self._frames)

    async def chunk(self) -> bytes:
        if self._given and self._behaviour.pace:
            await asyncio.sleep(self._behaviour.pace)
        if self._given == self._behaviour.cut:
            raise ProviderCut("the simulated stream broke off, as it was told to")
        self._given += 1
        return next(self._frames, b"")

    def finish(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


class Answer:
    """The events of the answer to one request: the same request gets the same answer, but for its time."""

    def __init__(self, request: chat.ChatRequest, behaviour: Behaviour, asked: str, model: str) -> None:
        self.request = request
        self.model = model
        self.id = hashlib.sha256(f"{model}\0{asked}\0{len(request.messages)}".encode()).hexdigest()[:24]
        self.tool = _tool(request, behaviour, asked)
        self.stop: events.StopReason = "tool_use" if self.tool else "stop"
        self.sequence: str | None = None
        self.tokens = [] if self.tool else self._cut(self._text(behaviour, asked))

    def __iter__(self) -> Iterator[events.Event]:
        yield events.Start(id=self.id, model=f"simulated-{self.model}", created=int(time.time()))
        reasoning = self.request.reasoning
        thinks = reasoning is not None and reasoning.effort != "none" and reasoning.mode != "disabled"
        produced = 0
        for choice in range(self.request.n or 1):
            block = 0
            if thinks:
                yield events.Thinking(text="This is simulated reasoning.", choice=choice)
                block = 1
            for token in self.tokens:
                yield events.Text(text=token, choice=choice, block=block)
            produced += len(self.tokens)
            if self.tool:
                arguments = msgspec.json.encode(instance(self.tool.schema or {})).decode()
                call = f"call_{self.id}" if not choice else f"call_{self.id}_{choice}"
                yield events.ToolCall(id=call, name=self.tool.name, choice=choice, block=block)
                yield events.ToolInput(json=arguments, choice=choice, block=block)
                produced += len(arguments) // 4 + 1
        prompt = sum(len(part.text) // 4 + 1 for message in self.request.messages for part in _texts(message))
        yield events.Used(usage=Usage(input=prompt, output=produced, reasoning=5 if thinks else 0))
        for choice in range(self.request.n or 1):
            yield events.Stop(reason=self.stop, sequence=self.sequence, choice=choice)

    def _text(self, behaviour: Behaviour, asked: str) -> str:
        if behaviour.text is not None:
            return behaviour.text
        form = self.request.format
        if form is not None and form.kind == "schema":
            return msgspec.json.encode(instance(form.schema or {})).decode()
        if form is not None and form.kind == "json":
            return '{"simulated":true}'
        last = self.request.messages[-1] if self.request.messages else None
        for part in last.parts if last else []:
            if isinstance(part, chat.ToolResult):
                result = " ".join(piece.text for piece in part.parts if isinstance(piece, chat.Text))
                return f"This is a simulated answer; no model was asked. The tool said: {result[:200]}"
        return f"This is a simulated answer; no model was asked. You said: {asked[:200]}"

    def _cut(self, text: str) -> list[str]:
        """The text's tokens, up to the first stop sequence and `max_tokens`."""
        for sequence in self.request.stop:
            at = text.find(sequence) if sequence else -1
            if at >= 0:
                text, self.sequence, self.stop = text[:at], sequence, "stop_sequence"
        tokens = _TOKEN.findall(text)
        limit = self.request.max_tokens
        if limit is not None and len(tokens) > limit:
            self.stop, self.sequence = "length", None
            return tokens[:limit]
        return tokens


def _result(operation: Operation, request: Any, model: str) -> Iterator[events.Event]:
    """The events of the answer to anything but a chat."""
    value, usage = OPERATIONS[operation](request)
    seed = f"{operation}\0{model}\0{operations.asked(request)}".encode("utf-8", "surrogatepass")
    id = f"sim-{hashlib.sha256(seed).hexdigest()[:24]}"
    yield events.Start(id=id, model=f"simulated-{model}", created=int(time.time()))
    yield events.Result(value=value)
    yield events.Used(usage=usage)
    yield events.Stop(reason="stop")


def _frames(said: Iterable[events.Event], writer: Any) -> Iterator[bytes]:
    for event in said:
        data = writer.feed([event])
        if data:
            yield data
    tail = writer.end()
    if tail:
        yield tail


def _texts(message: chat.Message) -> Iterator[chat.Text]:
    return (part for part in message.parts if isinstance(part, chat.Text))


def _asked(request: chat.ChatRequest) -> str:
    for message in reversed(request.messages):
        if message.role == "user":
            text = "\n".join(part.text for part in _texts(message))
            if text:
                return text
    return ""


def _tool(request: chat.ChatRequest, behaviour: Behaviour, asked: str) -> chat.Tool | None:
    """The tool to call: the one told to, the one the request insists on, or one whose name stands in the question."""
    offered = {tool.name: tool for tool in request.tools if tool.builtin is None}
    if behaviour.tool is not None:
        return offered.get(behaviour.tool)
    choice = request.tool_choice
    if not offered or (choice is not None and choice.kind == "none"):
        return None
    if choice is not None and choice.kind == "tool":
        return offered.get(choice.name or "")
    last = request.messages[-1].parts if request.messages else ()
    if any(isinstance(part, chat.ToolResult) for part in last):
        return None
    if choice is not None and choice.kind == "required":
        return next(iter(offered.values()))
    return next((tool for name, tool in offered.items() if name in asked), None)


def instance(schema: dict[str, Any]) -> Any:
    """The simplest value that a JSON Schema of the usual kind allows; None for what is beyond `VALUES` or `DEEP`."""
    return _Inventor(schema).value(schema, 0)


class _Inventor:
    """Makes up values for one schema; what in it is no JSON Schema counts as not there."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.left = VALUES

    def value(self, schema: Any, depth: int) -> Any:
        self.left -= 1
        if not isinstance(schema, dict):
            return "simulated"
        if depth > DEEP or self.left < 0:
            return None
        if isinstance(schema.get("$ref"), str):
            return self.value(_referred(schema["$ref"], self.root), depth + 1)
        if "const" in schema:
            return schema["const"]
        for key in ("enum", "anyOf", "oneOf", "allOf"):
            choices = schema.get(key)
            if isinstance(choices, list) and choices:
                return choices[0] if key == "enum" else self.value(choices[0], depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else None)
        kind = kind[0] if isinstance(kind, list) and kind else kind
        if kind == "object":
            return self.object(schema, depth)
        if kind == "array":
            count = schema.get("minItems")
            count = min(count, MANY) if isinstance(count, int) else 0
            return [self.value(schema.get("items"), depth + 1) for _ in range(count)]
        if kind in ("integer", "number"):
            least = schema.get("minimum")
            return least if isinstance(least, int | float) else 0
        return {"boolean": True, "null": None}.get(str(kind), "simulated")

    def object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        known = schema.get("properties")
        known = known if isinstance(known, dict) else {}
        wanted = schema.get("required")
        names = [name for name in wanted if isinstance(name, str)] if isinstance(wanted, list) else list(known)
        return {name: self.value(known.get(name), depth + 1) for name in names}


def _referred(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    """What `#/$defs/Name` means; {} for what is not there."""
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
