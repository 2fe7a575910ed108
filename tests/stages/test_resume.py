"""What a stream that was continued is said to have cost."""

import pytest

from headgate.catalog.cost import bill
from headgate.core.errors import ProviderCut
from headgate.core.events import Start, Text, Used
from headgate.core.record import Attempt
from headgate.core.usage import Usage
from headgate.stages.resume import Sequel
from stages.policies.targets import asked, target

PRICES = {"a": "1", "b": "10", "c": "100"}


class Piece:
    """One target's part of the answer; all but the last break off."""

    broken, parted, latest, counted = "", False, None, None

    def __init__(self, text, usage, *, last=False):
        self.events = [Start(), Text(text=text)]
        self.events += [Used(usage=Usage(input=usage, output=1))] if usage else []
        self.last = last

    async def told(self):
        yield self.events
        if not self.last:
            raise ProviderCut("it is gone")


async def told(*usages):
    """What the client is told at the end to have used, and the request."""
    first, *others = [Piece("x", usage, last=place == len(usages) - 1) for place, usage in enumerate(usages)]

    async def proceed(fork):
        fork.target = exchange.targets[len(usages) - len(others)]
        fork.attempts.append(Attempt(fork.target.name))
        return others.pop(0)

    exchange = asked({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    exchange.targets = tuple(target(name, prices=({"input": price, "output": "0"},)) for name, price in PRICES.items())
    exchange.target, exchange.attempts = exchange.targets[0], [Attempt("a/m")]
    heard = [event async for events in Sequel(exchange, proceed, first).events() for event in events]
    assert not others
    exchange.reply = first
    return [event.usage.input for event in heard if isinstance(event, Used)][-1], exchange


@pytest.mark.parametrize(
    ("usages", "expected"),
    [((5, 7, 9), 21), ((5, 0, 9), 14), ((0, 7, 9), 16), ((0, 0, 9), 9), ((5, 7, 0), 12)],
)
async def test_nobodys_tokens_are_lost(usages, expected):
    assert (await told(*usages))[0] == expected


async def test_each_part_is_paid_at_the_price_of_who_wrote_it():
    _, exchange = await told(5, 0, 9)
    bill(exchange)
    assert [(each.target, each.cost) for each in exchange.attempts] == [
        ("a/m", "0.000005"),
        ("b/m", None),
        ("c/m", None),
    ]
    assert (exchange.record.usage.input, exchange.record.cost) == (9, "0.0009")
    assert exchange.charged == 905_000
