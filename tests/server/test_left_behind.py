"""Of requests whose clients leave nothing stays, with the garbage collector off: their bodies may be large."""

import asyncio
import contextlib
import gc
import json
from types import SimpleNamespace

import pytest

from feature_outcomes import Outside
from gateways import ADMIN_KEY
from headgate.config.load import load
from headgate.config.secrets import hash_key
from headgate.core.exchange import Exchange
from headgate.runtime.build import build
from headgate.runtime.gateway import Ports
from headgate.server.app import App
from headgate.server.connections import Connections
from headgate.server.cycles import Cycle
from headgate.server.protocol import Protocol
from waiting import until

CONFIGURATION = """
data_dir: {folder}
providers: {{openai: {{base_url: 'http://host/openai/v1', api_key: sk-feature-0123456789abcdef}}}}
models:
  plain: openai/gpt-4o
  kept: {{targets: openai/gpt-4o, cache: true}}
"""


class Silent(Outside):
    """No provider ever answers."""

    async def post(self, endpoint, body, headers=()):
        self.sent.append(body)
        await asyncio.get_running_loop().create_future()


@contextlib.asynccontextmanager
async def serving(folder):
    """What is sent to the provider, the connections, and the port."""
    path = folder / "headgate.yaml"
    path.write_text(CONFIGURATION.format(folder=folder))
    outside = Silent()
    gateway = build(load(path, {}).config, Ports(outside, outside, outside), hash_key(ADMIN_KEY))
    connections = Connections(App(SimpleNamespace(gateway=gateway), {}))
    server = await asyncio.get_running_loop().create_server(connections.protocol, "127.0.0.1", 0)
    try:
        yield outside, connections, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        connections.stop()


def request(model, stream):
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    return f"{head}authorization: Bearer {ADMIN_KEY}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def left():
    """How many there are; other tests of the process may have kept some."""
    return sum(type(found) in (Exchange, Cycle, Protocol) for found in gc.get_objects())


@contextlib.asynccontextmanager
async def leaving(folder, sent):
    """A client sends this, and leaves: then nothing of it is there. Gives the provider, the connections and `before`,
    how much was left then."""
    async with serving(folder) as (outside, connections, port):
        gc.collect()
        gc.disable()
        before = left()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            yield outside, connections, before
            writer.transport.abort()
            await until(lambda: not connections.open and outside.records)
            await until(lambda: left() <= before)
        finally:
            gc.enable()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["plain", "kept"])
async def test_who_leaves_while_a_provider_is_asked(tmp_path, model, stream):
    async with leaving(tmp_path, request(model, stream)) as (outside, _, before):
        await until(lambda: outside.sent)
        assert left() > before, "what is looked for is there"


async def test_who_leaves_in_the_middle_of_the_body(tmp_path):
    async with leaving(tmp_path, request("plain", False)[:-5]) as (_, connections, _):
        await until(lambda: connections.cycles)
        await asyncio.sleep(0)
