"""What a stream that was continued is said to have cost."""

import pytest

from headgate.core.errors import ProviderCut
from headgate.core.events import Start, Text, Used
from headgate.core.usage import Usage
from headgate.stages.resume import Sequel
from stages.policies.targets import asked, target


class Piece:
    """One target's part of the answer; all but the last break off."""

    broken = ""

    def __init__(self, text, usage, *, last=False):
        self.events = [Start(), Text(text=text)]
        self.events += [Used(usage=Usage(input=usage, output=1))] if usage else []
        self.last = last

    async def told(self):
        yield self.events
        if not self.last:
            raise ProviderCut("it is gone")


async def total(*usages):
    """Of the last that the client is told."""
    first, *others = [Piece("x", usage, last=place == len(usages) - 1) for place, usage in enumerate(usages)]

    async def proceed(fork):
        return others.pop(0)

    exchange = asked({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    exchange.targets = (target("a"), target("b"), target("c"))
    exchange.target = exchange.targets[0]
    told = [event async for events in Sequel(exchange, proceed, first).events() for event in events]
    assert not others
    return [event.usage.input for event in told if isinstance(event, Used)][-1]


@pytest.mark.parametrize(
    ("usages", "expected"),
    [((5, 7, 9), 21), ((5, 0, 9), 14), ((0, 7, 9), 16), ((0, 0, 9), 9), ((5, 7, 0), 12)],
)
async def test_nobodys_tokens_are_lost(usages, expected):
    assert await total(*usages) == expected
