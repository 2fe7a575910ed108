"""Put the system prompt of whose the key is before every conversation."""

from __future__ import annotations

from headgate.core.caller import Instructions
from headgate.core.chat import SYSTEM, ChatRequest, instructed
from headgate.core.errors import InvalidRequest, OperationForbidden
from headgate.core.estimate import BYTES_PER_TOKEN
from headgate.core.exchange import Exchange
from headgate.core.reply import Reply
from headgate.stages.stage import Proceed

CONVERSATIONS = frozenset({"chat", "count_tokens"})


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
        return await proceed(exchange)


def _instruct(exchange: Exchange, instructions: Instructions) -> None:
    """Raises InvalidRequest where the client has a system prompt of its own and may not."""
    request: ChatRequest = exchange.request
    if instructions.alone and any(message.role in SYSTEM for message in request.messages):
        raise InvalidRequest(
            f"{instructions.whose[0]} says the system prompt of all its requests, and lets no other follow: leave out "
            "system and developer messages",
            param="messages",
        )
    exchange.add_tokens(len(instructions.text.encode()) // BYTES_PER_TOKEN)
    request.messages = instructed(request.messages, instructions.text)
    exchange.edited = True
    exchange.record.instructed = list(instructions.whose)
