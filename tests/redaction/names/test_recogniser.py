"""Names and addresses are found in prompts of several languages, and not in what only begins with a capital."""

import importlib.util
import sys
from pathlib import Path

import pytest

from headgate.redaction.names.model import WEIGHTS
from headgate.redaction.names.recogniser import Recogniser
from together import together

ROOT = Path(__file__).parents[3]
DATASETS = ROOT.parent / "shared" / "datasets"
NAMES = Recogniser(["person", "address", "location", "organisation"])


def said(text, names=NAMES):
    return [(text[each.start : each.end], each.kind) for each in names.find(text)]


@together(
    ("text", "wanted"),
    [
        ("My name is Margaret Okafor.", [("Margaret Okafor", "person")]),
        ("my name is john smith and i need help", [("john smith", "person")]),
        ("Dear Mrs. Lindqvist, thank you for your letter.", [("Lindqvist", "person")]),
        ("Please call Priya or Tom about the invoice.", [("Priya", "person"), ("Tom", "person")]),
        ("Best regards,\nHenrik Vestergaard", [("Henrik Vestergaard", "person")]),
        ("Ich heiße Jürgen Schneider und wohne in Hamburg.", [("Jürgen Schneider", "person"), ("Hamburg", "location")]),
        ("Je m'appelle Amélie Dubois.", [("Amélie Dubois", "person")]),
        ("Me llamo María García López y vivo en Sevilla.", [("María García López", "person"), ("Sevilla", "location")]),
        ("Mi chiamo Giulia Ferrari.", [("Giulia Ferrari", "person")]),
        ("Mijn naam is Pieter van der Berg.", [("Pieter van der Berg", "person")]),
        ("Meu nome é João Oliveira.", [("João Oliveira", "person")]),
        (
            "I live at 42 Birchwood Avenue, Springfield.",
            [("42 Birchwood Avenue", "address"), ("Springfield", "location")],
        ),
        ("Ich wohne in der Gartenstraße 17 in Bonn.", [("Gartenstraße 17", "address"), ("Bonn", "location")]),
        ("Book a flight from Paris to Nairobi.", [("Paris", "location"), ("Nairobi", "location")]),
        ("I work for Siemens in Munich.", [("Siemens", "organisation"), ("Munich", "location")]),
    ],
)
def test_what_is_found(text, wanted):
    assert said(text) == wanted


@together(
    "text",
    [
        "", "\n", "Hello World", "How do I install Docker on Ubuntu?", "Please summarise the following text.",
        "On Monday we deploy; in March we test.", "Use the REST API and return JSON.", "def main(self): return None",
        "SELECT name FROM users WHERE id = 12;", "The CPU and the GPU. The Internet.", "I am Happy to help. Thank You!",
        "Dear Sir or Madam,", "You are a helpful assistant. Answer in English.", "请按下键以启动设备。",
        "Schreibe bitte eine Zusammenfassung der Vorteile und Nachteile.", "const Foo = require('Bar'); FooBar.baz()",
    ],
)  # fmt: skip
def test_what_is_no_name(text):
    assert said(text) == []


@together(
    ("text", "wanted"),
    [
        ("I live at 42 Birchwood Avenue, Springfield.", ["42 Birchwood Avenue, Springfield"]),
        ("Meine Adresse lautet Gartenstraße 17, 80331 München.", ["Gartenstraße 17, 80331 München"]),
        ("My address is 9 Elm Street\nLondon\nEngland", ["9 Elm Street\nLondon\nEngland"]),
        ("I flew from Paris, France to London.", []),
    ],
)
def test_towns_are_part_of_an_address_where_they_are_not_looked_for(text, wanted):
    assert [value for value, _ in said(text, Recogniser(["address"]))] == wanted


def test_places_are_of_characters_whatever_stands_before():
    text = "🙂 ¡Hola!\tDear Mr Zoë Brontë\u2010Smith,\r\n\r\nBest regards,\n  Zoë Brontë"
    assert ("Zoë Brontë", "person") in said(text)


def test_who_was_named_in_full_is_known_again():
    found = said("I met Aurelio Zanetti on Friday. Later the Zanetti of old came back.")
    assert found == [("Aurelio Zanetti", "person"), ("Zanetti", "person")]


def test_a_threshold_and_kinds():
    text = "Dr. Roe is Swedish, aged 44."
    kinds = ["title", "age", "nationality"]
    assert [each.kind for each in Recogniser(kinds).find(text)] == ["title", "nationality", "age"]
    assert [each.kind for each in Recogniser(kinds, threshold=0.85).find(text)] == ["title"]


def test_a_lower_threshold_finds_no_less():
    text = "Tell Quill that Umbra is in Greenport with Ms Fenn of Larkspur & Daughters, 9 Elm Row."
    surely, maybe = said(text, Recogniser(threshold=0.9)), said(text, Recogniser(threshold=0.2))
    assert sum(len(value) for value, _ in maybe) > sum(len(value) for value, _ in surely)


def test_the_weights_are_small():
    assert WEIGHTS.stat().st_size < 1 << 20


@pytest.mark.skipif(not DATASETS.is_dir(), reason="the data sets are not beside the checkout (../shared/datasets)")
def test_labelled_rows_are_found():
    """Weights have been learned from these: what is found of others, bench/NAMES.md says. A floor for both is here."""
    spec = importlib.util.spec_from_file_location("bench_names", ROOT / "bench" / "names.py")
    bench = importlib.util.module_from_spec(spec)
    sys.modules["bench_names"] = bench
    spec.loader.exec_module(bench)
    rows = [row for row in bench.read(DATASETS, "presidio_synth_v2") if bench.fold(row.group, 4) == 0]
    score = bench.Score()
    for row in rows:
        gold = [(start, end, bench.SAME[label]) for start, end, label in row.whole if label in bench.SAME]
        score.add(row.text, gold, [(one.start, one.end, one.kind) for one in Recogniser().find(row.text)])
    precision, recall, _ = score.anything()
    assert precision > 0.93
    assert recall > 0.93
