"""Both engines: every test of the store runs on each."""

import uuid

import pytest

from headgate.store.database import connect
from headgate.store.migrations import migrate
from postgres import postgres


@pytest.fixture(scope="session")
def server():
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request, tmp_path):
    """That of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/headgate.db"
    server, name = request.getfixturevalue("server"), f"t{uuid.uuid4().hex}"
    database = connect(server)
    await database.run(f"CREATE DATABASE {name}")
    await database.close()
    head, _, query = server.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


@pytest.fixture
async def database(url):
    made = connect(url)
    await migrate(made)
    yield made
    await made.close()
