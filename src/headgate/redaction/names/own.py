"""The recogniser that a configuration asks for: ours, a class of the user's, or a pipeline of spaCy."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from typing import Any

from headgate.core.plugin import PluginNotFound, load
from headgate.redaction.names.found import Finder, Found, apart
from headgate.redaction.names.recogniser import Recogniser

SPACY = {
    "PERSON": "person", "PER": "person", "GPE": "location", "LOC": "location", "FAC": "location", "ORG": "organisation",
    "NORP": "nationality", "DATE": "date", "ADDRESS": "address",
}  # fmt: skip
"""What its models call our kinds; another label is a kind by itself, written small."""
SURE = 0.85
"""Score of what spaCy finds, which says none."""


def recogniser(kinds: Collection[str], threshold: float, own: str = "", spacy: str = "") -> Finder:
    """`own`: a class by its dotted path; `spacy`: a pipeline's package or folder. Raises ValueError."""
    if own and spacy:
        raise ValueError("`ner` and `spacy` are two recognisers: leave one out")
    if own:
        return Chosen(_own(own), kinds, threshold)
    if spacy:
        return Chosen(_spacy(spacy), kinds, threshold)
    return Recogniser(kinds, threshold)


class Chosen:
    """Of what a user's recogniser finds, what was asked for."""

    def __init__(self, finder: Finder, kinds: Collection[str], threshold: float) -> None:
        self._finder = finder
        self._kinds = frozenset(kinds)
        self._threshold = threshold

    def find(self, text: str) -> list[Found]:
        found = (Found(*each) for each in self._finder.find(text))
        return apart(
            each
            for each in found
            if each.kind in self._kinds and each.score >= self._threshold and 0 <= each.start < each.end <= len(text)
        )


class Pipeline:
    """What a pipeline of spaCy calls entities."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def find(self, text: str) -> list[Found]:
        return [
            Found(each.start_char, each.end_char, SPACY.get(each.label_, each.label_.lower()), SURE)
            for each in self._pipeline(text).ents
        ]


def _own(name: str) -> Finder:
    if "." not in name and ":" not in name:
        raise ValueError(f"`{name}` is no recogniser: write `package.module:Class`, a class with `find(text)`")
    try:
        kind: type[Finder] = load("redaction.names", name, Finder)  # type: ignore[type-abstract]
    except PluginNotFound as error:
        raise ValueError(str(error)) from error
    return kind()


def _spacy(name: str) -> Finder:
    try:
        module = import_module("spacy")
    except ImportError:
        raise ValueError("spaCy is not there: install `spacy` and a model of it, or leave `spacy` out") from None
    try:
        return Pipeline(module.load(name))
    except (OSError, ValueError) as error:
        raise ValueError(f"spaCy cannot load `{name}`: {str(error)[:200]}") from error
