"""A recogniser of the user's own takes the place of ours: a class by its dotted path, a pipeline of spaCy."""

import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from headgate.redaction.names.found import Found
from headgate.redaction.names.own import Pipeline, recogniser

MINE = """
class Mine:
    def find(self, text):
        return [(0, 3, "drug", 0.9), (2, 5, "drug"), (6, 9, "person", 0.4), (6, 8, "person"), (4, 400, "person")]
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "headgate_own_ner.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "headgate_own_ner:Mine"
    sys.modules.pop("headgate_own_ner", None)


def test_a_class_of_ones_own_is_asked_for_what_was_asked_for(mine):
    assert recogniser(["drug", "person"], 0.5, own=mine).find("abcdefghij") == [
        Found(0, 3, "drug", 0.9),
        Found(6, 8, "person"),
    ]
    assert recogniser(["person"], 0.5, own=mine).find("abcdefghij") == [Found(6, 8, "person")]


def test_what_spacy_finds_is_called_as_here():
    def pipeline(text):
        ents = [("Ann", 0, 3, "PERSON"), ("Rome", 7, 11, "GPE"), ("tea", 12, 15, "DRINK")]
        return SimpleNamespace(
            ents=[SimpleNamespace(start_char=start, end_char=end, label_=label) for _, start, end, label in ents]
        )

    found = Pipeline(pipeline).find("Ann in Rome tea")
    assert [(each.start, each.end, each.kind) for each in found] == [
        (0, 3, "person"),
        (7, 11, "location"),
        (12, 15, "drink"),
    ]


@pytest.mark.skipif(find_spec("spacy") is not None, reason="spaCy is installed here")
def test_without_spacy_it_says_what_to_install():
    with pytest.raises(ValueError, match="install `spacy`"):
        recogniser(["person"], 0.5, spacy="en_core_web_sm")


def test_a_pipeline_that_is_not_there(tmp_path, monkeypatch):
    (tmp_path / "spacy.py").write_text("def load(name):\n    raise OSError(f'Cannot find model {name}')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="spaCy cannot load `nothing`: Cannot find model nothing"):
        recogniser(["person"], 0.5, spacy="nothing")
    sys.modules.pop("spacy", None)
