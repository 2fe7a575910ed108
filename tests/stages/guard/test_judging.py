"""A guard that fails lets nothing through, and is told where it failed, without what it looked at."""

import logging

import pytest

from headgate.core.errors import GuardUnavailable
from headgate.core.exchange import Exchange
from headgate.core.guard import Passage
from headgate.core.record import Record
from headgate.dialects import openai_chat
from headgate.stages.guard.changing import Hashes
from headgate.stages.guard.judging import Judge
from headgate.stages.guard.policy import Policy
from headgate.stages.guards.guard import Guard, GuardSettings


class Broken(Guard):
    def look(self, passages, asked):
        raise KeyError(passages[0].text)


async def nothing():
    return b""


@pytest.mark.parametrize("closed", [True, False])
async def test_one_that_fails_unforeseen_is_told(closed, caplog):
    record = Record(id="req_1", time=0.0)
    judge = Judge(Exchange("req_1", openai_chat, "/v1/chat/completions", [], nothing, 0.0, record), Hashes(b"secret"))
    policy = Policy("odd", Broken(GuardSettings()), "broken", frozenset({"before"}), closed=closed)
    with caplog.at_level(logging.WARNING):
        if closed:
            with pytest.raises(GuardUnavailable, match="the policy 'odd' could not look at it: KeyError"):
                await judge.look([policy], [Passage("a secret")])
        else:
            assert await judge.look([policy], [Passage("a secret")]) == {}
    assert [each.category for each in record.guards] == ["guard_failed"]
    assert "the guard of the policy odd fails: KeyError at test_judging.py:" in caplog.text
    assert "a secret" not in caplog.text
