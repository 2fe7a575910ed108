"""The HTTP client with which services that vouch for callers are asked."""

import pytest

from headgate.upstream.client import Client
from headgate.upstream.proxy import Proxies


@pytest.fixture
async def client(few_authorities):
    client = Client(proxies=Proxies({}), ca_file=few_authorities)
    yield client
    await client.close()
