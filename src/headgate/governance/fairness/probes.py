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
        return hashlib.blake2b(self.question.encode(), digest_size=6).hexdigest()


@functools.cache
def shipped() -> Shipped:
    return Shipped.model_validate(yaml.safe_load(FILE.read_text("utf-8")))


def chosen(settings: Fairness, seed: int) -> Iterator[Probe]:
    """Those of one run: of each subject and dimension so many of each group that all of them have as many, and all
    together are no more than `most_requests` for each model. `seed` decides which."""
    there = shipped()
    subjects: Mapping[str, Subject] = {**there.subjects, **settings.own_subjects}
    dimensions: Mapping[str, Mapping[str, Sequence[str]]] = {**there.dimensions, **settings.own_dimensions}
    named = [name for name in (settings.subjects or subjects) if name in subjects]
    about = [name for name in (settings.dimensions or dimensions) if name in dimensions]
    groups = len(named) * sum(len(dimensions[name]) for name in about)
    each = max(settings.most_requests // groups, 1) if groups else 0
    draw = random.Random(seed)  # noqa: S311  # which questions, no secret
    for subject in named:
        for dimension in about:
            for group, people in dimensions[dimension].items():
                every = [(question, person) for question in subjects[subject].questions for person in people]
                for question, person in draw.sample(every, min(each, len(every))):
                    yield Probe(subject, subjects[subject].decision, dimension, group, question, person)
