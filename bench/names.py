"""What is found of labelled names and addresses, of personal data altogether, and in text that has none: a table.

python bench/names.py --weights 0.zst 1.zst 2.zst    # each is asked about the rows that it has not learned from
They are made by scripts/train_names.py --leave-out 0/3 --to 0.zst and so on; rows of one template are in one fold.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from headgate.redaction.finder import Finder
from headgate.redaction.kinds import personal
from headgate.redaction.looking import finder
from headgate.redaction.names.found import KINDS, THRESHOLD
from headgate.redaction.names.model import WEIGHTS, Model
from headgate.redaction.names.recogniser import Recogniser
from headgate.redaction.names.tokens import WORD

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from names.rows import SETS, Row, fold, read  # noqa: E402

DATASETS = ROOT.parent / "shared" / "datasets"
Span = tuple[int, int, str]
SAME = {
    "PERSON": "person", "LOCATION": "location", "ORG": "organisation", "ORGANIZATION": "organisation",
    "ADDRESS": "address", "ZIP": "address", "AGE": "age", "DATE": "date", "NRP": "nationality", "TITLE": "title",
    "SEX": "sex", "birth_date": "date",
}  # fmt: skip
"""What labels of data sets are called here, and what is the same to them."""
NAMED = ("wikigold_names", "wnut17_names", "btc_twitter_names")
"""Sets that label people, places and organisations only."""
CLINICAL = {
    "medical_record", "health_plan", "es_medical_record", "es_health_insurance", "es_physician", "es_nuss", "es_dni",
    "es_nie",
}  # fmt: skip
"""All of them are MEDICAL_ID there."""
BENIGN = ("cyberseceval_frr_benign", "notinject_overdefense", "benign_easy_traffic")


class Score:
    def __init__(self) -> None:
        self.spans: Counter[tuple[str, str]] = Counter()
        self.words: Counter[str] = Counter()

    def add(self, text: str, gold: Iterable[Span], found: Iterable[Span]) -> None:
        """Strictly by spans with their kinds; by words that are anything at all, as presidio-research counts."""
        right, told = set(gold), set(found)
        for name, some in (("hit", right & told), ("wrong", told - right), ("missed", right - told)):
            self.spans.update((name, kind) for _, _, kind in some)
        for word in WORD.finditer(text):
            if word[0] != "\n":
                is_one, said = (any(a < word.end() and word.start() < b for a, b, _ in some) for some in (right, told))
                self.words["hit" if is_one and said else "missed" if is_one else "wrong" if said else "none"] += 1

    def kinds(self) -> list[str]:
        return sorted({kind for name, kind in self.spans if name != "wrong"})

    def strict(self, kind: str = "") -> tuple[float, float, float]:
        counts = {
            name: sum(count for (one, each), count in self.spans.items() if one == name and kind in ("", each))
            for name in ("hit", "wrong", "missed")
        }
        return _figures(counts, 1)

    def anything(self) -> tuple[float, float, float]:
        return _figures(self.words, 2)


def _figures(counts: Counter[str] | dict[str, int], beta: int) -> tuple[float, float, float]:
    """Precision, recall, F."""
    precision = counts["hit"] / max(1, counts["hit"] + counts["wrong"])
    recall = counts["hit"] / max(1, counts["hit"] + counts["missed"])
    square = beta * beta
    return precision, recall, (1 + square) * precision * recall / max(1e-9, square * precision + recall)


def measure(
    name: str, rows: Iterable[Row], recogniser: Recogniser, numbers: Finder, alone: Score, every: Score
) -> None:
    """Of the recogniser alone, by what it is for; together with what finds numbers, by all labels."""
    for row in rows:
        gold = [(start, end, SAME.get(label, label)) for start, end, label in row.whole if row.text[start:end] != "@"]
        found = [(one.start, one.end, SAME.get(one.kind, one.kind)) for one in recogniser.find(row.text)]
        if name in NAMED:
            found = [each for each in found if each[2] in ("person", "location", "organisation", "address")]
        elif name == "meddocan_es_clinical":
            found = [each for each in found if each[2] not in ("title", "nationality")]
        alone.add(row.text, [each for each in gold if each[2] in KINDS], found)
        if name not in NAMED:
            more = _numbers(row.text, numbers)
            every.add(
                row.text,
                gold,
                [*found, *(one for one in more if not any(a < one[1] and one[0] < b for a, b, _ in found))],
            )


def _numbers(text: str, finder: Finder) -> list[Span]:
    data = text.encode()
    return [
        (
            len(data[: one.start].decode()),
            len(data[: one.end].decode()),
            "MEDICAL_ID" if one.kind in CLINICAL else one.kind.upper(),
        )
        for one in finder.find(data)
    ]


def too_much(recogniser: Recogniser) -> list[tuple[str, int, Counter[str]]]:
    """What is found in prompts that hold few names or none, and in how many words."""
    found = []
    for name in BENIGN:
        hits: Counter[str] = Counter()
        words = 0
        for line in (DATASETS / "prompt_injection" / f"{name}.jsonl").read_text("utf-8").splitlines():
            text = json.loads(line)["text"]
            words += len(text.split())
            hits.update(each.kind for each in recogniser.find(text))
        found.append((name, words, hits))
    return found


def cost(recogniser: Recogniser) -> tuple[float, float]:
    """Microseconds for 4 kB of prompts with few names: the median of texts, and with most names."""
    lines = (DATASETS / "prompt_injection" / "benign_easy_traffic.jsonl").read_text("utf-8").splitlines()
    text = "\n".join(sorted((json.loads(line)["text"] for line in lines), key=len, reverse=True))
    taken = sorted(
        min(_seconds(recogniser.find, text[at : at + 4000]) for _ in range(7)) for at in range(0, 80_000, 4000)
    )
    return 1e6 * taken[len(taken) // 2], 1e6 * taken[-1]


def _seconds(call: Callable[[str], object], text: str) -> float:
    start = time.perf_counter()
    call(text)
    return time.perf_counter() - start


def table(weights: Sequence[Path], threshold: float, say: Callable[[str], None]) -> None:
    """Several weights: each is asked about its own fold, which it has not learned from."""
    models = [Model(each) for each in weights]
    numbers = finder(personal(), None, ["url"], [], 0.5)
    say(
        "| set | rows | names alone: P | R | F1 | by kind | any word: P | R | F2 "
        "| with numbers, all labels: F1 | any word: F2 |"
    )
    say("|---|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|")
    for name in SETS:
        rows = read(DATASETS, name)
        alone, every = Score(), Score()
        for place, model in enumerate(models):
            some = [row for row in rows if fold(row.group, len(models)) == place]
            measure(name, some, Recogniser(KINDS, threshold, model), numbers, alone, every)
        kinds = ", ".join(f"{kind} {alone.strict(kind)[2]:.2f}" for kind in alone.kinds())
        more = f"{every.strict()[2]:.3f} | {every.anything()[2]:.3f}" if name not in NAMED else " | "
        say(f"| {name} | {len(rows)} | {_said(alone.strict())} | {kinds} | {_said(alone.anything())} | {more} |")
    names = Recogniser(KINDS[:4], threshold, models[0])
    for set_name, words, hits in too_much(names):
        told = ", ".join(f"{kind} {1000 * count / words:.2f}" for kind, count in sorted(hits.items()))
        say(f"\nFound in 1,000 words of {set_name} ({words} words): {told or 'nothing'}.")
    say("\n4 kB of prompts: {:.0f} µs at the median, {:.0f} µs with the most names.".format(*cost(names)))


def _said(figures: Sequence[float]) -> str:
    return " | ".join(f"{each:.3f}" for each in figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, nargs="*", default=[WEIGHTS], help="a file, or one for each fold")
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    given = parser.parse_args()
    table(given.weights, given.threshold, print)


if __name__ == "__main__":
    main()
