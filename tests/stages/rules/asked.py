"""Requests for tests of rules, as they are when they come to be routed."""

import time

from headgate.core.caller import Caller
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.dialects import openai_chat


def exchange(fields=None, headers=(), dialect=openai_chat, caller=None, prompt="Hello", **more):
    async def receive():
        return b""

    record = Record(id="req_1", time=time.time())
    head = [(name.encode(), value.encode()) for name, value in dict(headers).items()]
    made = Exchange("req_1", dialect, "/", head, receive, time.perf_counter(), record)
    made.fields = (
        {"model": "auto", "messages": [{"role": "user", "content": prompt}], **more} if fields is None else fields
    )
    made.model = made.fields.get("model", "auto")
    made.caller = caller or Caller("demo")
    return made
