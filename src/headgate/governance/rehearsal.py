"""Try policies out on a text, or on what was said in requests: what they would do, with nobody being asked."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf

import msgspec

from headgate.config.guards import GuardPolicy
from headgate.core.caller import Belongs, Caller
from headgate.core.effort import parted
from headgate.core.errors import GatewayError
from headgate.core.exchange import Exchange
from headgate.core.guard import Passage, Verdict
from headgate.core.kept import Classes
from headgate.core.labels import NOTHING
from headgate.core.record import Record
from headgate.dialects import openai_chat
from headgate.dialects.dialect import dialects
from headgate.records.payloads.payload import Content
from headgate.stages.guard import look
from headgate.stages.guard.changing import Hashes, edited
from headgate.stages.guard.judging import Judge
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.subject import Whole

NO_CLASSES = Classes({})


class Tried(msgspec.Struct, omit_defaults=True):
    """What became of a text."""

    verdicts: list[Verdict]
    text: str | None = None
    """As it would go on; None: it would not."""
    error: str | None = None
    """What the client would be told."""
    model: str | None = None
    """Which would be asked instead."""


def policies(said: Mapping[str, GuardPolicy]) -> list[Policy]:
    return [each.made(name) for name, each in said.items()]


async def on_text(
    wanted: Sequence[Policy], text: str, *, side: str = "request", role: str = "user", model: str = "", caller: Caller
) -> Tried:
    """What policies do with a text that somebody says, or is answered; those that depend on who is asked, too."""
    body = msgspec.json.encode({"model": model, "messages": [{"role": role, "content": text}]})
    record = Record(id="req_rehearsal", time=time.time(), dialect=openai_chat.name)
    exchange = _exchange(record, body, caller, model)
    judge = Judge(exchange, Hashes(secrets.token_bytes()))
    at = "before" if side == "request" else "after"
    meant = [each for each in wanted if at in each.at and each.concerns(exchange, NO_CLASSES)]
    try:
        if side == "request":
            await look(judge, meant)
            going = exchange.fields["messages"][0]["content"]
        else:
            edits = await judge.look(meant, [Passage(text, "reply", "assistant")])
            going = edited(text, edits.get(0, ()))
    except GatewayError as error:
        return Tried(record.guards, error=error.message)
    return Tried(record.guards, going, model=judge.route.use if judge.route is not None else None)


async def on_record(wanted: Sequence[Policy], record: Record, content: Content) -> list[Verdict]:
    """What policies would have found in what is kept of a request. None of them stops the others."""
    own = Record(id=record.id, time=record.time, dialect=record.dialect)
    belongs = Belongs(record.organisation, record.team, record.application, record.user)
    caller = Caller(record.key or "", belongs=belongs, tags=tuple(record.tags), data_class=record.data_class)
    exchange = _exchange(own, b"", caller, record.model or "")
    exchange._labels = NOTHING._replace(user=record.end_user or "")
    judge = Judge(exchange, Hashes(secrets.token_bytes()))
    for at, said in (("before", content.request), ("after", content.answer)):
        meant = [replace(each, enforced=False) for each in wanted if at in each.at]
        meant = [each for each in meant if each.concerns(exchange, NO_CLASSES)]
        if said and meant:
            whole = Whole(said.encode("utf-8", "replace"), b"", "request" if at == "before" else "reply")
            await judge.look(meant, whole.passages)
    return own.guards


def _exchange(record: Record, body: bytes, caller: Caller, model: str) -> Exchange:
    known = {each.name: each for each in dialects()}
    dialect = known.get(record.dialect or "", openai_chat)
    exchange = Exchange(record.id, dialect, "", [], _nothing, 0.0, record, until=inf)
    exchange.caller, exchange.body, exchange.model = caller, body, parted(model)[0]
    exchange.fields = msgspec.json.decode(body) if body else {}
    return exchange


async def _nothing() -> bytes:
    return b""


class Summary(msgspec.Struct):
    """What policies would have done with many requests."""

    requests: int = 0
    """That were looked at."""
    found: dict[str, dict[str, list[str]]] = {}
    """By policy, and `category: action`: the ids of the requests."""

    def add(self, id: str, verdicts: Sequence[Verdict]) -> None:
        self.requests += 1
        for policy, what in {(each.policy, f"{each.category}: {each.action}"): None for each in verdicts}:
            self.found.setdefault(policy, {}).setdefault(what, []).append(id)

    def lines(self, most: int = 3) -> Iterator[str]:
        """In words; of each at most so many ids."""
        yield f"{self.requests} requests looked at"
        for policy, kinds in self.found.items():
            for what, ids in sorted(kinds.items(), key=lambda each: -len(each[1])):
                more = " …" if len(ids) > most else ""
                yield f"{policy}: {what} in {len(ids)} ({', '.join(ids[:most])}{more})"
