"""What is installed, as far as it can be known without asking anybody: no list of vulnerabilities is read."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import date
from importlib import metadata

from headgate.config.audit.finding import Finding

ENDS = {
    (3, 11): date(2027, 10, 31),
    (3, 12): date(2028, 10, 31),
    (3, 13): date(2029, 10, 31),
    (3, 14): date(2030, 10, 31),
}
"""When the last security fixes of a Python come (devguide.python.org/versions)."""
AT_LEAST = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*])?\s*\(?>=\s*([0-9.]+)")


def findings(today: date, python: tuple[int, int] = sys.version_info[:2]) -> Iterator[Finding]:
    end = ENDS.get(python)
    if end is not None and today > end:
        name = f"Python {python[0]}.{python[1]}"
        yield Finding("high", "installed", name, f"has had no security fixes since {end}", "use a newer Python")
    yield from _outdated(metadata.requires("headgate") or [])


def _outdated(required: list[str]) -> Iterator[Finding]:
    """Packages that are older than what this gateway is tested with; those of extras may be away."""
    for requirement in required:
        match = AT_LEAST.match(requirement)
        if match is None:
            continue
        name, least = match.groups()
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if _numbers(installed) < _numbers(least):
            message = f"{installed} is installed, older than the {least} that is needed"
            yield Finding("medium", "installed", name, message, f"install {name}>={least}")


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else [0]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
