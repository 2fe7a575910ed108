"""Records in a database: how fast the drain brings them there, and how soon a search finds some of them.

    python bench/records.py [--records N] [--engine sqlite|postgresql|both] [--folder DIR]

Made-up records of some months (thousands of users, hundreds of keys) are written to a journal a hundred thousand at a
time and drained; only the draining is timed. Then each kind of search is asked for the newest fifty and for the page
behind them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from headgate.core.decision import Decided
from headgate.core.ids import ALPHABET
from headgate.core.record import Attempt, Record
from headgate.core.usage import Usage
from headgate.journal.read import Filter
from headgate.records.drain import Drain, opened
from headgate.records.reading import Records, place
from headgate.records.search import Search

AT_ONCE = 100_000
BEGINNING = 1_780_000_000.0
STEP = 0.78
"""Seconds between two requests: ten million in 90 days."""
SESSIONS, LONGEST = 60, 40
"""People who ask at the same time, and the most that one of them asks in a row."""
MODELS = [f"model-{number}" for number in range(30)]
PROVIDERS = ["openai", "anthropic", "google", "groq", "mistral", "local"]
ERRORS = {429: "provider_rate_limited", 500: "provider_failed", 504: "provider_timeout", 401: "wrong_key"}


class Session:
    """Somebody with a key, a model and a number of requests."""

    def __init__(self, chance: random.Random) -> None:
        self.team = int(chance.paretovariate(0.7)) % 200
        self.user = (self.team * 37 + int(chance.paretovariate(0.8))) % 5000
        self.key = self.team * 3 + chance.randrange(3)
        self.application = f"app-{self.team % 40}" if self.user % 3 else None
        self.model = int(chance.paretovariate(0.6)) % len(MODELS)
        self.target = f"{PROVIDERS[self.model % len(PROVIDERS)]}/{MODELS[self.model]}-2026-11"
        self.end_user = f"end-{chance.randrange(100_000)}" if self.user % 4 == 0 else None
        self.left = chance.randrange(1, LONGEST)


def records(count: int, chance: random.Random) -> Iterator[Record]:
    """In the order of their times."""
    sessions = [Session(chance) for _ in range(SESSIONS)]
    for number in range(count):
        place = chance.randrange(SESSIONS)
        yield _record(number, BEGINNING + number * STEP, sessions[place], chance)
        sessions[place].left -= 1
        if sessions[place].left <= 0:
            sessions[place] = Session(chance)


def _record(number: int, moment: float, asks: Session, chance: random.Random) -> Record:
    status = 200 if chance.random() < 0.97 else chance.choice(list(ERRORS))
    usage = Usage(
        input=int(chance.lognormvariate(6, 1)), cache_read=chance.choice((0, 0, 1024)),
        output=int(chance.lognormvariate(5, 1)), reasoning=chance.choice((0, 0, 0, 300)),
        reported={"prompt_tokens": 1234, "completion_tokens": 345, "total_tokens": 1579},
    )  # fmt: skip
    seconds = round(chance.lognormvariate(0.5, 0.8), 6)
    return Record(
        id=_id(number, moment), time=moment, key=f"key-{asks.key}", organisation="acme", team=f"team-{asks.team}",
        application=asks.application, user=f"user-{asks.user}", end_user=asks.end_user,
        client=f"10.0.{asks.team}.{asks.user % 250}", dialect="openai_chat", path="/v1/chat/completions",
        model=MODELS[asks.model],
        tags=[f"feature={chance.choice(('search', 'chat', 'summary', 'agent'))}"] if number % 2 else [],
        target=asks.target, attempts=[Attempt(asks.target, seconds, status=status)],
        stream=number % 2 == 0, status=status,
        ending="complete" if status == 200 else "failed", error=ERRORS.get(status),
        message="the provider said so" if status != 200 else None,
        origin=None if status == 200 else "gateway" if status == 401 else "provider",
        finish="stop" if status == 200 else None, usage=usage if status == 200 else None,
        cost=f"{(usage.input + 3 * usage.output) * 250 / 1e9:.9f}" if status == 200 else None,
        upstream_id=f"chatcmpl-{chance.getrandbits(120):030x}", first_token=round(seconds / 3, 6), duration=seconds,
        bytes_in=1200, bytes_out=900,
        decision=Decided(why="the first of 2 targets by the policy weighted", policy="weighted"),
    )  # fmt: skip


def _id(number: int, moment: float) -> str:
    millis = int(moment * 1000)
    text = ""
    for shift in range(45, -5, -5):
        text += ALPHABET[(millis >> shift) & 31]
    for shift in (15, 10, 5, 0):
        text += ALPHABET[(number >> shift) & 31]
    return f"req_{text}{number % 7:012d}"


@contextmanager
def engine(name: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if name == "sqlite":
        yield f"sqlite:///{folder / 'records.db'}"
        return
    from postgres import postgres

    with postgres() as url:
        yield url


def drained(url: str, folder: Path, count: int) -> float:
    """Seconds in which all of them came into the database."""
    data = folder / "data"
    journal = data / "journal"
    journal.mkdir(parents=True)
    drain = Drain(data, opened(url), lambda level, message: print(level, message), now=0.0)
    made, spent = 0, 0.0
    patterns = [msgspec.json.encode(one) for one in records(min(count, AT_ONCE), random.Random(1))]
    rests = [line[line.index(b',"key"') :] for line in patterns]
    while made < count:
        path = journal / f"20260101T00{made // AT_ONCE // 60:02d}{made // AT_ONCE % 60:02d}.000Z-0-1.jsonl"
        few = min(AT_ONCE, count - made)
        with path.open("wb") as file:
            for number, rest in enumerate(rests[:few], made):
                moment = BEGINNING + number * STEP
                file.write(f'{{"id":"{_id(number, moment)}","time":{moment}'.encode() + rest + b"\n")
        before = time.perf_counter()
        while drain.turn(0.0):
            pass
        last = time.perf_counter() - before
        spent += last
        made += few
        if made % (10 * AT_ONCE) == 0 or made == count:
            print(f"  {made:>10,} records, the last {few:,} at {few / last:,.0f}/s", flush=True)
        path.unlink()
    drain.database.close()
    return spent


async def searched(url: str, data: Path) -> None:
    """Prints how long each kind of search takes, the second page after the first."""
    known = Records(data, url)
    [one] = (await known.page(Search(Filter(), 1))).items
    record = one.record
    names = ("key", "team", "user", "model", "client", "error")
    wants = {name: Filter(**{name: value}) for name in names if (value := getattr(record, name)) is not None}
    wants |= {
        "nothing": Filter(), "status": Filter(statuses=(500, 599)), "cost": Filter(min_cost=10**6),
        "duration": Filter(min_seconds=5.0), "target": Filter(target=record.target),
        "tag": Filter(tag=next(iter(record.tags), None)),
    }  # fmt: skip
    for name, want in wants.items():
        before = time.perf_counter()
        page = (await known.page(Search(want, 50))).items
        middle = time.perf_counter()
        if page:
            await known.page(Search(want, 50, behind=place(page[-1])))
        last = time.perf_counter()
        print(f"  by {name}: {len(page)} in {middle - before:.3f} s, the next in {last - middle:.3f} s", flush=True)
    before = time.perf_counter()
    await known.one(record.id, None)
    print(f"  by id: {time.perf_counter() - before:.3f} s")
    await known.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--engine", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--folder", type=Path, help="where the database is made and left")
    said = parser.parse_args()
    for name in ("sqlite", "postgresql") if said.engine == "both" else (said.engine,):
        folder = said.folder or Path(tempfile.mkdtemp(prefix="headgate-records-"))
        try:
            with engine(name, folder) as url:
                spent = drained(url, folder, said.records)
                print(f"{name}: {said.records:,} records drained at {said.records / spent:,.0f}/s")
                asyncio.run(searched(url, folder / "data"))
        finally:
            if said.folder is None:
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
