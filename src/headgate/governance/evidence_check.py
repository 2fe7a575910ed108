"""Whether the records in a file of evidence are as they were written; no database is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headgate.core.chain import Link, each
from headgate.governance.evidence import FORM
from headgate.store.checkpoints import Checkpoint
from headgate.store.verify import Problem


@dataclass(slots=True)
class Checked:
    """What a file holds, and what is wrong with it."""

    asked: Mapping[str, Any] = field(default_factory=dict)
    made: str = ""
    records: int = 0
    signed: int = 0
    """Records that a genuine checkpoint vouches for."""
    keys: dict[str, str] = field(default_factory=dict)
    own_keys: bool = False
    """The keys are the file's own: who made it could have signed anything."""
    problems: list[Problem] = field(default_factory=list)


class Reader:
    """Of one file, line by line."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """Public keys by their ids; none: those of the file are taken."""
        self.checked = Checked(keys=dict(keys), own_keys=not keys)
        self._rows: list[tuple[int, int, str]] = []
        """Number, link, line."""
        self._links: dict[int, tuple[Link, bytes]] = {}
        self._before: dict[int, str] = {}
        self._checkpoints: list[Checkpoint] = []
        self._end: int | None = None

    def read(self, lines: Iterable[str]) -> Checked:
        """Raises ValueError for what is no evidence."""
        for number, text in enumerate(filter(str.strip, lines)):
            try:
                self._line(number, json.loads(text))
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
                if number == 0:
                    raise ValueError(f"it does not begin with {FORM!r}") from error
                raise ValueError(f"line {number + 1} is none of a file of evidence") from error
        self._check()
        return self.checked

    def _line(self, number: int, line: Any) -> None:
        if not isinstance(line, dict) or (number == 0 and line.get("evidence") != FORM):
            raise ValueError
        if "evidence" in line:
            self.checked.asked, self.checked.made = dict(line["asked"]), str(line["made"])
            if self.checked.own_keys:
                self.checked.keys |= {str(id): str(key) for id, key in line["keys"].items()}
        elif "record" in line:
            self._rows.append((int(line["number"]), int(line["link"]), str(line["record"])))
        elif "link" in line:
            link = _link(line["link"])
            self._links[link.number] = link, bytes.fromhex(line.get("digests", ""))
            if "before" in line:
                self._before[link.number] = line["before"]
        elif "checkpoint" in line:
            self._checkpoints.append(Checkpoint.read(line["checkpoint"]))
        elif "end" in line:
            self._end = int(line["end"])

    def _check(self) -> None:
        found, tell = self.checked, self.checked.problems.append
        found.records = len(self._rows)
        if self._end != len(self._rows):
            tell(Problem("cut", "file", f"it holds {len(self._rows)} records of {self._end or 'more'}"))
        sound = self._sound(self._genuine())
        for number, link, line in self._rows:
            why = self._why_not(number, link, line) if link else None
            if not link:
                tell(Problem("unsigned", _id(line), "it is from before there was a chain: nothing proves it"))
            elif why is not None:
                tell(Problem("changed", _id(line), why))
            elif link in sound:
                found.signed += 1
            else:
                tell(Problem("unsigned", _id(line), "no genuine checkpoint vouches for its link"))

    def _genuine(self) -> dict[int, str]:
        """Hashes that are signed, by the links' numbers."""
        for each_ in self._checkpoints:
            if not each_.genuine(self.checked.keys):
                self.checked.problems.append(
                    Problem(
                        "unsigned", f"checkpoint {each_.sequence}", "its signature is not genuine, or of another key"
                    )
                )
        return {one.number: one.hash for one in self._checkpoints if one.genuine(self.checked.keys)}

    def _sound(self, genuine: Mapping[int, str]) -> set[int]:
        """Links from which the chain leads to a signed one."""
        sound: set[int] = set()
        for number in sorted(self._links, reverse=True):
            link = self._links[number][0]
            follower = self._links.get(number + 1)
            leads = number + 1 in sound and follower is not None and follower[0].fits(link.hash)
            before = self._links[number - 1][0].hash if number - 1 in self._links else self._before.get(number)
            if (leads or genuine.get(number) == link.hash) and before is not None and link.fits(before):
                sound.add(number)
        return sound

    def _why_not(self, number: int, link: int, line: str) -> str | None:
        if link not in self._links:
            return "its link is not in the file"
        found, digests = self._links[link]
        if hashlib.sha256(digests).hexdigest() != found.digest:
            return f"the digests of link {link} are not those that it was made of"
        rows: Sequence[bytes] = each(digests)
        if not found.first <= number <= found.last or len(rows) != found.last - found.first + 1:
            return f"link {link} does not hold row {number}"
        if rows[number - found.first] != hashlib.sha256(line.encode()).digest():
            return "it is not what it was when it was written"
        return None


def _link(said: Mapping[str, Any]) -> Link:
    """Raises KeyError, TypeError, ValueError."""
    return Link._make(
        (int if name in ("number", "time", "first", "last") else str)(said[name]) for name in Link._fields
    )


def _id(line: str) -> str:
    try:
        return str(json.loads(line)["id"])
    except (ValueError, KeyError, TypeError):
        return "a record that cannot be read"
