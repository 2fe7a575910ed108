"""Put the system prompt of whose the key is before every conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headgate.core.caller import Instructions
from headgate.core.chat import SYSTEM, ChatRequest, instructed
from headgate.core.errors import InvalidRequest, OperationForbidden
from headgate.core.estimate import BYTES_PER_TOKEN
from headgate.core.events import Event, Stop
from headgate.core.exchange import Exchange
from headgate.core.printable import printable
from headgate.core.reply import Reply
from headgate.stages.stage import Proceed

CONVERSATIONS = frozenset({"chat", "count_tokens"})
DISPLACING = frozenset(
    {
        "template", "raw", "suffix",  # https://docs.ollama.com/api/generate
        "chattemplate", "promptembeds", "prompttokenids",  # https://docs.vllm.ai/en/latest/serving/openai_compatible_server/
        "inputids", "inputembeds",  # https://docs.sglang.ai/basic_usage/sampling_params.html
        "system", "systemprompt", "systeminstruction", "instructions", "preamble",
        "messages", "chathistory", "prompt", "input", "contents",
    }
)  # fmt: skip
"""Fields, in small letters and without `_`, by which some host leaves a system prompt out or takes another, or another
conversation, where they are not the API's own."""
REPEATING = frozenset(
    {
        "echo", "echolast", "rawoutput",  # https://docs.fireworks.ai/api-reference/post-chatcompletions
        "promptlogprobs", "returntokenids", "enableresponsemessages",  # vLLM
        "returnprompttokenids",  # SGLang
        "debug",  # https://openrouter.ai/docs/api/reference/errors-and-debugging
        "debugrenderonly",  # Ollama, https://github.com/ollama/ollama/blob/main/api/types.go
    }
)  # fmt: skip
"""The same, by which some host says in its reply what it was sent."""
HANDED_ON = frozenset({"additionalmodelrequestfields", "extrabody"})
"""Objects of more fields for the model's own API, or for a proxy's host."""
STORED = frozenset({"cachedcontent", "prompt"})
"""Fields that name what a vendor keeps, with a system prompt in it."""


class Instruct:
    """Behind all that reads what the client says, as what is put there is not the client's."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        caller = exchange.caller
        instructions = caller.instructions if caller is not None else None
        if instructions is not None:
            if exchange.dialect.operation == "opaque":
                raise OperationForbidden(
                    f"what is forwarded unread cannot be given the system prompt of {instructions.whose[0]}: ask at a "
                    "path that the gateway reads (docs/reference/api.md)"
                )
            if exchange.dialect.operation in CONVERSATIONS:
                _instruct(exchange, instructions)
        reply = await proceed(exchange)
        if instructions is not None and reply.dialect.name == "ollama_generate":
            reply.filters = [*reply.filters, _without_context]
        return reply


async def _without_context(events: list[Event]) -> list[Event]:
    """Ollama's generate ends with the tokens of what it was asked, to go on from: https://docs.ollama.com/api/generate."""
    for event in events:
        if isinstance(event, Stop):
            event.native.pop("context", None)
    return events


def _instruct(exchange: Exchange, instructions: Instructions) -> None:
    """Raises InvalidRequest where the client has a system prompt of its own and may not, or would displace this one."""
    request: ChatRequest = exchange.request
    whose = instructions.whose[0]
    if exchange.dialect.operation == "chat":
        _refuse_displacing(request, whose)
        _refuse_repeating(exchange.fields, whose)
    if instructions.alone:
        _refuse_others(exchange.fields, request, whose)
    exchange.add_tokens(len(instructions.text.encode()) // BYTES_PER_TOKEN)
    request.messages = instructed(request.messages, instructions.text)
    exchange.edited = True
    exchange.record.instructed = list(instructions.whose)


def _refuse_displacing(request: ChatRequest, whose: str) -> None:
    """Raises InvalidRequest."""
    name = next(_named(request.native, DISPLACING), None)
    if name is not None:
        raise InvalidRequest(f"{whose} says the system prompt, and `{name}` may displace it: leave it out", param=name)


def _refuse_repeating(fields: Mapping[str, Any], whose: str) -> None:
    """Raises InvalidRequest."""
    name = next(_named(fields, REPEATING), None)
    if name is not None:
        raise InvalidRequest(
            f"{whose} says the system prompt, and `{name}` may have it repeated: leave it out", param=name
        )


def _refuse_others(fields: Mapping[str, Any], request: ChatRequest, whose: str) -> None:
    """Raises InvalidRequest."""
    only = f"{whose} says the system prompt of all its requests, and lets no other follow: leave out"
    if any(message.role in SYSTEM for message in request.messages):
        raise InvalidRequest(f"{only} system and developer messages", param="messages")
    for name, value in fields.items():
        if _plain(name) in STORED and (isinstance(value, dict) or (value and _plain(name) != "prompt")):
            raise InvalidRequest(f"{only} `{name}`, which may hold one", param=name)


def _named(said: Mapping[str, Any], names: frozenset[str]) -> Iterator[str]:
    """What has one of these names and is not off, also in what is handed on; 0 may be a number of scores."""
    for name, value in said.items():
        if (value or type(value) is int) and _plain(name) in names:
            yield printable(name)
        elif _plain(name) in HANDED_ON and isinstance(value, dict):
            yield from (f"{name}.{each}" for each in _named(value, names))


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
