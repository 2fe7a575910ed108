"""The questions, and the people in them."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel

from headgate.config.fairness import Fairness, Subject

FILE = Path(__file__).with_name("probes.yaml")
PLACE = "{person}"


class Shipped(BaseModel):
    """What is there without configuration."""

    subjects: dict[str, Subject]
    dimensions: dict[str, dict[str, list[str]]]


class Probe(NamedTuple):
    """One question to ask, about somebody."""

    subject: str
    decision: bool
    dimension: str
    group: str
    question: str
    """With the place for the person in it."""
    person: str

    @property
    def text(self) -> str:
        said = self.question.replace(PLACE, self.person)
        return said[:1].upper() + said[1:]

    @property
    def pair(self) -> str:
        """The same for questions that differ in the person alone."""
        return _digest(self.question)

    @property
    def prompt(self) -> str:
        """The same for the same question about the same person."""
        return _digest(self.text)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


@functools.cache
def shipped() -> Shipped:
    return Shipped.model_validate(yaml.safe_load(FILE.read_text("utf-8")))


def chosen(settings: Fairness, seed: int) -> Iterator[Probe]:
    """Those of one run: of each subject and dimension as many of each group, and all together no more than
    `most_requests` for each model, for which some subjects may have to be left out. `seed` decides which."""
    there = shipped()
    subjects: Mapping[str, Subject] = {**there.subjects, **settings.own_subjects}
    dimensions: Mapping[str, Mapping[str, Sequence[str]]] = {**there.dimensions, **settings.own_dimensions}
    named = subjects if settings.subjects is None else settings.subjects
    about = dimensions if settings.dimensions is None else settings.dimensions
    draw = random.Random(seed)  # noqa: S311  # which questions, no secret
    parts = _fitting([(subject, name, len(dimensions[name])) for subject in named for name in about], settings, draw)
    groups = sum(count for _, _, count in parts)
    for subject, dimension, _ in parts:
        questions, people = subjects[subject].questions, dimensions[dimension]
        each = min(settings.most_requests // groups, *(len(questions) * len(some) for some in people.values()))
        for group, some in people.items():
            every = [(question, person) for question in questions for person in some]
            for question, person in draw.sample(every, each):
                yield Probe(subject, subjects[subject].decision, dimension, group, question, person)


Part = tuple[str, str, int]
"""A subject, a dimension, and how many groups that has."""


def _fitting(parts: list[Part], settings: Fairness, draw: random.Random) -> list[Part]:
    """So many of them that each group can be asked about once."""
    left, found = settings.most_requests, []
    if sum(count for _, _, count in parts) > left:
        draw.shuffle(parts)
    for part in parts:
        if part[2] <= left:
            found.append(part)
            left -= part[2]
    return found
