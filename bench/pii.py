"""What is found of labelled personal data and secrets: recall and precision by kind, as a table for bench/RESULTS.md.

python bench/pii.py [FOLDER]    # the folder of the data sets; --wrong shows what was missed and what was too much
"""

from __future__ import annotations

import sys
import sysconfig
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import msgspec

from headgate.redaction.finder import Finder, Found
from headgate.redaction.kinds import SECRETS, chosen, names, personal

DATASETS = Path(__file__).parents[2] / "shared" / "datasets"
SAME = {
    "CARD": {"card"}, "CREDIT_CARD": {"card"}, "IBAN": {"iban"}, "SSN": {"ssn", "us_itin"}, "NHS": {"gb_nhs"}, "ES_DNI": {"es_dni"},
    "FR_NIR": {"fr_nir"}, "PL_PESEL": {"pl_pesel"}, "BR_CPF": {"br_cpf"}, "IN_AADHAAR": {"in_aadhaar"}, "AADHAR": {"in_aadhaar"},
    "CA_SIN": {"ca_sin"}, "US_NPI": {"us_npi"}, "US_DEA": {"us_dea"}, "EMAIL": {"email", "in_upi"}, "PHONE": {"phone"}, "IP": {"ip"},
    "MAC": {"mac"}, "CRYPTO": {"crypto"}, "URL": {"url"}, "AGE": {"age"}, "DATE": {"date", "birth_date"},
    "MEDICAL_ID": {"medical_record", "health_plan", "es_medical_record", "es_health_insurance", "es_physician", "es_nuss"},
    "PASSWORD": {"password", "secret"}, "PASSPORT": {"passport"}, "TAX_ID": {"us_ein", "us_itin"}, "DRIVER_LICENSE": {"driving_licence"},
    "ROUTING_NUMBER": {"us_routing"}, "BANK_ACCOUNT": {"bank_account"}, "PAN": {"in_pan"},
    "PATIENT_ID": {"medical_record"}, "INSURANCE_ID": {"health_plan"}, "ID": {"driving_licence", "passport", "bank_account"},
}  # fmt: skip
"""What labels of data sets are called here."""
HEAD = """# Personal data and secrets that are found

Written by `python bench/pii.py` from the open part of the labelled texts. A span is found where it is wholly within findings of
the right kind; a finding is right where it touches a span of its kind. Sets label more than has a form, or less:
names and places are of `bench/names.py`; MEDDOCAN's dates and ages are asked for (`also`), and its medical numbers hold
remarks, as of skin or origin; of nannigalaxy's texts some label one card or password and not the next.
Of gitleaks' examples that are none to the rule they are of, five are found: three are keys by another of its rules or, as its
source says, missed by this one; two have letters too many for their vendor and stand behind `api-key` and `token`. What is found in source of others shows better what is too much:
mostly samples of tokens in pages of RFCs, and passwords of tests."""
SOURCE = (".py", ".js", ".h", ".md", ".txt", ".json", ".yaml", ".html")


