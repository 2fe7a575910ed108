"""What an embedding model is asked, and what is made of its answer."""

import json
from types import SimpleNamespace

import pytest

from headgate.core.errors import ProviderNonsense
from headgate.core.needs import Needs
from headgate.core.target import PLAIN, Manner, Target
from headgate.dialects import cohere_embed
from headgate.stages.rules.embedder import PATIENCE, Embedder, Within
from stages.test_stages import Host

TARGET = Target(Host("host"), "m")


def made(*vectors, data=None):
    """An embedder, and the exchanges of what it asks; `data` instead of a list of vectors in their order."""
    asked = []
    items = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]

    async def whole(client, fields):
        return json.dumps({"data": items if data is None else data}).encode()

    async def ask(exchange):
        exchange.target = TARGET
        asked.append(exchange)
        return SimpleNamespace(status=200, whole=whole)

    return Embedder("near", ask, ask, lambda: "req_1"), asked


async def test_a_text_and_who_answers():
    embedder, asked = made([3.0, 4])
    assert await embedder.one("Hello", 2, Needs(frozenset({"eu"}))) == ((0.6, 0.8), TARGET)
    [exchange] = asked
    assert json.loads(exchange.body) == {"model": "near", "input": ["Hello"]}
    assert exchange.imposed.traits == {"eu"}
    record = exchange.record
    assert (record.path, record.worker, record.status, record.key) == ("topic", 2, 200, None)
    said = json.loads(cohere_embed.write_request(exchange.request, []))
    assert said["input_type"] == "classification"


async def test_several_in_their_order():
    embedder, asked = made(data=[{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}])
    assert await embedder.several(["a", "b"], TARGET, 0) == [(1, 0), (0, 1)]
    assert (asked[0].targets, asked[0].manner.deadline) == ((TARGET,), PATIENCE)
    embedder, _ = made(data=[{"embedding": [1, 0]}, {"embedding": [0, 1]}])  # whose host gives no `index`
    assert await embedder.several(["a", "b"], TARGET, 0) == [(1, 0), (0, 1)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "gave 0 vectors for 1 texts"),
        ([{"embedding": [1]}] * 2, "gave 2 vectors for 1 texts"),
        ([{"embedding": "AACAPw=="}], "cannot be read"),
        ([{"embedding": []}], "without a direction"),
        ({"message": "no"}, "cannot be read"),
    ],
)
async def test_an_answer_that_makes_no_sense(data, words):
    embedder, _ = made(data=data)
    with pytest.raises(ProviderNonsense, match=words):
        await embedder.one("Hello", 0, frozenset())


@pytest.mark.parametrize(("own", "deadline"), [(PLAIN, 2.0), (Manner(deadline=1.0), 1.0), (Manner(deadline=9.0), 2.0)])
async def test_the_shorter_time_counts(own, deadline):
    exchange = SimpleNamespace(manner=own)

    async def proceed(exchange):
        return exchange.manner

    assert (await Within(2.0)(exchange, proceed)).deadline == deadline
