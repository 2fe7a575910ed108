"""On labelled texts, where they are there: what is found of each kind, and what is found where nothing is."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from headgate.redaction.finder import Finder
from headgate.redaction.kinds import SECRETS, chosen, names, personal

DATASETS = Path(__file__).parents[3] / "shared" / "datasets"
SAME = {
    "CARD": "card", "IBAN": "iban", "SSN": "ssn", "NHS": "gb_nhs", "ES_DNI": "es_dni", "FR_NIR": "fr_nir", "PL_PESEL": "pl_pesel",
    "BR_CPF": "br_cpf", "IN_AADHAAR": "in_aadhaar", "CA_SIN": "ca_sin", "US_NPI": "us_npi", "US_DEA": "us_dea", "EMAIL": "email",
    "PHONE": "phone", "IP": "ip", "MAC": "mac", "CRYPTO": "crypto", "MEDICAL_ID": "medical_record",
}  # fmt: skip
"""What labels are called here."""


def rows(name):
    path = DATASETS / f"{name}.jsonl"
    if not path.exists():
        pytest.skip("the labelled data are not here")
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def counted(finder, texts):
    """By kind: how many spans there are, how many of them are wholly found by their name, how many are named so."""
    total, hit, named = Counter(), Counter(), Counter()
    for row in texts:
        found = finder.find(row["text"].encode())
        named.update(each.kind for each in found)
        for span in row["spans"]:
            kind = SAME.get(span["label"])
            start, end = (len(row["text"][:place].encode()) for place in (span["start"], span["end"]))
            total[kind] += 1
            hit[kind] += any(each.kind == kind and each.start <= start and each.end >= end for each in found)
    return total, hit, named


def test_kinds_with_a_form_are_found_and_their_look_alikes_are_not():
    finder = Finder(*chosen(personal()))
    texts = rows("pii/structured_ids_own")
    total, hit, named = counted(finder, texts)
    for kind in SAME.values():
        assert hit[kind] >= 0.98 * total[kind], kind
        assert hit[kind] >= 0.97 * named[kind], kind
    plain = [row["text"] for row in texts if row["kind"].startswith("hard_negative")]
    wrong = [text for text in plain if finder.find(text.encode())]
    assert len(wrong) <= 0.005 * len(plain), wrong


@pytest.mark.parametrize(
    ("name", "floors"),
    [
        ("presidio_synth_v2", {"card": 0.97, "phone": 0.95, "email": 1.0, "ssn": 1.0}),
        ("meddocan_es_clinical", {"email": 0.98, "phone": 0.9}),
    ],
)
def test_texts_that_others_have_labelled(name, floors):
    total, hit, _ = counted(Finder(*chosen(names())), rows(f"pii/{name}"))
    for kind, least in floors.items():
        assert hit[kind] >= least * total[kind], (kind, hit[kind], total[kind])


def test_keys_are_found():
    finder = Finder(*chosen([SECRETS]))
    for name, least in (("api_keys_own", 1.0), ("gitleaks_tps_fps", 0.97)):
        found = [(row["label"], bool(finder.find(row["text"].encode()))) for row in rows(f"secrets/{name}")]
        keys = [hit for label, hit in found if label]
        assert sum(keys) >= least * len(keys), name
        others = [hit for label, hit in found if not label]
        assert sum(others) <= 0.03 * len(others), name
    own = [row for row in rows("secrets/api_keys_own") if not row["label"] and finder.find(row["text"].encode())]
    assert own == []


def test_prompts_of_every_day_hold_nothing():
    finder = Finder(*chosen(names()))
    found = [row["text"] for row in rows("prompt_injection/benign_easy_traffic") if finder.find(row["text"].encode())]
    assert len(found) <= 2, found
