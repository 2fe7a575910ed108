"""Whole requests through the application, in one process."""

import gc
import json
from types import SimpleNamespace

from feature_outcomes import Outside
from gateways import ADMIN_KEY
from headgate.config.load import load
from headgate.config.secrets import hash_key
from headgate.core.exchange import Exchange
from headgate.core.standing import Standing
from headgate.runtime.build import build
from headgate.runtime.gateway import Ports
from headgate.server.app import App
from walks.vendors import Said

GUARDED = """
data_dir: {folder}
providers: {{openai: {{base_url: 'http://host/openai/v1', api_key: sk-feature-0123456789abcdef}}}}
catalogue: {{enforce: false}}
guards:
  words: {{use: words, with: {{words: {{project: [zeppelin]}}}}}}
  hidden: {{use: patterns, with: {{patterns: {{customer: 'C-[0-9]{{6}}'}}}}, then: tokenise}}
"""


async def asked(app, stream, model="openai/gpt-4o"):
    said = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Who is C-123456?"}]}
    body, given = json.dumps(said).encode(), []
    headers = [(b"authorization", f"Bearer {ADMIN_KEY}".encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "method": "POST", "scheme": "http", "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions", "query_string": b"", "client": ("127.0.0.1", 1), "headers": headers,
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        given.append(message.get("status") or message["body"])

    await app(scope, receive, send)
    return given


async def test_what_was_guarded_is_freed_without_the_garbage_collector(tmp_path):
    path = tmp_path / "headgate.yaml"
    path.write_text(GUARDED.format(folder=tmp_path))
    outside = Outside(Said(text="It is <CUSTOMER_1>."))
    gateway = build(load(path, {}).config, Ports(outside, outside, outside), hash_key(ADMIN_KEY))
    app = App(SimpleNamespace(gateway=gateway), {})
    gc.collect()
    gc.disable()
    before = sum(type(found) is Exchange for found in gc.get_objects())  # other tests of the process may have kept some
    try:
        for stream in (False, True):
            given = await asked(app, stream)
            assert given[0] == 200, given
            assert b"C-123456" not in outside.sent[-1].body
            assert sum(type(found) is Exchange for found in gc.get_objects()) == before, stream
    finally:
        gc.enable()


async def test_of_the_models_that_clients_make_up_few_are_kept(tmp_path):
    path = tmp_path / "headgate.yaml"
    path.write_text(GUARDED.partition("guards:")[0].format(folder=tmp_path))
    outside = Outside(Said(text="Somebody."))
    gateway = build(load(path, {}).config, Ports(outside, outside, outside), hash_key(ADMIN_KEY))
    app = App(SimpleNamespace(gateway=gateway), {})
    gc.collect()
    before = sum(type(found) is Standing for found in gc.get_objects())
    for number in range(9000):
        assert (await asked(app, False, f"openai/gpt-{number}"))[0] == 200
    outside.records.clear()
    outside.sent.clear()
    gc.collect()
    kept = sum(type(found) is Standing for found in gc.get_objects()) - before
    assert 0 < kept <= 8000
