"""What one serving process is made of: journal, counters, upstream client, and the snapshot in force."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import headgate
from headgate.catalog.refreshed import Refreshed
from headgate.config import admin_key
from headgate.config.load import Loaded, places_of
from headgate.config.problems import ConfigError
from headgate.config.schema import Config
from headgate.core import plugin
from headgate.core.errors import GatewayError, RequestError
from headgate.core.ids import Ids
from headgate.core.limits.ledger import Ledger
from headgate.core.plugin import PluginNotFound
from headgate.core.ports import Embedder
from headgate.core.record import Record
from headgate.core.standing import Board
from headgate.identity.introspection import Introspection
from headgate.identity.jwt import Issuer
from headgate.journal.journal import Journal
from headgate.journal.segments import nowhere
from headgate.runtime.build import build, limits_of
from headgate.runtime.embedders import preload
from headgate.runtime.gateway import Gateway, Ports
from headgate.server import drain, finished, found, lag, means
from headgate.server.alerting import Alerting
from headgate.server.answers import Answers
from headgate.server.app import App, Mounted, Page, Receive, Scope, Send
from headgate.server.budgets import Budgets
from headgate.server.checks import Checks
from headgate.server.clearing import PATH as CLEARING
from headgate.server.clearing import Clearing
from headgate.server.feedback import PATH as FEEDBACK
from headgate.server.feedback import Feedback
from headgate.server.fixed import waiting
from headgate.server.follow import Follow
from headgate.server.health import Live, Ready
from headgate.server.health import Metrics as MetricsPage
from headgate.server.keeper import Keeper
from headgate.server.learned import Learned
from headgate.server.lifecycle import Lifecycle, Service
from headgate.server.models import PATHS as MODELS_PATHS
from headgate.server.models import Models
from headgate.server.operator import DECISIONS, TARGETS, Decisions, Operator, Targets
from headgate.server.payloads import Payloads
from headgate.server.refresh import Refresh
from headgate.server.refusals import Headers
from headgate.server.reminder import Reminder
from headgate.server.renew import Renew
from headgate.server.respond import identity
from headgate.server.sinks import Dispatch
from headgate.server.vaults import Vaults
from headgate.server.watched import watched
from headgate.store.sealing import Keyring, Seal
from headgate.telemetry import logs, workers
from headgate.telemetry.exposition import Exposition
from headgate.telemetry.metrics import Metrics
from headgate.upstream.client import Client

log = logging.getLogger("headgate.server")

ADMIN_API = b"/admin/api/"


class Controlling(Protocol):
    """The admin API as it is mounted."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    async def close(self) -> None: ...


Control = Callable[["Parts"], Controlling]


