"""A provider's key is replaced while requests run: none fails, and the old one is not used any more."""

import concurrent.futures
import json
import threading
import time

from gateways import ADMIN_KEY, KEY, running
from services import service

OLD, NEW = "sk-old-0123456789", "sk-new-0123456789"
ANSWER = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip


class Host:
    """A provider that knows which keys are valid, and which it has been asked with."""

    def __init__(self):
        self.valid, self.asked = {OLD}, []

    def answer(self, path, headers, body):
        key = headers["authorization"].removeprefix("Bearer ")
        self.asked.append(key)
        return (200, ANSWER) if key in self.valid else (401, {"error": {"message": "wrong key"}})


def test_no_request_fails_while_a_key_is_replaced(tmp_path):
    host = Host()
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: }}
keys: [{{name: test, key: {KEY}}}]
"""
    with (
        service(host.answer) as url,
        running(tmp_path, config) as gateway,
        concurrent.futures.ThreadPoolExecutor(4) as pool,
    ):

        def change(method, path, body):
            sent = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
            status, _, answer = gateway.request(method, f"/admin/api{path}", json.dumps(body).encode(), sent)
            assert status in (200, 201), answer

        change(
            "POST", "/providers", {"name": "acme", "kind": "openai_compatible", "base_url": f"{url}/v1", "api_key": OLD}
        )
        stop = threading.Event()

        def ask():
            statuses = set()
            while not stop.is_set():
                body = {"model": "acme/m", "messages": [{"role": "user", "content": "x"}]}
                statuses.add(gateway.post(body)[0])
            return statuses

        asking = [pool.submit(ask) for _ in range(4)]
        time.sleep(0.2)
        host.valid = {OLD, NEW}
        keys = [{"name": "old", "api_key": OLD}, {"name": "new", "api_key": NEW}]
        change("PATCH", "/providers/acme", {"api_key": None, "api_keys": keys})
        time.sleep(0.2)
        change("PATCH", "/providers/acme", {"api_keys": keys[1:]})
        time.sleep(0.2)
        host.valid, before = {NEW}, len(host.asked)
        time.sleep(0.3)
        stop.set()
        assert [each.result() for each in asking] == [{200}] * 4
        assert set(host.asked[before:]) == {NEW}
        everything = b"".join(path.read_bytes() for path in gateway.data.rglob("*") if path.is_file())
        for key in (OLD, NEW):
            assert key.encode() not in everything
            assert key not in gateway.output()
