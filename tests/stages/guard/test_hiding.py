"""Surrogates stand wherever a value does, and nowhere else."""

import re

from headgate.core.guard import Passage
from headgate.core.vault import Vault
from headgate.stages.guard.changing import edited
from headgate.stages.guard.hiding import Span, hide


def test_what_stands_for_something_is_not_hidden_once_more():
    vault, first, second = Vault(1), {}, {}
    hide(vault, [Passage("Joe <joe@x.com>, PERSON")], {0: [Span(5, 14, "email")]}, first)
    shown = edited("Joe <joe@x.com>, PERSON", first[0])
    assert shown == "Joe <<EMAIL_1>>, PERSON"
    spans = {0: [Span(0, 15, "person")], 1: [Span(0, 5, "word")]}
    hide(vault, [Passage(shown), Passage("EMAIL")], spans, second)
    assert edited(shown, second[0]) == "<PERSON_1><EMAIL_1><PERSON_2>, PERSON"


def test_what_was_found_once_is_hidden_wherever_it_stands():
    first = " ".join(f"ann{number}@example.com" for number in range(2000))
    spans = [Span(*each.span(), "EMAIL") for each in re.finditer(r"\S+", first)]
    second = "😀 ann7@example.com, xann7@example.com, (ann7@example.com) ann7@example.computer ann1999@example.com"
    edits = {}
    hide(Vault(1), [Passage(first), Passage(second)], {0: spans}, edits)
    assert "example.com" not in edited(first, edits[0])
    seven, last = "<EMAIL_8>", "<EMAIL_2000>"
    said = f"😀 {seven}, xann7@example.com, ({seven}) ann7@example.computer {last}"
    assert edited(second, edits[1]) == said


def test_of_many_values_each_is_hidden_wherever_it_stands():
    """However few of the texts their words are in, and whatever they begin with."""
    values = [each for number in range(100, 130) for each in (f"+4930{number}", f"_id{number}_", f"ä{number}.é")]
    first = " ".join(values)
    spans = [Span(*each.span(), "KIND") for each in re.finditer(r"\S+", first)]
    second = "(+4930107) x_id108_y ä109.é, ä109.éa +49301071 _id108 ä109 é"
    edits = {}
    hide(Vault(1), [Passage(first), Passage(second)], {0: spans}, edits)
    stands = {value: f"<KIND_{place}>" for place, value in enumerate(values, 1)}
    said = f"({stands['+4930107']}) x{stands['_id108_']}y {stands['ä109.é']}, ä109.éa +49301071 _id108 ä109 é"
    assert edited(second, edits[1]) == said
