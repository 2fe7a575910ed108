"""The dispatch: sends records from the journal to the sinks, in a process of its own beside the gateway.

`python -m headgate.records.dispatch` is started and ended as the drain is (drain.py), with the sinks in its settings.
Each sink has a thread, so that none waits for another; what befalls them, it tells in lines of JSON on its standard
output. It may be killed at any moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.plugin import load
from headgate.records import progress
from headgate.records.beside import alone, begun, say
from headgate.records.delivery import Delivery, Tell
from headgate.records.drain import EVERY
from headgate.records.sinks.sink import Sink

LOCK = Path("run") / "dispatch.lock"
"""In the data directory."""
LONGEST_PAUSE = 30.0
"""The most seconds after which a sink that took nothing is tried again."""


class Sending(msgspec.Struct):
    """A sink: its name, its kind, and what it is told, secrets included."""

    name: str
    kind: str
    told: dict[str, Any]


class Settings(msgspec.Struct):
    """Where the journal is, and the sinks."""

    data_dir: str
    sinks: list[Sending]


def made(sending: Sending) -> Sink:
    """Raises PluginNotFound."""
    kind = load("records.sinks", sending.kind, Sink)  # type: ignore[type-abstract]  # python/mypy#4717
    settings = kind.Settings.model_validate(sending.told)
    settings._kind = sending.kind
    return kind(settings)


def work(delivery: Delivery, ending: threading.Event) -> None:
    """Until the gateway is gone and the sink has what it has left, or takes nothing."""
    pause = EVERY
    while True:
        last = ending.is_set()
        try:
            more = delivery.turn(time.time(), last=last)
        except Exception as error:  # noqa: BLE001 - whatever a sink or its library raises, its thread goes on
            delivery.failed(error, time.time())
            pause, more = min(2 * pause, LONGEST_PAUSE), False
        else:
            delivery.worked()
            pause = EVERY
        if last and not more:
            delivery.sink.close()
            return
        if not more:
            ending.wait(pause)


def deliveries(settings: Settings, tell: Tell) -> list[Delivery]:
    """Sinks that are no more are forgotten, and new ones are known from now on. Raises PluginNotFound, OSError."""
    data_dir = Path(settings.data_dir)
    progress.keep_only(data_dir, [each.name for each in settings.sinks])
    found = [Delivery(data_dir, each.name, made(each), tell) for each in settings.sinks]
    for delivery in found:
        progress.save(data_dir, delivery.name, delivery.progress)
    return found


def run(started: Sequence[Delivery], ending: threading.Event) -> None:
    threads = [threading.Thread(target=work, args=(each, ending), name=each.name) for each in started]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    settings, ending = begun(Settings)
    if alone(Path(settings.data_dir) / LOCK, ending):
        run(deliveries(settings, say), ending)


if __name__ == "__main__":
    main()