class Score:
    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        self.named: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.wrong: dict[str, list[str]] = defaultdict(list)

    def add(self, row: dict[str, Any], found: list[Found]) -> None:
        """A span is hit where it is wholly within what was found, by any name of its label."""
        text = row["text"]
        data = text.encode()
        gold = [
            (len(text[: one["start"]].encode()), len(text[: one["end"]].encode()), one["label"]) for one in row["spans"]
        ]
        for start, end, label in gold:
            self.total[label] += 1
            same = [one for one in found if one.start < end and one.end > start and one.kind in SAME.get(label, ())]
            if sum(min(one.end, end) - max(one.start, start) for one in same) >= end - start:
                self.hit[label] += 1
            elif label in SAME:
                self.wrong[label].append(f"missed {data[start:end].decode()!r} in {text[:110]!r}")
        for one in found:
            value = data[one.start : one.end].decode()
            label = next((label for label, kinds in SAME.items() if one.kind in kinds), one.kind)
            said = [other for start, end, other in gold if one.start < end and one.end > start]
            self.named[label] += 1
            if any(one.kind in SAME.get(other, {one.kind}) for other in said):
                self.right[label] += 1
            else:
                self.wrong[label].append(f"{one.kind} {value!r} in {text[max(0, one.start - 60) : one.end + 20]!r}")

    def recall(self, label: str) -> float:
        return self.hit[label] / self.total[label] if self.total[label] else 1.0

    def precision(self, label: str) -> float:
        return self.right[label] / self.named[label] if self.named[label] else 1.0

    def table(self, wrong: bool) -> None:
        print("| label | spans | recall | found | precision |\n|---|---:|---:|---:|---:|")
        for label in sorted({*self.total, *self.named}, key=lambda one: (-self.total[one], one)):
            if label in SAME or label in self.named:
                print(
                    f"| {label} | {self.total[label]} | {self.recall(label):.3f} "
                    f"| {self.named[label]} | {self.precision(label):.3f} |"
                )
            for each in self.wrong[label][:25] if wrong else ():
                print("   ", each)


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]


def structured(folder: Path, finder: Finder) -> tuple[Score, float]:
    """The own set: its positives, all of it, and the share of hard negatives in which something is found."""
    score = Score()
    plain = wrong = 0
    for row in rows(folder, "pii/structured_ids_own"):
        found = finder.find(row["text"].encode())
        score.add(row, found)
        if row["kind"].startswith("hard_negative"):
            plain += 1
            wrong += bool(found)
    return score, wrong / plain


def secrets(folder: Path, name: str, finder: Finder) -> tuple[float, float, list[str], list[str]]:
    """Recall, false positives, what was missed, what was too much."""
    missed, wrong, total, plain = [], [], 0, 0
    for row in rows(folder, f"secrets/{name}"):
        found = finder.find(row["text"].encode())
        total += row["label"]
        plain += not row["label"]
        if row["label"] and not found:
            missed.append(f"{row['rule']}: {row['text'][:150]!r}")
        if not row["label"] and found:
            wrong.append(f"{row['rule']}: {found[0].kind} at {found[0].start} in {row['text'][:140]!r}")
    return 1 - len(missed) / total, len(wrong) / plain, missed, wrong


def source(finder: Finder) -> tuple[int, int]:
    """Bytes of the programs and pages that are installed here, and what is found in them; of each file its beginning."""
    size = count = 0
    for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}:
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in SOURCE and path.is_file():
                data = path.read_bytes()[:60_000]
                size += len(data)
                count += len(finder.find(data))
    return size, count


def main() -> None:
    show = "--wrong" in sys.argv
    folder = next((Path(each) for each in sys.argv[1:] if not each.startswith("-")), DATASETS)
    default = Finder(*chosen(personal()))
    score, rate = structured(folder, default)
    print(HEAD)
    print(f"\n## structured_ids_own: false positives on hard negatives {rate:.2%}\n")
    score.table(show)
    kinds = {*default_kinds(), "url", "date", "age"}
    wide = Finder(*chosen(names(), kinds))
    for name in ("presidio_synth_v2", "nannigalaxy_india", "meddocan_es_clinical"):
        score = Score()
        for row in rows(folder, f"pii/{name}"):
            score.add(row, wide.find(row["text"].encode()))
        print(f"\n## {name}\n")
        score.table(show)
    finder = Finder(*chosen([SECRETS]))
    for name in ("api_keys_own", "gitleaks_tps_fps"):
        recall, rate, missed, wrong = secrets(folder, name, finder)
        print(f"\n## {name}: recall {recall:.3f}, false positives {rate:.2%}\n")
        for each in (*missed, "---", *wrong) if show else ():
            print("   ", each)
    size, count = source(finder)
    print(f"\n## Source of Python and of the libraries that are installed: {count} in {size / 1e6:.0f} MB")


def default_kinds() -> set[str]:
    patterns, shapes = chosen(names())
    return {each.kind for each in (*patterns, *shapes)}


if __name__ == "__main__":
    main()
