"""Several URLs at once, of which some fail: what is told, and what is not hidden by it."""

import asyncio
import json
import time

import pytest

from headgate.core.errors import InvalidRequest
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.target import Target
from headgate.dialects import openai_chat
from headgate.stages.fetch import Fetch


class Host:
    """A host that cannot fetch itself."""

    name, inline_links = "a", True

    def dialect_for(self, client, model):
        return client


class Port:
    """Raises what stands for a URL, all at the same moment."""

    together = 1000

    def __init__(self, **errors):
        self.errors = errors

    async def fetch(self, url):
        await asyncio.sleep(0)
        raise self.errors[url.rpartition("/")[2]]


def asked(*names):
    parts = [{"type": "image_url", "image_url": {"url": f"https://example.com/{name}"}} for name in names]
    fields = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    record = Record(id="req_1", time=0.0)
    made = Exchange("req_1", openai_chat, "/", [], None, time.perf_counter(), record)
    made.fields, made.body, made.target = fields, json.dumps(fields).encode(), Target(Host(), "m")
    made.host = made.target.provider
    return made


async def nobody(exchange):
    raise AssertionError("nothing is sent")


async def test_what_nobody_foresaw_is_not_hidden_by_what_is_told_the_client():
    port = Port(gone=InvalidRequest("it is gone"), bug=ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        await Fetch(port)(asked("gone", "bug"), nobody)


async def test_the_client_is_told_which_cannot_be_used():
    port = Port(gone=InvalidRequest("it is gone"))
    with pytest.raises(InvalidRequest, match=r"example\.com/gone' cannot be used: it is gone"):
        await Fetch(port)(asked("gone"), nobody)
