"""One timer for all connections, met in time and not set again without need."""

import asyncio
import math

from headgate.upstream.deadlines import GRAIN, Deadlines


class Member:
    def __init__(self, deadline):
        self.deadline = deadline
        self.calls = []
        self.then = math.inf

    def overdue(self, now):
        self.calls.append(now)
        self.deadline = self.then


async def test_members_are_called_when_their_deadline_has_passed():
    loop = asyncio.get_running_loop()
    watch = Deadlines(loop)
    start = loop.time()
    early, late, never = Member(start + 0.05), Member(start + 0.2), Member(start + 60)
    watch.members |= {early, late, never}
    for each in (never, late, early):
        watch.expect(each.deadline)
    await asyncio.sleep(0.12)
    assert len(early.calls) == 1
    await asyncio.sleep(0.2)
    assert [len(each.calls) for each in (early, late, never)] == [1, 1, 0]
    assert early.calls[0] - start >= 0.049
    assert late.calls[0] - start >= 0.199  # uvloop counts in whole milliseconds
    watch.stop()


async def test_a_deadline_that_moved_back_is_met_where_it_is_now():
    loop = asyncio.get_running_loop()
    watch = Deadlines(loop)
    start = loop.time()
    member = Member(start + 0.05)
    watch.members.add(member)
    watch.expect(member.deadline)
    member.deadline = start + 0.2
    await asyncio.sleep(0.3)
    assert len(member.calls) == 1
    assert member.calls[0] >= start + 0.199


async def test_a_member_may_ask_to_be_called_again():
    loop = asyncio.get_running_loop()
    watch = Deadlines(loop)
    member = Member(loop.time())
    member.then = loop.time() + GRAIN
    watch.members.add(member)
    watch.expect(member.deadline)
    await asyncio.sleep(0.1)
    assert len(member.calls) >= 2
    watch.stop()


async def test_without_members_no_timer_runs():
    watch = Deadlines(asyncio.get_running_loop())
    member = Member(asyncio.get_running_loop().time())
    watch.expect(member.deadline)
    await asyncio.sleep(0.05)
    assert watch._handle is None
    assert member.calls == []
