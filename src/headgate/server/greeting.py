"""What a person at a terminal needs to know at the start: where, with what, and a request to paste."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import headgate
from headgate.config import discover
from headgate.config.admin_key import VARIABLE
from headgate.config.load import Loaded
from headgate.server.lifecycle import Listener

NAMED = 6
"""Of more providers or models than so many, the rest is counted."""
REASONS = 4
"""Of more reasons than so many, all stand on one line."""
EVERYWHERE = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}


def greeting(loaded: Loaded, new_key: str | None, listener: Listener, environ: Mapping[str, str]) -> str:
    """A dozen lines at most, but for warnings. `new_key` is the admin key where it was made just now."""
    url = listener.url
    for everywhere, here in EVERYWHERE.items():
        url = url.replace(everywhere, here)
    say = [f"Headgate {headgate.__version__} on {url}", *(f"  {line}" for line in _found(loaded))]
    say += [f"warning: {warning}" for warning in loaded.warnings]
    if new_key is not None:
        say += ["", f"The admin key, shown this once: {new_key}"]
    model = loaded.sample or next(iter(loaded.config.models), None)
    if model is not None and not url.startswith("unix:"):
        key, where = _key(loaded, new_key, environ)
        say += [
            "",
            "Try it:",
            f"curl {url}/v1/chat/completions -H {key} -H 'content-type: application/json' "
            f"""-d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'""",
            *where,
        ]
    return "\n".join(say)


def _found(loaded: Loaded) -> list[str]:
    """What was taken, and from where."""
    config = loaded.config
    reasons = list(loaded.reasons) if len(loaded.reasons) <= REASONS else [" ".join(loaded.reasons)]
    if loaded.path is None:
        found = ["no configuration file; found here:", *reasons]
    else:
        names = f"providers: {_named(config.providers)}; models: {_named(config.models)}"
        found = [f"configuration: {_short(loaded.path)}", names, *reasons]
    return [*found, f"data: {_short(config.data_dir)}"]


def _named(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return (", ".join(found[:NAMED]) or "none") + more


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _key(loaded: Loaded, new_key: str | None, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The curl line's header, quoted for the shell, and where its key comes from if it is not in it."""
    if new_key is not None:
        return f"'authorization: Bearer {new_key}'", []
    if VARIABLE in environ:
        return f'"authorization: Bearer ${VARIABLE}"', [f"(${VARIABLE} is the admin key)"]
    told = f"(HEADGATE_KEY: the admin key of the first start, or `{_advice(loaded, environ)}` makes another)"
    return '"authorization: Bearer $HEADGATE_KEY"', [told]


def _advice(loaded: Loaded, environ: Mapping[str, str]) -> str:
    """The command that makes another admin key for this very gateway."""
    words = [*command(sys.argv[0], sys.executable), "key", "admin", "--new"]
    if "data_dir" in loaded.overrides:
        words += ["--data-dir", str(_short(loaded.config.data_dir))]
    elif loaded.path is not None:
        usual = discover.default_path(environ, Path.cwd())
        if usual is None or usual.absolute() != loaded.path:
            words += ["--config", str(_short(loaded.path))]
    return shlex.join(words)


def command(started: str, python: str) -> list[str]:
    """How to type `headgate`, from argv[0] and the interpreter: its name where PATH has it, else its path."""
    name = os.path.basename(started)
    if name == "__main__.py":
        beside = Path(python).with_name("headgate")
        if not beside.exists():
            return [str(_short(Path(python))), "-m", "headgate"]
        started, name = str(beside), "headgate"
    on_path = shutil.which(name)
    if on_path is not None and os.path.realpath(on_path) == os.path.realpath(started):
        return [name]
    return [str(_short(Path(started).absolute()))]
