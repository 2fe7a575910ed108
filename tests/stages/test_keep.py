"""How much is kept: the strictest word of all who have one, and never more than that because of the request itself."""

import itertools

import pytest

from headgate.core.caller import Caller
from headgate.core.exchange import Exchange
from headgate.core.kept import RANK, Classes, strictest
from headgate.core.labels import DATA_CLASS
from headgate.core.record import Record
from headgate.dialects import openai_chat
from headgate.stages.keep import HEADER, Keep, Say
from together import together

LEVELS = (None, "off", "redacted", "full")


class Room:
    most = 100

    def __init__(self, *, there=True):
        self.there = there
        self.put_in = []

    def put(self, *given):
        self.put_in.append(given)
        return self.there


def exchange(*, keep=None, data_class=None, headers=(), alias=None):
    made = Exchange(
        "req_1", openai_chat, "/", headers, None, 0.0, Record(id="req_1", time=1.0), model="chat", body=b"{}"
    )
    made.caller = Caller("k", keep=keep, data_class=data_class)
    made.decision.alias = alias
    return made


def keep(usual="off", names=None, classes=None, room=None, own=None):
    return Keep(room or Room(), Say(usual, names or {}, classes or {}, False), Classes(own or {}))


def test_the_strictest_word_counts_and_silence_is_the_usual():
    for usual, key, name in itertools.product(LEVELS[1:], LEVELS, LEVELS):
        stage = keep(usual, {"chat": name} if name else {})
        assert stage.level(exchange(keep=key)) == (strictest(key, name) or usual)


def test_an_alias_that_a_rule_chose_has_a_word_too():
    stage = keep("full", {"other": "redacted"})
    assert stage.level(exchange()) == "full"
    assert stage.level(exchange(alias="other")) == "redacted"


@together(
    ("usual", "key", "said", "wanted"),
    [
        ("full", None, b"off", "off"),
        ("full", None, b" Redacted ", "redacted"),
        ("redacted", None, b"full", "redacted"),
        ("off", None, b"full", "off"),
        ("off", "full", b"none", "off"),
        ("full", "redacted", b"", "off"),
    ],
)
def test_a_request_may_ask_for_less(usual, key, said, wanted):
    assert keep(usual).level(exchange(keep=key, headers=[(HEADER, said)])) == wanted


def test_a_class_that_only_the_request_says_makes_it_less_and_never_more():
    classes = {"health": "off", "public": "full"}
    for usual, said in itertools.product(LEVELS[1:], classes):
        stage = keep(usual, classes=classes)
        level = stage.level(exchange(headers=[(DATA_CLASS, said.encode())]))
        assert level == strictest(usual, classes[said])
        assert stage.level(exchange(data_class=said)) == classes[said]
        own = keep(usual, classes=classes, own={"chat": said})
        assert own.level(exchange(headers=[(DATA_CLASS, b"other")])) == classes[said]
        assert RANK[level] <= RANK[usual]


async def test_what_nobody_keeps_is_not_even_heard():
    async def proceed(exchange):
        return exchange.heard

    for stage, key in ((keep("full"), "off"), (keep("off"), None)):
        assert await stage(exchange(keep=key), proceed) is None
    assert await keep("off")(exchange(keep="full"), proceed) is not None


async def test_what_there_is_no_room_for_is_told_in_the_record():
    for there, wanted in ((True, "redacted"), (False, "dropped")):
        room, made = Room(there=there), exchange(keep="redacted")

        async def proceed(exchange):
            exchange.heard.given(b"x" * 60)
            exchange.heard.given(b"y" * 60)
            exchange.body = b"z" * 101
            raise LookupError

        with pytest.raises(LookupError):
            await keep(room=room)(made, proceed)
        await made.ending.aclose()
        assert made.record.payload == wanted
        [(head, request, sent, answer)] = room.put_in
        assert (request, sent, b"".join(answer)) == (b"z" * 100, b"", b"x" * 60 + b"y" * 40)
        assert set(head.cut) == {"request", "answer"}
