"""With `k`, what is generalised is said of so many values of the tenant, in the order of the text or not."""

import re

from headgate.config.guards import GuardPolicy
from headgate.core.caller import Belongs, Caller
from headgate.core.exchange import Exchange
from headgate.core.guard import Finding, Passage
from headgate.core.record import Record
from headgate.core.standing import Board
from headgate.dialects import openai_chat
from headgate.stages.guard.changing import Hashes, edited
from headgate.stages.guard.judging import Bound, Judge
from headgate.stages.guards.guard import Guard, GuardSettings

ACME, GLOBEX = (Caller("a", belongs=Belongs(name)) for name in ("acme", "globex"))


class Dates(Guard):
    def look(self, passages, asked):
        for place, passage in enumerate(passages):
            for each in re.finditer(r"\d{4}-\d\d-\d\d?", passage.text):
                yield Finding(place, *each.span(), "birth_date")


async def nothing():
    return b""


def made(board, k=3, **more):
    said = GuardPolicy(use="dates", then="generalise", k=k, **more)
    said._guard = Dates(GuardSettings())
    return said.made("p", board)


async def left(policy, text, caller=ACME, side="request", bounds=None):
    record = Record(id="req_1", time=0.0)
    exchange = Exchange("req_1", openai_chat, "/v1/chat/completions", [], nothing, 0.0, record)
    exchange.caller = caller
    edits = await Judge(exchange, Hashes(b"x")).look([policy], [Passage(text, side)], bounds)
    return edited(text, edits.get(0, ()))


async def test_nothing_is_said_of_a_few():
    policy = made(Board())
    assert await left(policy, "1985-03-02") == "[BIRTH_DATE]"
    assert await left(policy, "1985-03-02 and 1985-3-2") == "[BIRTH_DATE] and 1985-3-2"
    assert await left(policy, "1986-07-01, 1987-07-01") == "1980-1989, 1980-1989"
    assert await left(policy, "1985-03-03, 1985-03-04") == "1985, 1985"
    assert await left(policy, "1991-01-01 1992-01-01 1993-01-01") == "1990-1999 1990-1999 1990-1999"
    assert await left(policy, "1985-03-02", GLOBEX) == "[BIRTH_DATE]"


async def test_a_changed_configuration_knows_what_was_seen_and_another_bound_does_not():
    board = Board()
    text = "1985-03-02, 1985-03-03, 1985-03-04"
    assert await left(made(board), text) == "1985, 1985, 1985"
    assert await left(made(board), "1985-03-02") == "1985"
    assert await left(made(board, 2), "1985-03-02") == "[BIRTH_DATE]"
    assert await left(made(Board()), "1985-03-02") == "[BIRTH_DATE]"


async def test_what_of_a_stream_is_not_over_counts_for_nothing():
    policy = made(Board(), 2)
    assert await left(policy, "1985-03-0", side="reply", bounds=[Bound(0, 5)]) == "1985-03-0"
    assert await left(policy, "1985-03-02", side="reply", bounds=[Bound(0, 10)]) == "[BIRTH_DATE]"


async def test_what_is_only_watched_counts_for_nothing():
    board = Board()
    assert await left(made(board, 2, mode="monitor"), "1985-03-02, 1985-03-03") == "1985-03-02, 1985-03-03"
    assert await left(made(board, 2), "1985-03-04") == "[BIRTH_DATE]"
