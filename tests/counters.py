"""Limits that processes keep together in a real Valkey: the counters of one of them, and what is asked about them."""

import asyncio
import contextlib
import time

from headgate.core.limits.meter import Demand, Meter, Now
from headgate.core.limits.window import Calendar
from headgate.state.address import address
from headgate.state.connection import connect
from headgate.state.limits import SharedCounters


def clock(skew=0.0):
    return Now(time.time() + skew, time.monotonic())


def meter(amount, every="month", what="tokens", burst=None, warn=None, name="m"):
    return Meter(name, what, amount, Calendar(every) if every else None, burst, warn)


@contextlib.asynccontextmanager
async def joined(server, prefix, begin=None, **more):
    """The counters of one process; `begin` is called with them before they are connected."""
    counters = SharedCounters(server.url, prefix, **{"clock": clock, "patience": 2.0, **more})
    if begin is not None:
        begin(counters)
    running = asyncio.create_task(counters.run())
    await counters.first()
    try:
        yield counters
    finally:
        running.cancel()
        await asyncio.wait([running])


async def asked(server, *command):
    connection = await connect(address(server.url), None)
    try:
        return await connection.ask(*command)
    finally:
        connection.close()


async def used(counters, limit, name="a"):
    """Of a limit by the month, as it stands for all: a request that wants nothing sees it."""
    hold = await counters.reserve([Demand(limit, name, 0)], clock())
    counters.settle(hold, [0], clock())
    return limit.amount - hold.levels[0].left
