"""What the process that watches hears from the gateway: lines of its standard input, and what these are made of.

Apart from what watches, which the gateway has no need to load.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from headgate.alerts.rule import Labels, Told

SHARED = "limit_used"
"""The one metric that all instances have alike."""


class Begin(msgspec.Struct, tag="begin"):
    """Where it is: the data directory, the store, the database of records (None: there is none)."""

    data_dir: str
    store: str
    records: str | None
    me: str
    instance: str
    plugins: list[str] = []
    """Folders in which channels of one's own are."""


class Now(msgspec.Struct, tag="now"):
    """What the configuration says from now on."""

    told: Told


class Sample(NamedTuple):
    """A series of a metric: what it was when. Of a counter, how much it has grown is what counts."""

    name: str
    labels: Labels
    value: float
    counter: bool = False


class Samples(msgspec.Struct, tag="samples"):
    """How the metrics of this instance are."""

    items: list[Sample]
