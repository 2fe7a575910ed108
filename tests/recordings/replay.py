"""The replay server of the recorded traffic, in a thread of the test's own process: pinning costs no request."""

import asyncio
import importlib.util
import threading
from functools import cache
from pathlib import Path

RECORDED = Path(__file__).parents[3] / "shared" / "recorded"
PRESENT = (RECORDED / "replay_server.py").exists()


@cache
def program():
    """The replay server's own module."""
    spec = importlib.util.spec_from_file_location("replay_server", RECORDED / "replay_server.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Replay:
    """A running replay server; `port` is where, `store` what it has."""

    def __enter__(self):
        self.server = program().ReplayServer(RECORDED / "exchanges")
        self.store = self.server.store
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.port = self.wait(self.server.start())
        return self

    def __exit__(self, *_):
        self.wait(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)
        self.loop.close()

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def exchanges(self, wanted):
        """Every recording whose listing fits, in the order of their ids."""
        for id, listed in sorted(self.store.by_id.items()):
            if wanted(listed):
                yield self.store.load(id)

    def pin(self, found):
        """The next request gets this recording's reply, and nothing that was asked before is remembered."""
        self.server.queue.clear()
        self.server.entries.clear()
        self.server.queue.append({"id": found["id"]})

    def received(self):
        """What came for the recording that was pinned, with its comparison; None if nothing did."""
        return self.server.entries[-1] if self.server.entries else None


def sent(found):
    """The body of the recorded reply as the replay server sends it."""
    return program().chunks_of(found["response"], "whole")[1][0]


PROVIDERS = sorted(folder.name for folder in (RECORDED / "exchanges").iterdir()) if PRESENT else []
