"""The process model: one process that serves, or a parent that keeps N of them alive."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import FrameType

from headgate.server.lifecycle import Factory, Listener, Stopping
from headgate.server.listen import BACKLOG, allow_many_files, prepare
from headgate.server.worker import DRAIN, READY, RELOAD, STOP, run_worker

log = logging.getLogger("headgate.server")

SETTLED = 10.0
"""A worker that lived so many seconds is replaced at once; others after a pause that doubles up to LONGEST_PAUSE."""
LONGEST_PAUSE = 30.0
TURN = 0.02
GRACE = 10.0
"""Seconds after the drain's end in which a worker has to be gone before it is killed."""


def run(
    factory: Factory,
    listeners: Sequence[Listener],
    *,
    workers: int = 1,
    stopping: Stopping | None = None,
    reuse_port: bool = False,
) -> int:
    """Serves until stopped; gives the exit code (0: clean, 1: requests were cancelled or a worker did not start).

    With one worker this is the serving process. With more, this one forks them, so that they share the sockets and
    whatever was imported; nothing may be running on a loop or a thread yet. `reuse_port` gives every worker a socket
    of its own (the kernel then spreads connections evenly; the listeners must have been bound with it).
    """
    stopping = stopping or Stopping()
    allow_many_files()
    if workers == 1:
        return run_worker(factory, listeners, stopping)
    return Parent(factory, listeners, workers, stopping, reuse_port=reuse_port).run()


@dataclass(slots=True)
class Child:
    """A worker process, seen from its parent."""

    pid: int
    line: socket.socket
    born: float
    ready: bool = False

    def hear(self) -> None:
        """It says that it serves; or its end is closed because it is dying, which SIGCHLD will tell soon."""
        try:
            self.ready = self.line.recv(64) == READY
        except OSError:
            self.ready = False
        if not self.ready:
            time.sleep(TURN)


class Parent:
    """Forks the workers, replaces dead ones, passes signals on."""

    def __init__(
        self, factory: Factory, listeners: Sequence[Listener], workers: int, stopping: Stopping, *, reuse_port: bool
    ) -> None:
        self.factory = factory
        self.stopping = stopping
        self.listeners = [
            [replace(one, sock=twin(one.sock)) for one in listeners] if reuse_port and number else list(listeners)
            for number in range(workers)
        ]
        self.children: dict[int, Child] = {}
        self.due: dict[int, float] = dict.fromkeys(range(workers), 0.0)
        """When which worker is to be started."""
        self.pauses = [0.0] * workers
        self.asked: list[int] = []
        self.draining = 0.0
        self.code = 0
        self.wake, self.waker = socket.socketpair()

    def run(self) -> int:
        self.wake.setblocking(False)
        self.waker.setblocking(False)
        previous = signal.set_wakeup_fd(self.waker.fileno())
        signs = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        handlers = {sign: signal.signal(sign, self.note) for sign in signs}
        try:
            while not self.draining or self.children:
                self.turn()
        finally:
            for sign, handler in handlers.items():
                signal.signal(sign, handler)
            signal.set_wakeup_fd(previous)
            self.wake.close()
            self.waker.close()
        log.info("stopped")
        return self.code

    def note(self, sign: int, frame: FrameType | None) -> None:
        self.asked.append(sign)

    def turn(self) -> None:
        """Waits for something to happen, and deals with it."""
        now = time.monotonic()
        for number in [number for number, when in self.due.items() if when <= now]:
            del self.due[number]
            self.start(number)
        lines = {child.line: number for number, child in self.children.items() if not child.ready}
        found, _, _ = select.select([self.wake, *lines], [], [], self.patience(now))
        for line in found:
            if line is self.wake:
                self.wake.recv(4096)
            else:
                self.children[lines[line]].hear()
        asked, self.asked = self.asked, []
        for sign in asked:
            self.obey(sign)
        self.bury()
        self.hurry()

    def patience(self, now: float) -> float:
        """Seconds until something is due; at most one, less while draining."""
        return max(0.0, min([TURN if self.draining else 1.0, *(when - now for when in self.due.values())]))

    def obey(self, sign: int) -> None:
        if sign == signal.SIGHUP:
            self.tell(RELOAD)
        elif sign in (signal.SIGTERM, signal.SIGINT):
            if self.draining:
                self.tell(STOP)
            else:
                self.drain()

    def drain(self) -> None:
        self.draining = time.monotonic()
        self.due.clear()
        self.tell(DRAIN)

    def tell(self, order: bytes) -> None:
        for child in self.children.values():
            try:
                child.line.send(order)
            except OSError:
                continue

    def hurry(self) -> None:
        """While draining: the parent's listeners close when the workers' do; a worker that does not end is killed."""
        if not self.draining:
            return
        since = time.monotonic() - self.draining
        if since >= self.stopping.delay:
            for listeners in self.listeners:
                for listener in listeners:
                    listener.sock.close()
        if since > self.stopping.delay + self.stopping.timeout + GRACE:
            for child in self.children.values():
                os.kill(child.pid, signal.SIGKILL)

    def start(self, number: int) -> None:
        """Forks worker `number`."""
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self.become(number, ours, theirs)
        theirs.close()
        self.children[number] = Child(pid, ours, time.monotonic())
        log.info("worker %d is process %d", number, pid)

    def become(self, number: int, ours: socket.socket, theirs: socket.socket) -> None:
        """In the child: serves, and never comes back."""
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(sign, signal.SIG_IGN if sign in (signal.SIGINT, signal.SIGHUP) else signal.SIG_DFL)
            # Open, these would keep the siblings from noticing that the parent is dead
            for line in (ours, self.wake, self.waker, *(child.line for child in self.children.values())):
                line.close()
            mine = [listener.sock for listener in self.listeners[number]]
            for listeners in self.listeners:
                for listener in listeners:
                    if listener.sock not in mine:
                        listener.sock.close()
            code = run_worker(self.factory, self.listeners[number], self.stopping, worker=number, line=theirs)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:  # noqa: BLE001 - nothing may unwind into the parent's stack
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def bury(self) -> None:
        """Takes note of workers that have ended."""
        for number, child in list(self.children.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                del self.children[number]
                child.line.close()
                self.ended(number, child, os.waitstatus_to_exitcode(status))

    def ended(self, number: int, child: Child, code: int) -> None:
        if self.draining:
            self.code = self.code or (1 if code else 0)
            if code not in (0, 1):
                log.error("worker %d (process %d) %s while stopping", number, child.pid, how(code))
            return
        if not child.ready and not self.pauses[number] and code > 0:
            # It never served, so another try would end alike: let whoever started us see it
            log.error("worker %d (process %d) %s before it served: stopping", number, child.pid, how(code))
            self.code = code
            self.drain()
            return
        lived = time.monotonic() - child.born
        pause = 0.1 if lived > SETTLED else min(LONGEST_PAUSE, max(0.1, 2 * self.pauses[number]))
        self.pauses[number] = pause
        self.due[number] = time.monotonic() + pause
        log.error("worker %d (process %d) %s: replaced in %g s", number, child.pid, how(code), pause)


def how(code: int) -> str:
    """The end of a process in words, from its exit code (negative: the signal that killed it)."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal, which has no name
        return f"was killed by signal {-code}"


def twin(sock: socket.socket) -> socket.socket:
    """Another socket that listens on the same address. Raises OSError when the first was bound without reuse_port."""
    other = socket.socket(sock.family, sock.type, sock.proto)
    prepare(other, reuse_port=True)
    other.bind(sock.getsockname())
    other.listen(BACKLOG)
    return other
