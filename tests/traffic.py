"""Steady traffic for tests of operations: threads that ask, check every byte of what they get, and keep a log of it."""

import asyncio
import contextlib
import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass

from gateways import KEY
from upstreams import LAST_CHUNK, as_chunk, chunked_head, json_reply, sse_event

WORDS = 5
"""Text frames of a streamed reply of `answering`."""


def chunk(delta, finish=None, **more):
    """One frame of OpenAI's chat stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return sse_event({**value, **more})


def whole(text, name="upstream"):
    """A whole reply of OpenAI's chat API."""
    message = {"role": "assistant", "content": text}
    return json_reply(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": name,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        }
    )


def answering(name="upstream", *, pause=0.0, wait=0.0):
    """A script for ScriptedUpstream: repeats the question, so that an answer given to the wrong client shows.

    Waits `wait` seconds first, and `pause` seconds between the frames of a stream.
    """

    async def reply(asked):
        body = json.loads(asked.request.body)
        text = body["messages"][-1]["content"]
        await asyncio.sleep(wait)
        if not body.get("stream"):
            await asked.send(whole(text, name))
            return
        await asked.send(chunked_head() + as_chunk(chunk({"role": "assistant", "content": ""}, model=name)))
        for number in range(WORDS):
            await asyncio.sleep(pause)
            await asked.send(as_chunk(chunk({"content": text if number == 0 else " word"}, model=name)))
        usage = {"prompt_tokens": 1, "completion_tokens": WORDS, "total_tokens": WORDS + 1}
        await asked.send(
            as_chunk(chunk({}, "stop", model=name))
            + as_chunk(sse_event({"id": "chatcmpl-1", "choices": [], "usage": usage}))
            + as_chunk(b"data: [DONE]\n\n")
            + LAST_CHUNK
        )

    return reply


@dataclass
class Answer:
    """What became of one request. `error` is None when all of the answer came and it was the right one."""

    id: str | None = None
    status: int | None = None
    stream: bool = False
    model: str | None = None
    error: str | None = None
    at: float = 0.0
    seconds: float = 0.0


class Traffic:
    """Threads that ask until the `with` block ends. Every third request is a stream."""

    def __init__(self, port, *, clients=4, rate=None, model="chat", key=KEY, suffix=""):
        """`rate`: requests a second of all clients together; None: as fast as they go. `suffix` ends every question."""
        self.port = port
        self.clients = clients
        self.pause = clients / rate if rate else 0.0
        self.model = model
        self.key = key
        self.suffix = suffix
        self.answers = []
        self._stop = threading.Event()
        self._numbers = itertools.count()

    def __enter__(self):
        self._threads = [threading.Thread(target=self._ask_on, daemon=True) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client waits for ever"

    @property
    def failures(self):
        return [answer for answer in self.answers if answer.error is not None]

    def wait_for(self, count, seconds=30.0):
        """Until so many more answers have come."""
        goal, until = len(self.answers) + count, time.monotonic() + seconds
        while len(self.answers) < goal:
            assert time.monotonic() < until, f"{goal - len(self.answers)} answers are missing: {self.failures[-3:]}"
            time.sleep(0.005)

    def _ask_on(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            while not self._stop.is_set():
                answer = self._ask(connection, next(self._numbers))
                self.answers.append(answer)
                if answer.error is not None:
                    connection.close()
                    time.sleep(0.02)
                if self.pause > answer.seconds:
                    self._stop.wait(self.pause - answer.seconds)

    def _ask(self, connection, number):
        stream = number % 3 == 0
        said = f"question {number} of {threading.get_ident()}{self.suffix}"
        answer = Answer(stream=stream, at=time.monotonic())
        body = {"model": self.model, "stream": stream, "messages": [{"role": "user", "content": said}]}
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
            reply = connection.getresponse()
            answer.id, answer.status = reply.getheader("x-request-id"), reply.status
            answer.model = reply.getheader("x-headgate-model")
            answer.error = wrong(reply.status, stream, said, reply.read())
        except (OSError, http.client.HTTPException) as error:
            answer.error = f"{type(error).__name__}: {error}"
        answer.seconds = time.monotonic() - answer.at
        return answer


def wrong(status, stream, said, data):
    """What is wrong with an answer; None if nothing is."""
    if status != 200:
        return f"{status}: {data[:300]!r}"
    if stream and not data.endswith(b"data: [DONE]\n\n"):
        return f"cut off: {data[-300:]!r}"
    return None if said.encode() in data else f"somebody else's answer: {data[:300]!r}"
