"""What the replayed walks share: the recorded traffic, and for a file one gateway whose every provider replays it."""

import http.client

import pytest

from gateways import running
from recordings.hosts import configured
from recordings.replay import PRESENT, Replay


@pytest.fixture(scope="session")
def replay():
    if not PRESENT:
        pytest.skip("no recorded traffic beside the checkout (../shared/recorded)")
    with Replay() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(replay, tmp_path_factory):
    with running(tmp_path_factory.mktemp("gateway"), configured(replay)) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture(scope="module")
def wire(gateway):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    yield connection
    connection.close()
