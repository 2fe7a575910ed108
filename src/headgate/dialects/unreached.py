"""What dialects share that providers alone speak: no client's request is read in them, and no reply written.

The vendor's own clients go another way, unread: /{provider}/…
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.core.chat import Loss
from headgate.core.dialect import Relay, Writer
from headgate.core.errors import Unsupported
from headgate.core.request import Request


def read_request(fields: Mapping[str, Any]) -> Request:
    raise refused()


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    raise refused()


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    raise refused()


def refused() -> Unsupported:
    return Unsupported(
        "clients do not speak this API here; its own paths stand behind the provider's name: /{provider}/…"
    )
