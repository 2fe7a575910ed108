"""One request's life: its typed reading, its caller, and what waits for its end."""

import time

import pytest

from headgate.core.caller import Caller
from headgate.core.errors import GatewayError, InvalidRequest, Overloaded
from headgate.core.exchange import Ending, Exchange
from headgate.core.record import Record
from headgate.dialects import openai_chat
from together import together


class TestEnding:
    async def test_last_in_is_first_out_awaited_or_not(self):
        said = []

        async def later(word):
            said.append(word)

        ending = Ending()
        ending.callback(said.append, "first")
        ending.callback(later, "second")
        ending.callback(said.append, "third")
        await ending.aclose()
        assert said == ["third", "second", "first"]

    async def test_each_is_called_once(self):
        said = []
        ending = Ending()
        ending.callback(said.append, 1)
        await ending.aclose()
        await ending.aclose()
        assert said == [1]
        ending.callback(said.append, 2)
        await ending.aclose()
        assert said == [1, 2]

    async def test_an_error_keeps_no_other_from_its_turn_and_the_last_one_is_raised(self):
        said = []

        def fail(error):
            said.append(error.message)
            raise error

        async def fail_later(error):
            fail(error)

        ending = Ending()
        ending.callback(said.append, "outermost")
        ending.callback(fail, Overloaded("second"))
        ending.callback(fail_later, InvalidRequest("first"))
        with pytest.raises(GatewayError, match="second"):
            await ending.aclose()
        assert said == ["first", "second", "outermost"]
        await ending.aclose()

    async def test_a_fault_of_ours_leaves_the_rest_for_the_next_call(self):
        """What nobody foresaw goes up; whoever answers it unwinds the rest, so that the record is written."""
        said = []
        ending = Ending()
        ending.callback(said.append, "record")
        ending.callback({}.pop, "missing")
        with pytest.raises(KeyError):
            await ending.aclose()
        await ending.aclose()
        assert said == ["record"]

    async def test_what_is_added_while_it_unwinds_is_run_too(self):
        said = []
        ending = Ending()
        ending.callback(lambda: ending.callback(said.append, "late"))
        await ending.aclose()
        assert said == ["late"]


class TestCaller:
    @together(
        ("models", "families", "asked", "may"),
        [
            (None, (), "anything/at/all", True),
            (frozenset(), (), "chat", False),
            (frozenset({"chat"}), (), "chat", True),
            (frozenset({"chat"}), (), "chat2", False),
            (frozenset({"chat"}), ("openai/",), "openai/gpt", True),
            (frozenset(), ("openai/",), "openai", False),
            (frozenset(), ("openai/",), "openai2/gpt", False),
            (frozenset(), ("openai/",), "", False),
        ],
    )
    def test_what_it_may_use(self, models, families, asked, may):
        assert Caller("k", models, families).may_use(asked) is may


def exchange(fields):
    async def receive():
        return b""

    record = Record(id="req_1", time=time.time())
    made = Exchange("req_1", openai_chat, "/v1/chat/completions", [], receive, time.perf_counter(), record)
    made.fields = fields
    return made


def test_the_request_is_read_once_and_can_be_edited():
    asked = exchange({"model": "chat", "messages": [{"role": "user", "content": "Hello"}]})
    first = asked.request
    assert (first.model, first.messages[0].parts[0].text) == ("chat", "Hello")
    first.messages.pop()
    assert asked.request is first
    assert asked.fields["messages"], "the client's own fields are read only"


def test_a_request_that_cannot_be_read_says_where():
    with pytest.raises(InvalidRequest) as caught:
        _ = exchange({"model": "chat", "messages": [{"role": "user", "content": 3}]}).request
    assert caught.value.param.startswith("messages[0]")


def test_exchanges_share_nothing():
    one, other = exchange({}), exchange({})
    one.lost.append(1)
    one.attempts.append(1)
    one.ending.callback(print)
    assert (other.lost, other.attempts) == ([], [])
    assert one.ending is not other.ending
