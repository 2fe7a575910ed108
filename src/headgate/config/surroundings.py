"""What a configuration needs of the machine it is served on: addresses that resolve, a data directory to write in."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from headgate.config import admin_key, caching, surrogates
from headgate.config.problems import ConfigError
from headgate.config.schema import Config
from headgate.config.sinks import lacking

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""


def check(config: Config, environ: Mapping[str, str], tell: Tell) -> None:
    """Tell what `headgate serve` would refuse to start with. Nothing is made, bound or connected to."""
    _host(config.server.host, ("server", "host"), tell)
    if config.server.admin is not None:
        _host(config.server.admin.host, ("server", "admin", "host"), tell)
    _writable(config.data_dir, tell)
    for index, sink in enumerate(config.records.sinks):
        missing = lacking(sink)
        if missing is not None:
            hint = f"pip install 'headgate[{missing[1]}]'"
            tell(("records", "sinks", index, "kind"), f"this sink needs {missing[0]}, which is not installed", hint)
    caching.check_package(config.cache, environ, tell)
    surrogates.check_surroundings(config.surrogates, environ, tell)
    _admin_key(config.data_dir, environ, tell)


def _host(host: str, path: tuple[str, ...], tell: Tell) -> None:
    try:
        socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):  # a label of more than 63 characters is a UnicodeError
        tell(path, "this host is not known here", "write an address of this machine, such as 127.0.0.1 or 0.0.0.0")


def _writable(folder: Path, tell: Tell) -> None:
    hint = "set data_dir to a directory that can be written"
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            folder.lstat()  # a name that is too long or a folder that is closed is an OSError of another kind
        there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
        if not there.is_dir():
            tell(("data_dir",), "the data directory cannot be made: a file is in its way", hint)
        elif not os.access(there, os.W_OK | os.X_OK):
            what = "written" if there == folder else "made"
            tell(("data_dir",), f"the data directory cannot be {what}: no right to write there", hint)
    except OSError as error:
        tell(("data_dir",), f"the data directory cannot be used: {error.strerror}", hint)


def _admin_key(folder: Path, environ: Mapping[str, str], tell: Tell) -> None:
    try:
        if admin_key.VARIABLE in environ or os.path.lexists(folder / admin_key.FILE):
            admin_key.read(folder, environ)
    except ConfigError as error:
        for problem in error.problems:
            tell(("data_dir",), problem.message, problem.hint)
