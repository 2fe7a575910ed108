"""A provider that streams: every frame in a write of its own, as providers send them, from plain blocking sockets.

    python frames.py PORT FRAMES [hold | STREAMS RATE]

Answers /v1/chat/completions in OpenAI's shape and /v1/messages in Anthropic's. With `hold` it sends the first frames
and then keeps the stream open until the client goes. With STREAMS and RATE it waits for so many streams and then gives
each a frame in turn, RATE frames a second over all of them, so that every frame arrives alone.
"""

from __future__ import annotations

import socket
import sys
import threading
import time

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def openai(frames: int) -> tuple[bytes, bytes, int, bytes]:
    start = (
        b'data: {"id":"chatcmpl-9aXb3Yc7Lm2Kq8Rt5Wv1Zs4Dn6Fp","object":"chat.completion.chunk","created":1730000000,'
        b'"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_1234567890","choices":['
    )
    first = chunk(
        start + b'{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}\n\n'
    )
    middle = chunk(start + b'{"index":0,"delta":{"content":" Paris"},"finish_reason":null}],"usage":null}\n\n')
    last = chunk(start + b'{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n')
    used = chunk(start + b'],"usage":{"prompt_tokens":42,"completion_tokens":66,"total_tokens":108}}\n\n')
    return first, middle, frames, last + used + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def anthropic(frames: int) -> tuple[bytes, bytes, int, bytes]:
    def event(name: str, data: str) -> bytes:
        return chunk(f'event: {name}\ndata: {{"type":"{name}",{data}}}\n\n'.encode())

    first = event(
        "message_start",
        '"message":{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-4-5",'
        '"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":42,"output_tokens":1}}',
    ) + event("content_block_start", '"index":0,"content_block":{"type":"text","text":""}')
    middle = event("content_block_delta", '"index":0,"delta":{"type":"text_delta","text":" Paris"}')
    last = (
        event("content_block_stop", '"index":0')
        + event("message_delta", '"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":66}')
        + chunk(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
        + b"0\r\n\r\n"
    )
    return first, middle, frames, last


class Turns:
    """Streams that are given frames in turn."""

    def __init__(self, streams: int, frames: int, rate: float) -> None:
        self.streams, self.frames, self.rate = streams, frames, rate
        self.waiting: list[tuple[socket.socket, bytes, bytes]] = []
        self.lock = threading.Lock()
        self.over = threading.Event()

    def join(self, sock: socket.socket, middle: bytes, last: bytes) -> None:
        with self.lock:
            self.waiting.append((sock, middle, last))
            if len(self.waiting) == self.streams:
                threading.Thread(target=self.give).start()
        self.over.wait()

    def give(self) -> None:
        due = time.perf_counter() + 0.5
        for _ in range(self.frames):
            for sock, middle, _last in self.waiting:
                while time.perf_counter() < due:
                    time.sleep(0)
                sock.send(middle)
                due += 1 / self.rate
        for sock, _middle, last in self.waiting:
            sock.sendall(last)
        self.waiting = []
        self.over.set()
        self.over = threading.Event()


def serve(sock: socket.socket, frames: int, hold: bool, turns: Turns | None) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    with sock:
        while True:
            while b"\r\n\r\n" not in buffer:
                data = sock.recv(65536)
                if not data:
                    return
                buffer += data
            head, _, rest = buffer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            while len(rest) < length:
                rest += sock.recv(65536)
            buffer = rest[length:]
            first, middle, count, last = (anthropic if b"/messages" in head.split(b"\r\n")[0] else openai)(frames)
            sock.sendall(HEAD + first)
            if hold:
                sock.recv(1)
                return
            if turns is not None:
                turns.join(sock, middle, last)
                return
            for _ in range(count):
                sock.send(middle)
            sock.sendall(last)


def main() -> None:
    port, frames, hold = int(sys.argv[1]), int(sys.argv[2]), "hold" in sys.argv
    turns = Turns(int(sys.argv[3]), frames, float(sys.argv[4])) if len(sys.argv) > 4 else None
    threading.stack_size(256 * 1024)
    listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, frames, hold, turns), daemon=True).start()


if __name__ == "__main__":
    main()
