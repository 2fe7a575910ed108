"""What a worker asks or is bound by, as the configuration says: the shared state, who fetches, processes beside it."""

from __future__ import annotations

import ipaddress

from headgate.config.schema import Config
from headgate.core.agreement import Agreement
from headgate.core.limits.ledger import clock
from headgate.core.standing import Board
from headgate.server.beside import Beside
from headgate.server.drain import Drain
from headgate.server.lifecycle import Lifecycle
from headgate.server.refusals import Limits
from headgate.server.share import Share
from headgate.state.limits import SharedCounters
from headgate.state.redis import Redis
from headgate.upstream.client import Client
from headgate.upstream.fetch import Bounds, Fetcher
from headgate.upstream.proxy import Proxies
from headgate.upstream.public import Public


def beside(config: Config, records: str | None, lifecycle: Lifecycle) -> list[Beside]:
    """The processes that take records from the journal."""
    found: list[Beside] = [Drain(config.data_dir, records, lifecycle)] if records else []
    if config.traces.endpoint is not None:
        from headgate.server.tracing import Tracing

        found.append(Tracing(config, lifecycle))
    return found


def share(config: Config, board: Board) -> Share | None:
    state = config.state
    if state.url is None:
        return None
    redis = Redis(state.url.get_secret_value(), state.prefix, state.ca_file)
    return Share(Agreement(board, redis.me), redis)


def counters(config: Config) -> SharedCounters | None:
    state = config.state
    if state.url is None:
        return None
    url = state.url.get_secret_value()
    return SharedCounters(url, state.prefix, state.ca_file, clock=clock, patience=state.patience, share=state.share)


def fetcher(config: Config) -> Fetcher | None:
    """Without proxies: what a proxy connects to cannot be checked."""
    fetch = config.fetch
    if not fetch.enabled:
        return None
    ca_file = str(config.upstream.ca_file) if config.upstream.ca_file else None
    resolve = Public([ipaddress.ip_network(network, strict=False) for network in fetch.networks])
    client = Client(ca_file=ca_file, proxies=Proxies({}), resolve=resolve)
    bounds = Bounds(
        fetch.hosts, fetch.ports, fetch.max_bytes, fetch.timeout, fetch.redirects, together=fetch.max_total_bytes
    )
    return Fetcher(client, bounds)


def limits(config: Config) -> Limits:
    server = config.server
    return Limits(
        header_timeout=server.header_timeout,
        body_idle_timeout=server.body_idle_timeout,
        min_body_rate=server.min_body_rate,
        write_timeout=server.write_timeout,
        keep_alive=server.keep_alive,
        max_header_bytes=server.max_header_bytes,
        max_headers=server.max_headers,
        max_connections=server.max_connections,
        max_requests=server.max_requests,
        max_body_bytes=server.max_body_bytes,
    )
