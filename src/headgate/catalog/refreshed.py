"""A newer catalogue than the one that came along: read whole and checked whole before any of it counts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import msgspec

from headgate.catalog.entry import PERIOD, Entry
from headgate.catalog.shelf import Layer, layer

MAX_BYTES = 16 << 20
MAX_MODELS = 100_000
RATE = re.compile(r"\d{1,12}(\.\d{1,18})?")
CLASS = re.compile(r"(?:[a-z]+\.)?[a-z_0-9]+(?:>\d+|@[^\s]+)?")
FROM = re.compile(r"\d{4}-\d\d-\d\d")
HOURS = re.compile(r"\d\d:\d\d-\d\d:\d\d")


class BadCatalogue(ValueError):
    """The data is not a catalogue; it says why."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Data by provider; `origin` is the file or URL it is from, `sha256` its digest in hex."""

    layers: dict[str, Layer]
    origin: str
    sha256: str
    models: int

    @property
    def read(self) -> str:
        """The newest day on which its sources were read."""
        return max((s.read for layer in self.layers.values() for s in layer.head.sources.values()), default="")


def parse(data: bytes, origin: str, sha256: str | None = None) -> Refreshed:
    """One JSON object: provider to its data, as the files in `catalog/data` have it. Raises BadCatalogue."""
    digest = hashlib.sha256(data).hexdigest()
    if len(data) > MAX_BYTES:
        raise BadCatalogue(f"it is larger than {MAX_BYTES >> 20} MiB")
    if sha256 is not None and digest != sha256.lower():
        raise BadCatalogue(f"its SHA-256 is {digest}, not the one that is configured")
    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        layers = {kind: layer(bytes(part)) for kind, part in parts.items()}
        models = sum(_check(kind, one) for kind, one in layers.items())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadCatalogue(f"it cannot be read: {error}") from error
    if not models:
        raise BadCatalogue("there are no models in it")
    if models > MAX_MODELS:
        raise BadCatalogue(f"there are more than {MAX_MODELS} models in it")
    return Refreshed(layers, origin, digest, models)


def _check(kind: str, one: Layer) -> int:
    """Decodes every entry of a provider and counts them."""
    count = 0
    for id, line in one.lines.items():
        data = bytes(line)
        if data[:1] == b'"':
            target = one.lines.get(msgspec.json.decode(data, type=str))
            if target is None or bytes(target)[:1] == b'"':
                raise BadCatalogue(f"{kind}/{id} is another name of a model that is not there")
            continue
        entry = msgspec.json.decode(data, type=Entry)
        for period in entry.prices:
            for name, value in period.items():
                if not _sound(name, value):
                    raise BadCatalogue(f"{kind}/{id} has a price that is none: {name[:40]!r} is {value[:40]!r}")
        count += 1
    return count


def _sound(name: str, value: str) -> bool:
    if name in PERIOD:
        return bool((FROM if name == "from" else HOURS).fullmatch(value))
    return bool(CLASS.fullmatch(name) and RATE.fullmatch(value))
