"""Both engines, and made-up records of all kinds."""

import asyncio
import random
import uuid

import pytest

from headgate.store.database import connect
from made_records import made
from postgres import postgres


@pytest.fixture(scope="session")
def server():
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """That of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    return _another(request.getfixturevalue("server"))


@pytest.fixture(scope="module")
def own_database(server):
    """One of PostgreSQL for all tests of a file."""
    return _another(server)


def _another(server):
    name = f"t{uuid.uuid4().hex}"
    asyncio.run(_create(server, name))
    head, _, query = server.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


@pytest.fixture
def records():
    """Makes so many, by a seed."""

    def make(count, seed=1):
        chance = random.Random(seed)
        return [made(number, chance) for number in range(count)]

    return make


async def _create(server, name):
    database = connect(server)
    await database.run(f"CREATE DATABASE {name}")
    await database.close()
