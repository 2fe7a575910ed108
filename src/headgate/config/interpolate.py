"""Puts environment variables into text: `${NAME}`, `${NAME:-default}`, and `$$` for one dollar sign."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MARK = re.compile(r"\$(?:\$|\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<broken>[^}\n]*\}?)))")


@dataclass(slots=True)
class Filled:
    """Text with its variables put in; `wrong` holds what was not possible, as (message, hint)."""

    text: str
    names: list[str] = field(default_factory=list)
    """The variables whose values stand in `text`."""
    wrong: list[tuple[str, str]] = field(default_factory=list)


def fill(text: str, environ: Mapping[str, str]) -> Filled:
    """Replace every `${NAME}` by its value, `${NAME:-default}` by its value unless unset or empty, `$$` by `$`.

    What is put in is not read again. A dollar sign before anything else stays as it is.
    """
    filled = Filled(text)
    if "$" not in text:
        return filled
    pieces: list[str] = []
    end = 0
    for match in MARK.finditer(text):
        pieces += text[end : match.start()], _value(match, environ, filled)
        end = match.end()
    filled.text = "".join(pieces) + text[end:]
    return filled


def _value(match: re.Match[str], environ: Mapping[str, str], filled: Filled) -> str:
    name, default = match["name"], match["default"]
    if name is None:
        if match["broken"] is not None:
            filled.wrong.append((f"`{match[0]}` is not a variable", "write ${NAME}, or $$ for a dollar sign"))
        return "$"
    value = environ.get(name)
    if default is not None:
        if not value:
            return str(default)
    elif value is None:
        filled.wrong.append((f"the environment variable {name} is not set", _advice(name, environ)))
        return ""
    filled.names.append(name)
    return str(value)


def _advice(name: str, environ: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(name, list(environ), n=1, cutoff=0.8)
    if close:
        return f"did you mean {close[0]}? Otherwise set it, or give a default: ${{{name}:-…}}"
    return f"set it before the start (export {name}=…), or give a default: ${{{name}:-…}}"
