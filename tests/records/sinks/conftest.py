"""Batches of made-up records, and sinks as a configuration makes them."""

import random

import msgspec
import pytest

from headgate.config.sinks import read
from headgate.core.plugin import load
from headgate.records.sinks.sink import Batch, Item, Sink
from made_records import made


@pytest.fixture
def sink():
    """Makes one of what stands in a configuration; closed at the end."""
    started = []

    def make(**told):
        settings = read(told)
        started.append(load("records.sinks", settings.kind, Sink)(settings))
        return started[-1]

    yield make
    for each in started:
        each.close()


@pytest.fixture
def batch():
    """Makes one of so many records, with some fields as given."""

    def make(count=3, id="batch-1", **fields):
        chance = random.Random(1)
        records = [msgspec.structs.replace(made(number, chance), **fields) for number in range(count)]
        return Batch(id, [Item(each.id, each.time, msgspec.json.encode(each)) for each in records])

    return make


class Nasty:
    """Records whose texts want to be more than text (S24)."""

    texts = (
        "one\r\ntwo", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "a\u2028b\u2029c", "\u202egpj.exe", "\x00\x7f\x9b1m",
        "<script>alert(1)</script>", '"}\n{"id":"forged"}', "\u200b\ufeff", "%s%n", "{{7*7}}", "\x85next",
    )  # fmt: skip

    def __init__(self, make):
        self.texts = list(self.texts)
        made = [make(1, model=text, path=text, message=text, tags=[text]) for text in self.texts]
        self.items = [each.items[0] for each in made]

    @staticmethod
    def assert_harmless(text):
        bad = {sign for sign in text if not sign.isprintable() and sign != "\n"}
        assert not bad, f"{bad!r} are there as they are"
        assert not set(text) & set("\u202e\u200b\u2028\u2029\ufeff")


@pytest.fixture
def nasty(batch):
    return Nasty(batch)
