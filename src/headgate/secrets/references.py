"""What references to secrets elsewhere led to: asked for together, each once, and kept until somebody asks anew."""

from __future__ import annotations

import asyncio
import importlib
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from headgate.secrets.settings import Sources
from headgate.secrets.source import LONGEST, Missed, Source, read
from headgate.upstream.client import Client

T = TypeVar("T")
DATA_KEY, LONGEST_KEY = 32, 8192
"""Bytes of a key of ours, and the most that it may be encrypted to."""
CLASSES = {"vault": "Vault", "aws": "AWS", "gcp": "GCP", "azure": "Azure"}


class Places(NamedTuple):
    """Where secrets are, and the authorities that vouch for hosts."""

    sources: Sources
    ca_file: Path | None = None


class References:
    """Kept over reloads. Any thread may call any method; one that asks takes `secrets.timeout` seconds at most."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self.why: dict[str, str] = {}
        """By source, why it did not give all that it was last asked for; what it gave before is used."""
        self.failures = 0
        self._environ = environ
        self._clock = clock
        self._places = Places(Sources())
        self._made: dict[str, Source] = {}
        self._keys: dict[tuple[str, bytes], bytes] = {}
        """By the key that stays elsewhere, and what it was encrypted to."""
        self._values: dict[str, str] = {}
        self._missed: dict[str, Missed] = {}
        self._used: frozenset[str] = frozenset()
        self._turn = threading.Lock()

    def begin(self, places: Places) -> None:
        """At the start of a reading: what could not be had before is asked for again."""
        with self._turn:
            if places != self._places:
                self._places, self._made = places, {}
            self._missed = {}

    def ask(self, wanted: Collection[str]) -> None:
        """Together, for those that are not known yet. What cannot be had, `value` tells."""
        with self._turn:
            self._ask([each for each in wanted if each not in self._values and each not in self._missed])

    def value(self, reference: str) -> str:
        """What it leads to. Raises Missed."""
        with self._turn:
            if reference not in self._values and reference not in self._missed:
                self._ask([reference])
            if reference in self._values:
                return self._values[reference]
            missed = self._missed[reference]
            raise Missed(missed.message, missed.hint)

    def keep(self, used: Collection[str]) -> None:
        """From now on these are in use, and all others are forgotten."""
        with self._turn:
            self._used = frozenset(used)
            self._values = {each: self._values[each] for each in self._used if each in self._values}
            kinds = {each.partition(":")[0] for each in self._used}
            self.why = {kind: why for kind, why in self.why.items() if kind in kinds}

    def renew(self) -> bool:
        """Ask anew for all that are in use; whether one is another than before. Where one cannot be had, what it was
        stays."""
        with self._turn:
            before, self._missed = dict(self._values), {}
            self._ask(sorted(self._used))
            self.why = {read(each).kind: str(missed) for each, missed in self._missed.items()}
            self.failures += bool(self.why)
            return self._values != before

    def data_key(self, master: str) -> tuple[bytes, bytes]:
        """A key of 32 bytes, and what `master` (`vault:transit/headgate`), which its source keeps to itself, made of
        it: one that is known, else a new one. Raises Missed."""
        with self._turn:
            known = next((each for each in self._keys if each[0] == master), None)
            if known is None:
                key = secrets.token_bytes(DATA_KEY)
                known = master, self._once(master, key, "encrypt")
                if len(known[1]) > LONGEST_KEY:
                    raise Missed(f"what {master} encrypted is too long to be a key")
                self._keys[known] = key
            return self._keys[known], known[1]

    def opened_key(self, master: str, encrypted: bytes) -> bytes:
        """The key that was encrypted, for which nobody is asked twice. Raises Missed."""
        found = self._keys.get((master, encrypted))
        if found is not None:
            return found
        with self._turn:
            if (master, encrypted) not in self._keys:
                key = self._once(master, encrypted, "decrypt")
                if len(key) != DATA_KEY:
                    raise Missed(f"what {master} decrypted is no key of ours")
                self._keys[master, encrypted] = key
            return self._keys[master, encrypted]

    def _once(self, master: str, data: bytes, what: Literal["encrypt", "decrypt"]) -> bytes:
        kind, name, _ = read(master)

        async def main() -> bytes:
            async with AsyncExitStack() as ending:
                client, source = self._client(kind, {}, ending), self._source(kind)
                work = source.encrypt if what == "encrypt" else source.decrypt
                try:
                    async with asyncio.timeout(self._places.sources.timeout):
                        return await work(name, data, client)
                except TimeoutError:
                    raise _late(self._places.sources) from None

        return _apart(main())

    def _ask(self, wanted: Collection[str]) -> None:
        if wanted:
            _apart(self._asked(wanted))

    async def _asked(self, wanted: Collection[str]) -> None:
        async with AsyncExitStack() as ending:
            clients: dict[Path | None, Client] = {}
            tasks = {each: asyncio.ensure_future(self._one(each, clients, ending)) for each in wanted}
            done, late = await asyncio.wait(tasks.values(), timeout=self._places.sources.timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for reference, task in tasks.items():
            error = task.exception() if task in done else _late(self._places.sources)
            if error is None:
                self._values[reference] = task.result()
            elif isinstance(error, Missed):
                self._missed[reference] = error
            else:
                raise error

    async def _one(self, reference: str, clients: dict[Path | None, Client], ending: AsyncExitStack) -> str:
        kind, name, field = read(reference)
        value = (await self._source(kind).get(name, field, self._client(kind, clients, ending))).rstrip("\r\n")
        if len(value) > LONGEST:
            raise Missed(f"the secret {name} is longer than {LONGEST >> 10} KiB", "check the reference")
        return value

    def _client(self, kind: str, clients: dict[Path | None, Client], ending: AsyncExitStack) -> Client:
        """One for all that the same authorities vouch for."""
        file = self._places.ca_file
        if kind == "vault":
            said = self._environ.get("VAULT_CACERT")
            file = self._places.sources.vault.ca_file or (Path(said) if said else file)
        if file not in clients:
            try:
                clients[file] = Client(ca_file=str(file) if file else None)
            except (OSError, ssl.SSLError) as error:
                told = f"the certificate authorities of {file} cannot be read: {type(error).__name__}"
                raise Missed(told, "check the file") from None
            ending.push_async_callback(clients[file].close)
        return clients[file]

    def _source(self, kind: str) -> Source:
        """Made when it is first asked: most gateways have one, or none."""
        if kind not in self._made:
            module = importlib.import_module(f"headgate.secrets.{kind}")
            settings = getattr(self._places.sources, kind)
            self._made[kind] = getattr(module, CLASSES[kind])(settings, self._environ, self._clock)
        return self._made[kind]


def _late(sources: Sources) -> Missed:
    return Missed(f"it was not there within {sources.timeout:g} s", "check that it is up, or raise `secrets.timeout`")


def _apart(work: Coroutine[Any, Any, T]) -> T:
    """In a loop of its own, in a thread of its own where this one has a loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
