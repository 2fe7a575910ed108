"""The admin key: made at the first start and shown once; only its hash is kept, in the data directory."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from headgate.config.problems import ConfigError, Problem
from headgate.config.secrets import SHORT_KEY, hash_key, new_key, well_known

VARIABLE = "HEADGATE_ADMIN_KEY"
FILE = "admin_key"
DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")


def ensure(data_dir: Path, environ: Mapping[str, str]) -> str | None:
    """Make the key if there is none yet; gives it when it was made just now, else None.

    Raises ConfigError when the data directory cannot be used or HEADGATE_ADMIN_KEY is not fit to be a key.
    """
    _folder(data_dir)
    if VARIABLE in environ:
        _from_environment(environ)
        return None
    if (data_dir / FILE).exists():
        read(data_dir, environ)
        return None
    return replace(data_dir)


def read(data_dir: Path, environ: Mapping[str, str]) -> str:
    """The SHA-256 (hex) of the key: of HEADGATE_ADMIN_KEY where it is set, else from the file. Raises ConfigError."""
    if VARIABLE in environ:
        return hash_key(_from_environment(environ))
    path = data_dir / FILE
    advice = "make a new one: headgate key admin --new"
    try:
        match = DIGEST.match(path.read_text("ascii").strip())
    except OSError as error:
        raise _error(path, f"the admin key's file cannot be read: {error.strerror}", advice) from error
    except UnicodeDecodeError as error:
        raise _error(path, "the admin key's file is damaged", advice) from error
    if match is None:
        raise _error(path, "the admin key's file is damaged", advice)
    return match[1]


def replace(data_dir: Path) -> str:
    """Make a new key in place of the old one, which is worth nothing from the next start or reload on. Gives the key.

    Raises ConfigError when the data directory cannot be written.
    """
    _folder(data_dir)
    key = new_key()
    path = data_dir / FILE
    try:
        handle, name = tempfile.mkstemp(prefix=".admin_key-", dir=data_dir)  # 0600 from its first moment
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"sha256:{hash_key(key)}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise _error(path, f"the admin key cannot be written: {error.strerror}", "check the rights") from error
    return key


def _folder(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        hint = "set data_dir, or --data-dir, to a directory that can be written"
        raise _error(data_dir, f"the data directory cannot be made: {error.strerror}", hint) from error


def _from_environment(environ: Mapping[str, str]) -> str:
    key = environ[VARIABLE]
    advice = "make one with `headgate key new`, or unset the variable"
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise _error(None, f"{VARIABLE} must be printable ASCII without spaces", advice)
    if len(key) < SHORT_KEY or well_known(key):
        raise _error(None, f"{VARIABLE} is too easy to guess: it needs at least {SHORT_KEY} characters", advice)
    return key


def _error(path: Path | None, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(str(path) if path else "environment", 0, 0, "", message, hint)])
