"""A client for each test, on asyncio's loop and on uvloop, and the check that nothing is left behind."""

import asyncio

import pytest
import uvloop

from headgate.core.target import Endpoint, Origin, Timeouts
from headgate.upstream.client import Client
from headgate.upstream.proxy import Proxies


def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def made(few_authorities):
    """Makes clients; at the end none of them may hold a connection in use, nor a task be left."""
    clients = []

    def make(**settings) -> Client:
        settings = {"proxies": Proxies({}), "ca_file": few_authorities, **settings}
        clients.append(Client(**settings))
        return clients[-1]

    yield make
    for client in clients:
        assert all(stats.in_use == 0 and stats.waiting == 0 for stats in client.stats().values()), client.stats()
        await client.close()
        assert all(stats.open == 0 for stats in client.stats().values()), client.stats()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
async def client(made):
    return made()


@pytest.fixture
def to():
    """An endpoint at a scripted upstream."""

    def endpoint(upstream, *, host="127.0.0.1", port=None, scheme=None, **timeouts) -> Endpoint:
        scheme = scheme or ("https" if upstream.tls else "http")
        origin = Origin(scheme, host, port or upstream.port)
        return Endpoint(origin, b"POST /v1/chat HTTP/1.1\r\nhost: provider.test\r\n", Timeouts(**timeouts))

    return endpoint
