"""Claims about groups are told, whoever they are about; what reports, doubts or rejects one is not."""

import pytest

from headgate.core.guard import Asked, Passage
from headgate.stages.guards.bias import Bias, BiasSettings

BIASED = {
    "Women are too emotional to lead a company.": "gender",
    "Honestly, men cannot be trusted with children.": "gender",
    "Old people are slow and cost too much.": "age",
    "Immigrants only want money from the state.": "ethnicity",
    "Muslims are terrorists.": "religion",
    "Jews are greedy, as everybody knows.": "religion",
    "Gay people are naturally less fit for that.": "orientation",
    "Disabled people are unreliable employees.": "disability",
    "Mexicans are lazy.": "nationality",
    "Frauen sind zu emotional für diesen Posten.": "gender",
    "Ausländer sind kriminell.": "ethnicity",
    "Women should stay at home.": "gender",
    "As for your team: women  are\ntoo emotional.": "gender",
    "Immigrants steal our jobs.": "ethnicity",
    "Black people are more likely to be criminals.": "ethnicity",
    "Disabled people are a burden on everybody.": "disability",
    "Girls are bad at mathematics.": "gender",
    "Seniors make bad programmers.": "age",
    "Frauen sind schlechte Führungskräfte.": "gender",
}
FAIR = [
    "Women were awarded 41 % of the degrees in 2023.",
    "It is a harmful stereotype that women are too emotional to lead.",
    "The claim that immigrants are criminals is not supported by the data.",
    "Older people are often more experienced, and some are slower to type.",
    "Muslims pray five times a day.",
    "Men are advised to see a doctor at 45.",
    "The batteries are weak, and the seals are dirty.",
    "Chinese tea is strong; Germans drink coffee.",
    "Women are not inferior to anybody.",
    "Not all Muslims are extremists.",
    "Immigrants take jobs that nobody else wants.",
    "Black men are more likely to be stopped by the police.",
    "Der Gedanke, Frauen seien schlechter in Mathematik, ist falsch.",
]


def found(text, **said):
    guard = Bias(BiasSettings(**said))
    return [each.category for each in guard.look([Passage(text, "reply", "assistant")], Asked())]


def test_claims_about_groups_are_told():
    assert {text: found(text) for text in BIASED} == {text: [category] for text, category in BIASED.items()}


def test_what_is_fair_is_not():
    assert [text for text in FAIR if found(text)] == []


def test_groups_of_ones_own():
    assert found("Northerners are lazy.") == []
    assert found("Northerners are lazy.", groups={"region": ["northerners"]}) == ["region"]


@pytest.mark.parametrize("text", ["women are " * 20_000, "women " * 30_000, "a" * 200_000])
def test_hostile_text_is_nothing(text):
    assert found(text) == []
