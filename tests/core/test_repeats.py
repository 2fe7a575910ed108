"""What is known of a request that is asked again is its caller's alone, and goes with time and for want of room."""

import tracemalloc

import pytest

from headgate.core.caller import Caller
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.repeats import KEYS, LARGEST, SECONDS, Known, Repeats
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects.dialect import decode

ANN, BEN = Caller("ann"), Caller("ben")


def known(body=b'{"model":"m"}', caller=ANN, dialect=openai_chat):
    return Known(caller, dialect, body, {"model": "m"}, "m", None, False)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_it_is_found_by_the_same_caller_with_the_same_bytes_in_the_same_dialect():
    repeats, one = Repeats(), known()
    repeats.keep(one)
    assert repeats.find(ANN, openai_chat, bytes(bytearray(one.body))) is one
    assert repeats.find(BEN, openai_chat, one.body) is None
    assert repeats.find(Caller("ann"), openai_chat, one.body) is None  # one made anew, as by another configuration
    assert repeats.find(None, openai_chat, one.body) is None
    assert repeats.find(ANN, anthropic_messages, one.body) is None
    assert repeats.find(ANN, openai_chat, one.body + b" ") is None


def test_what_is_not_asked_again_goes():
    clock = Clock()
    repeats, one, two = Repeats(clock=clock), known(b"one"), known(b"two")
    repeats.keep(one)
    repeats.keep(two)
    for _ in range(3):
        clock.now += SECONDS
        repeats.keep(one)
        assert repeats.find(ANN, openai_chat, b"one") is one
    assert repeats.find(ANN, openai_chat, b"two") is None
    clock.now += 2 * SECONDS
    repeats.keep(two)
    assert repeats.find(ANN, openai_chat, b"one") is None


def test_there_is_so_much_room():
    repeats = Repeats(room=120_000)
    for number in range(100):
        repeats.keep(known(b"%d" % number * 500))
    held = [number for number in range(100) if repeats.find(ANN, openai_chat, b"%d" % number * 500)]
    assert held[-1] == 99
    assert 5 <= len(held) <= 20
    repeats.keep(known(b"x" * (LARGEST + 1)))
    assert repeats.find(ANN, openai_chat, b"x" * (LARGEST + 1)) is None


@pytest.mark.parametrize(
    "body",
    [
        '{"model":"m%d"}',
        '{"model":"m%d","messages":[{"role":"user","content":"Hello there"}]}',
        '{"model":"m%d","input":"\N{GRINNING FACE}' + "x" * 20_000 + '"}',
        '{"model":"m%d","input":[' + "[]," * 9_000 + "[]]}",
        '{"model":"m%d","input":[' + '{"":{}},' * 4_000 + "{}]}",
        '{"model":"m%d","input":[' + "1000," * 6_000 + "1]}",
        '{"model":"m%d","input":{' + ",".join(f'"{n}":{n}.5' for n in range(2_000)) + "}}",
    ],
    ids=["nothing", "few words", "wide letters", "lists", "objects", "numbers", "names"],
)
def test_whatever_is_asked_no_more_memory_is_taken(body):
    room = 4 << 20
    repeats = Repeats(room)
    tracemalloc.start()
    try:
        for number in range(1_000):
            data = (body % number).encode()
            one = Known(ANN, openai_chat, data, decode(data), "m", None, False)
            one.kept_under((b"meant", None, None, number), b"k" * 24)
            one.relay = openai_chat.relay(False, one.fields)
            repeats.keep(one)
            if len(data) > 1_000 and number > 40:
                break
        assert tracemalloc.get_traced_memory()[0] < room * 1.1
    finally:
        tracemalloc.stop()
    assert repeats.find(ANN, openai_chat, data) is one


def test_of_one_request_only_so_many_keys_are_held():
    one = known()
    for number in range(3 * KEYS):
        one.kept_under((number,), b"key")
    assert 0 < len(one.keys) <= KEYS


def test_what_a_stage_has_changed_is_not_what_is_known():
    one = known()
    asked = Exchange("req_1", openai_chat, "/", [], None, 0.0, Record(id="req_1", time=0.0))
    asked.body, asked.fields = one.body, one.fields
    assert one.holds(asked)
    for name, value in (("body", bytes(bytearray(one.body))), ("fields", dict(one.fields)), ("edited", True)):
        changed = asked.fork(())
        setattr(changed, name, value)
        assert not one.holds(changed)
