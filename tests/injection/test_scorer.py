"""N-grams and models: what counts, where it stands, and that a file of weights says what was written."""

import numpy as np

from headgate.injection import scorer
from headgate.injection.ngrams import grams


def rows(text):
    found = grams(text)
    return {int(each) for each in np.concatenate([found.chars.ravel(), found.words.ravel()])} - {0}


def test_case_digits_and_blanks_make_no_difference():
    assert rows("Ignore 12 Rules") == rows("ignore   34\trules")
    assert rows("ignore rules") != rows("ignore roles")


def test_words_are_found_with_their_places():
    assert list(grams("Ignore all, now: 忽略").starts) == [0, 7, 12, 17, 18]
    assert grams("").length == 0
    assert len(grams("...").starts) == 0


def test_shapes_tell_junk_from_words():
    assert set(grams("Hello there my friend").shapes[0]) == set(grams("Good night old man").shapes[0])
    assert set(grams("a`](struct {HTMLsvg").shapes[0]) - set(grams("Good night old man").shapes[0])


def test_lines_and_sentences_are_segments():
    line, long = "A short line here.", "This is a sentence of some length, no doubt of that. " * 6
    found = grams(f"{line}\n{long}\n{'x' * 900}")
    assert tuple(found.segments[0]) == (0, len(line))
    assert all(end - start <= 300 for start, end in found.segments)
    assert found.segments[-1][1] == found.length


def test_a_score_is_the_best_of_the_segments():
    near = np.zeros((2, scorer.SIZE), np.int8)
    near[1, grams("attack").words[0]] = 100
    model = scorer.Model(scorer.Table(near[0], near[1], 0.01), None, {"leet": 2.0}, -0.5)
    text = "a harmless line\nan attack here\nanother harmless line"
    found = scorer.score(model, grams(text))
    assert found.value > -0.5
    assert text[found.start : found.end].strip() == "an attack here"
    assert scorer.score(model, grams(text), ["leet"]).value == found.value + 2
    assert scorer.score(model, grams("harmless")).value == -0.5


def test_weights_are_kept_in_a_file():
    tables = np.arange(4 * scorer.SIZE).astype(np.int8).reshape(4, scorer.SIZE)
    model = scorer.Model(
        scorer.Table(tables[0], tables[1], 0.25), scorer.Table(tables[2], tables[3], 0.5), {"leet": 1.5}, -3.0
    )
    again = scorer.decoded(scorer.encoded(model))
    assert (again.told, again.bias, again.near.scale, again.wide.scale) == (model.told, -3.0, 0.25, 0.5)
    assert np.array_equal(again.wide.words, tables[3])
    assert np.array_equal(again.near.chars, tables[0])


def test_the_weights_that_come_with_it_are_small():
    for name, wide in (("direct", True), ("indirect", False)):
        model = scorer.model(name)
        assert (model.wide is not None) == wide
        assert len(scorer.encoded(model)) < 600_000
