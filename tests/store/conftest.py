"""Both engines: every test of the store runs on each."""

import pytest

from headgate.store.database import connect
from headgate.store.migrations import migrate
from postgres import new_database


@pytest.fixture(scope="session")
def server(postgres_server):
    return postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request, tmp_path):
    """That of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/headgate.db"
    return await new_database(request.getfixturevalue("postgres_server"))


@pytest.fixture
async def database(url):
    made = connect(url)
    await migrate(made)
    yield made
    await made.close()
