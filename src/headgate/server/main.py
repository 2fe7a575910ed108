"""Starts the gateway: sockets, workers, and in each worker the parts that serve."""

from __future__ import annotations

import errno
import logging
import os
import socket
import ssl
import sys

import click

from headgate.config import admin_key
from headgate.config.load import Loaded
from headgate.config.schema import Config, Log
from headgate.journal.segments import repair
from headgate.server.greeting import greeting
from headgate.server.lifecycle import Lifecycle, Listener, Service, Stopping
from headgate.server.listen import allow_many_files, bind, inherited
from headgate.server.parts import Control, Parts
from headgate.server.supervise import run
from headgate.telemetry import logs, workers

log = logging.getLogger("headgate.server")


def serve(loaded: Loaded, control: Control | None = None) -> int:
    """Serve until stopped; gives the exit code. `control` makes the admin API of a process.

    Raises ConfigError, or OSError when an address cannot be had.
    """
    config = loaded.config
    new_key = admin_key.ensure(config.data_dir, os.environ)
    folder = config.data_dir / "journal"
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    _log_plainly(config.log, loaded.secrets)
    for mended in repair(folder):
        log.warning("journal: %s", mended)
    if config.server.workers > 1:
        workers.clear(config.data_dir / "run")
    allow_many_files()
    listeners = _listeners(config)
    click.echo(greeting(loaded, new_key, listeners[0], os.environ))

    async def factory(lifecycle: Lifecycle) -> Service:
        try:
            return await Parts(loaded, lifecycle, control).start()
        except ValueError as error:
            click.echo(f"headgate: {error}", err=True)
            raise SystemExit(2) from error

    stopping = Stopping(config.server.drain_delay, config.server.drain_timeout)
    return run(
        factory, listeners, workers=config.server.workers, stopping=stopping, reuse_port=config.server.reuse_port
    )


def _log_plainly(settings: Log, secrets: frozenset[str]) -> None:
    """Before and after the parts, and in the parent of workers: each entry is written by who makes it.

    A thread that writes, as each worker has, would not survive the fork.
    """
    terminal = sys.stderr.isatty()
    as_json = settings.format == "json" or (settings.format is None and not terminal)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logs.Formatter(logs.Redactor(secrets), as_json=as_json, colour=terminal and not as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())


def _listeners(config: Config) -> list[Listener]:
    """The sockets of whoever started us, else our own; the admin listener is always our own."""
    server = config.server
    context = None
    if server.tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(server.tls.cert, server.tls.key)
    sockets = inherited(os.environ)
    if not sockets:
        try:
            sockets = bind(server.host, server.port, reuse_port=server.reuse_port)
        except OSError as error:
            raise cannot_listen(error, "server", server.host, server.port) from error
    listeners = [Listener(sock, tls=context) for sock in sockets]
    if server.admin is not None:
        try:
            admin = bind(server.admin.host, server.admin.port)
        except OSError as error:
            raise cannot_listen(error, "server.admin", server.admin.host, server.admin.port) from error
        listeners += [Listener(sock, face="admin") for sock in admin]
    return listeners


def cannot_listen(error: OSError, section: str, host: str, port: int) -> OSError:
    """The same error with the address, and with what is likely to mend it."""
    other = "--port" if section == "server" else f"{section}.port"
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        advice = f": check {section}.host, which is no address of this machine"
    elif error.errno == errno.EADDRINUSE:
        advice = f": is another gateway running? {other} takes another"
    elif error.errno in (errno.EACCES, errno.EPERM):
        advice = f": ports below 1024 need rights (CAP_NET_BIND_SERVICE); {other} takes another"
    else:
        advice = ""
    return OSError(error.errno, f"cannot listen there ({error.strerror}){advice}", f"{host}:{port}")