class OfWorker(logging.Filter):
    """Lets all entries pass, with the number of the worker that writes them."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self.worker = worker

    def filter(self, record: logging.LogRecord) -> bool:
        record.worker = self.worker
        return True


class Parts:
    """One process's parts, and the snapshot in force; `gateway` is swapped whole when the configuration changes."""

    def __init__(self, loaded: Loaded, lifecycle: Lifecycle, control: Control | None = None) -> None:
        self.loaded = self.started_with = loaded
        _keep(loaded)
        self.lifecycle = lifecycle
        config = loaded.config
        self.logs = logs.start(config.log.level, form=config.log.format or "auto", secrets=loaded.secrets)
        if config.server.workers > 1:
            for handler in logging.getLogger().handlers:
                handler.addFilter(OfWorker(lifecycle.worker))
        self.next_id = Ids()
        records = places_of(config).records
        self.journal = Journal(
            config.data_dir / "journal",
            worker=lifecycle.worker,
            segment_bytes=config.journal.segment_bytes,
            max_bytes=config.journal.max_bytes,
            buffer_bytes=config.journal.buffer_bytes,
            fsync=config.journal.fsync,
            on_trouble=log.log,
            elsewhere=drain.elsewhere(config.data_dir) if records is not None else nowhere,
        )
        self.beside = means.beside(config, records, lifecycle) if lifecycle.worker == 0 else []
        self.alerting = Alerting(self, lifecycle) if lifecycle.worker == 0 else None
        self.dispatch = Dispatch(self, lifecycle) if lifecycle.worker == 0 else None
        self.beside += (each for each in (self.alerting, self.dispatch) if each is not None)
        self.running: list[asyncio.Task[None]] = []
        self.payloads = Payloads(config, lifecycle, self._seal)
        self.upstream = Client(
            ca_file=str(config.upstream.ca_file) if config.upstream.ca_file else None,
            max_connections_per_origin=config.upstream.max_connections,
        )
        self.fetcher = means.fetcher(config)
        self.refresh = Refresh(config, self.upstream)
        self.refreshed = self.refresh.load()
        self.refreshing: asyncio.Task[None] | None = None
        self.checking: asyncio.Task[None] | None = None
        self.sharing: asyncio.Task[None] | None = None
        self.following: asyncio.Task[None] | None = None
        self.lagging: asyncio.Task[None] | None = None
        self.saving: asyncio.Task[None] | None = None
        self.reminding: asyncio.Task[None] | None = None
        self.renewing: asyncio.Task[None] | None = None
        self.keeping: asyncio.Task[None] | None = None
        self.reloading = asyncio.Lock()
        store = config.store.url
        self.follow = Follow(
            config.data_dir, store.get_secret_value() if store else None, lambda: self.loaded.held.revision, self.reload
        )
        self.answers = Answers(config, self._seal)
        self.vaults = Vaults(config, self._seal)
        self.clearing: asyncio.Task[None] | None = None
        self.forgetting: asyncio.Task[None] | None = None
        self.board = Board()
        self.counters = means.counters(config)
        self.counting: asyncio.Task[None] | None = None
        self.ledger = Ledger(self.counters)
        self.issuers: dict[str, Issuer | Introspection] = {}
        self.embedders: dict[str, Embedder] = {}
        self.share = means.share(config, self.board)
        by_key = config.server.metrics_by_key
        self.metrics = Metrics(worker=lifecycle.worker, pid=os.getpid(), models=config.models, by_key=by_key)
        self.gateway = self._build(loaded, self.refreshed)
        self.budgets = Budgets(config.data_dir, self.ledger, self.journal, lifecycle.worker)
        self.budgets.load(limits_of(config))
        self.learned = Learned(config.data_dir, self.board.ratios)
        self.learned.load()
        self.learning: asyncio.Task[None] | None = None
        self.control = control(self) if control is not None else None
        """The admin API."""

    async def start(self) -> Service:
        config = self.loaded.config
        together = config.server.workers > 1
        self.shared = workers.Workers(config.data_dir / "run", self.metrics) if together else None
        pages = self._pages(config)
        mounts: dict[bytes, Mounted] = {ADMIN_API: self.control} if self.control is not None else {}
        said: dict[bytes, Mounted] = {
            FEEDBACK: Feedback(self, partial(found.record, places_of(config)), self.answers.verdicts),
            CLEARING: Clearing(self, self.answers),
        }
        public = said if config.server.admin else {**said, **mounts}
        app = App(self, pages, mounts=public, worker=self.lifecycle.worker)
        self.metrics.watch(watched(self, app))
        self._keep_refreshing()
        self.clearing = asyncio.get_running_loop().create_task(self.answers.run())
        self.forgetting = asyncio.get_running_loop().create_task(self.vaults.run())
        self.lagging = asyncio.get_running_loop().create_task(lag.watch(self.metrics.late))
        checks = Checks(self, self.next_id, self.lifecycle.worker)
        self.checking = asyncio.get_running_loop().create_task(checks.run())
        self.saving = asyncio.get_running_loop().create_task(self.budgets.run())
        self.learning = asyncio.get_running_loop().create_task(self.learned.run())
        reminder = Reminder(lambda: self.loaded.config)
        self.reminding = asyncio.get_running_loop().create_task(reminder.run())
        renew = Renew(lambda: self.loaded, self.reload, self.board.doubted)
        self.renewing = asyncio.get_running_loop().create_task(renew.run())
        self.renewing.add_done_callback(_report)
        self.running = [asyncio.get_running_loop().create_task(each.run()) for each in self.beside]
        if self.lifecycle.worker == 0:
            keeper = Keeper(lambda: self.loaded, self.upstream)
            self.keeping = asyncio.get_running_loop().create_task(keeper.run())
            self.keeping.add_done_callback(_report)
        self.payloads.keep(config)
        self.following = asyncio.get_running_loop().create_task(self.follow.run())
        self.following.add_done_callback(_report)
        if self.share is not None:
            self.sharing = asyncio.get_running_loop().create_task(self.share.run())
            self.sharing.add_done_callback(_report)
        if self.counters is not None:
            self.counting = asyncio.get_running_loop().create_task(self.counters.run())
            self.counting.add_done_callback(_report)
        for part in (self.share, self.counters):
            if part is not None:
                await part.first()
        self.budgets.save()  # what was read is told by now: not again if this process ends at once
        admin_pages = {**self._probes(), b"/metrics": MetricsPage(self._render), **self._operators()}
        return Service(
            app=app,
            limits=means.limits(config),
            refuse=self._refuse,
            on_refused=self._on_refused,
            next_id=self.next_id,
            faces={"admin": App(self, admin_pages, mounts=mounts, worker=self.lifecycle.worker, only_pages=True)},
            reload=self.reload,
            watch=self._files(),
            close=self._close,
        )

    def check(self, loaded: Loaded) -> None:
        """Whether a gateway can be made of it: one that serves nobody. Raises ValueError."""
        self._build(loaded, self.refreshed, Board(), Ledger())

    def _build(
        self, loaded: Loaded, refreshed: Refreshed | None, board: Board | None = None, ledger: Ledger | None = None
    ) -> Gateway:
        """Raises ValueError when a part of the configuration cannot be made."""
        digest = admin_key.read(loaded.config.data_dir, os.environ)
        if board is None:
            self.answers.configured(loaded.config)
            self.vaults.configured(loaded.config)
        try:
            issuers = self.issuers if board is None else dict(self.issuers)
            board, ledger = board or self.board, ledger or self.ledger
            ports = Ports(
                self.journal,
                self.metrics,
                self.upstream,
                self.fetcher,
                self.payloads.waiting,
                self.answers.kept,
                self.answers.index,
                self.embedders if board is self.board else dict(self.embedders),
                board,
                ledger,
                issuers,
                self.vaults.store,
            )
            gateway = build(loaded.config, ports, digest, refreshed)
        except PluginNotFound as error:
            raise ValueError(str(error)) from error
        for missing in gateway.menu.catalogue.missing:
            log.warning("%s", missing)
        return gateway

    def _keep_refreshing(self) -> None:
        """From now on as the configuration in force says."""
        if self.refreshing is not None:
            self.refreshing.cancel()
        self.refreshing = asyncio.get_running_loop().create_task(self.refresh.run(self._take))

    async def _take(self, refreshed: Refreshed) -> None:
        """A newer catalogue, in force with the next request."""
        try:
            gateway = self._build(self.loaded, refreshed)
        except ValueError as error:
            log.error("the newer catalogue is not in force: %s", error)  # noqa: TRY400
            return
        self.refreshed, self.gateway = refreshed, gateway

    def _probes(self) -> dict[bytes, Page]:
        return {b"/livez": Live(), b"/readyz": Ready(self._why_not, self._but)}

    def _pages(self, config: Config) -> dict[bytes, Page]:
        models = Models(self, time.time())
        pages: dict[bytes, Page] = {**self._probes()}
        for path in MODELS_PATHS:
            pages[path] = pages[path + b"/"] = models
        access = config.server.metrics_access
        if access != "off" and config.server.admin is None:
            pages[b"/metrics"] = MetricsPage(self._render, self if access == "key" else None)
        return pages if config.server.admin is not None else {**pages, **self._operators()}

    def _operators(self) -> dict[bytes, Page]:
        return {
            DECISIONS: Operator(self, Decisions(partial(found.decision, places_of(self.started_with.config)))),
            TARGETS: Operator(self, Targets(self, self.lifecycle.worker, self.shared.sum if self.shared else None)),
        }

    def _render(self, accept: str) -> tuple[bytes, str]:
        return Exposition(self.metrics, version=headgate.__version__, workers=self.shared).render(accept)

    def _why_not(self) -> str | None:
        if self.lifecycle.state != "ready":
            return self.lifecycle.state
        return "records cannot be kept" if self.journal.full else None

    def _but(self) -> str | None:
        said = []
        if self.share is not None and self.share.why is not None:
            said.append("the shared state is away: every process goes by its own")
        elif self.counters is not None and self.counters.why is not None:
            said.append("the shared state is away: every process counts limits by itself")
        if self.follow.why is not None:
            said.append("the store is away: what was in it stays in force")
        return "; ".join(said) or None

    def _seal(self) -> Seal:
        return Keyring(self.loaded.config.data_dir, os.environ, self.loaded.references).seal()

    def _plugins(self) -> list[str]:
        config = self.loaded.config
        return [
            *(stage.use for stage in config.stages),
            *(policy.use for policy in config.guards.values()),
            *(model.policy.use for model in config.models.values()),
            *(rule.policy.use for rule in config.rules if rule.policy is not None),
            *(provider.kind for provider in config.providers.values()),
            *config.dialects,
        ]

    def _files(self) -> list[Path]:
        """What a change of is a reason to reload: the configuration, its secrets, the plug-ins, the admin key."""
        plugins = (module.__file__ for module in plugin.modules(self._plugins()).values())
        config = self.loaded.config
        return sorted({*self.loaded.files, config.data_dir / admin_key.FILE, *(Path(file) for file in plugins if file)})

    async def reload(self) -> Sequence[Path]:
        """Read the configuration anew and put it in force; raises ValueError and leaves all as it was if it is bad."""
        async with self.reloading:
            return await self._reload()

    async def _reload(self) -> Sequence[Path]:
        try:
            plugin.forget(self._plugins())
            loaded = await asyncio.to_thread(self.loaded.again, os.environ)
            refresh = Refresh(loaded.config, self.upstream)
            refreshed = await asyncio.to_thread(refresh.load, self.refreshed)
            await asyncio.to_thread(preload, loaded.config, self.embedders)
            gateway = self._build(loaded, refreshed)
        except (ConfigError, ValueError, OSError) as error:
            self.metrics.reloaded(applied=False)
            raise ValueError(str(error)) from error
        for name in waiting(self.started_with.config, loaded.config):
            log.warning("%s has changed; it takes effect at the next start", name)
        logging.getLogger().setLevel(loaded.config.log.level.upper())
        self.logs.redact.know(loaded.secrets)
        self.loaded, self.gateway, self.refresh, self.refreshed = loaded, gateway, refresh, refreshed
        _keep(loaded)
        self.payloads.keep(loaded.config)
        self._keep_refreshing()
        for each in (self.alerting, self.dispatch):
            if each is not None:
                each.changed()
        self.metrics.configured(loaded.config.models)
        self.metrics.reloaded(applied=True)
        for warning in loaded.warnings:
            log.warning("%s", warning)
        log.info("the configuration was reloaded")
        return self._files()

    def _refuse(self, status: int, code: str, message: str, path: str | None, id: str) -> tuple[Headers, bytes]:
        """A refusal by the HTTP server, in the dialect of the path."""
        error = RequestError(message) if status < 500 else GatewayError(message)
        error.status, error.code = status, code
        face = self.gateway.face_like((path or "").encode("utf-8", "surrogateescape"), ())
        return identity(face, id), face.write_error(error, id, streaming=False)

    def _on_refused(self, path: str | None, client: str | None, status: int, code: str, id: str) -> None:
        """The record of a request that did not get as far as the chain."""
        if path is None:
            return
        record = Record(
            id=id, time=time.time(), client=client, path=path[:200], status=status, error=code,
            origin="gateway", ending="refused", worker=self.lifecycle.worker,
        )  # fmt: skip
        try:
            self.journal.append(record)
        except GatewayError as error:
            log.warning("a refusal was not recorded: %s", error.message)
        self.metrics.count(record)
        finished.tell(record)

    async def _close(self) -> None:
        if self.counters is not None:
            await self.counters.part()
        ended = (self.sharing, self.following, self.counting, self.keeping)
        tasks = [
            task
            for task in (
                self.refreshing, self.checking, self.lagging, self.saving, self.learning, self.reminding,
                self.renewing, self.clearing, self.forgetting, *ended,
            )
            if task is not None
        ]  # fmt: skip
        for task in tasks:
            task.cancel()
        if waited := [task for task in ended if task is not None]:
            await asyncio.wait(waited)
        if self.control is not None:
            await self.control.close()
        await self.board.shadows.stop()
        await self.board.judging.stop()
        await self.board.refreshing.stop()
        await self.board.spaces.stop()
        await self.answers.close()
        self.vaults.close()
        await self.upstream.close()
        if self.fetcher is not None:
            await self.fetcher.client.close()
        if self.shared is not None:
            self.shared.close()
        self.budgets.save()
        self.learned.save()
        self.journal.close()
        await asyncio.gather(self.payloads.end(), *(each.end() for each in self.beside))
        for task in self.running:
            task.cancel()
        if self.started_with.config.server.workers == 1:  # of more, the parent says when the last one has
            log.info("stopped")
        self.logs.stop()


def _keep(loaded: Loaded) -> None:
    """Of secrets that are elsewhere, those in force."""
    if loaded.references is not None:
        loaded.references.keep(loaded.referred)


def _report(task: asyncio.Task[None]) -> None:
    """Nothing would tell otherwise that it has ended before its time."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("this process no longer agrees with the others", exc_info=error)
