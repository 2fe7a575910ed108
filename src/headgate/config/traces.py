"""Traces of requests for an OpenTelemetry collector: where they go, and of which requests they are made."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from headgate.config.section import Section
from headgate.core.trace import Sampling
from headgate.providers.settings import Seconds

PATH = "/v1/traces"
"""Of a receiver (https://opentelemetry.io/docs/specs/otlp/#otlphttp-request)."""
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
Attribute = Annotated[str, Field(max_length=1000)]


class Traces(Section):
    """Traces of requests, sent to an OpenTelemetry collector by a process beside the gateway."""

    endpoint: str | None = Field(
        None,
        description="The receiver's base URL (OTLP over HTTP), such as `http://127.0.0.1:4318`; `/v1/traces` is put "
        "behind it. Left out: no traces.",
    )
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Headers sent there, such as a key of the receiver's."
    )
    ca_file: Path | None = Field(
        None,
        description="PEM file of the certificate authorities that its certificate may come from, relative to the "
        "configuration file. Left out: well-known ones.",
    )
    ratio: float = Field(0.05, ge=0, le=1, description="Share of the requests that are traced.")
    follow: bool = Field(
        True,
        description="Where a client with a key sends a `traceparent`, its decision counts instead of `ratio`. "
        "Turn it off where clients are not to decide.",
    )
    failed: bool = Field(True, description="Trace every request that fails or breaks off, whatever `ratio` says.")
    slower_than: Seconds | None = Field(
        None, description="Trace every request that takes so many seconds, whatever `ratio` says. Left out: none."
    )
    service: str = Field("headgate", min_length=1, max_length=200, description="The `service.name` of the spans.")
    attributes: dict[str, Attribute] = Field(
        default_factory=dict,
        description="What else is so of this gateway: `deployment.environment.name: production`.",
    )

    @property
    def sampling(self) -> Sampling | None:
        """None: there are no traces."""
        if self.endpoint is None:
            return None
        return Sampling(self.ratio, self.follow, self.failed, inf if self.slower_than is None else self.slower_than)

    @property
    def address(self) -> str:
        """Where spans are sent to."""
        assert self.endpoint is not None
        base = self.endpoint.rstrip("/")
        return base if base.endswith(PATH) else base + PATH


def check(traces: Traces, tell: Tell) -> None:
    """Tell what is wrong with it."""
    if traces.endpoint is None:
        return
    try:
        url = urlsplit(traces.endpoint)
        fits = url.scheme in ("http", "https") and bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or url.query or url.fragment:
        tell(("traces", "endpoint"), "not the address of a receiver", "write it like http://127.0.0.1:4318")
    elif url.username or url.password:
        tell(("traces", "endpoint"), "there is a secret in it, which logs would show", "put it into `traces.headers`")
    if not installed():
        tell(("traces",), "`endpoint` needs OpenTelemetry's SDK, which is not there", "install headgate[traces]")


def installed() -> bool:
    """Whether the packages for it are there."""
    try:
        return all(find_spec(name) is not None for name in PACKAGES)
    except ModuleNotFoundError:  # of a package that they are in
        return False
