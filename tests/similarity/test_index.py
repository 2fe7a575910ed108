"""The index finds what a plain search finds, whatever came and went."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headgate.similarity.index import OVERHEAD, SMALL, Index

WIDTH = 16


def unit(seed, width=WIDTH):
    vector = np.random.default_rng(seed).standard_normal(width).astype("<f4")
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


def cosine(a, b):
    return float(np.frombuffer(a, "<f4") @ np.frombuffer(b, "<f4"))


STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from([b"x", b"y"]), st.integers(0, 60)), max_size=200)


@given(STEPS)
def test_what_is_found_is_what_a_plain_search_finds(steps):
    index, kept = Index(1000, 1 << 20), {}
    for adding, context, number in steps:
        id = b"%d" % number
        if adding:
            index.add(context, id, unit(number))
            kept[id] = context, unit(number)
        else:
            assert index.remove(id) == (kept.pop(id, None) is not None)
    assert len(index) == len(kept)
    assert index.bytes == len(kept) * (WIDTH * 4 + OVERHEAD)
    for context in (b"x", b"y", b"z"):
        asked = unit(99)
        there = sorted((-cosine(vector, asked), id) for id, (where, vector) in kept.items() if where == context)
        found = index.nearest(context, asked, 5)
        np.testing.assert_allclose([-each.similarity for each in found], [each for each, _ in there[:5]], rtol=1e-5)
        assert {each.id for each in found} == {id for _, id in there[:5]}


def test_the_oldest_goes_where_there_is_no_room():
    index = Index(3, 1 << 20)
    for number in range(5):
        index.add(b"x", b"%d" % number, unit(number))
    assert {each.id for each in index.nearest(b"x", unit(9), 9)} == {b"2", b"3", b"4"}


def test_bytes_are_bounded():
    index = Index(1000, 3 * (WIDTH * 4 + OVERHEAD))
    for number in range(10):
        index.add(b"%d" % (number % 2), b"%d" % number, unit(number))
        assert index.bytes <= index.max_bytes
    assert len(index) == 3
    index.add(b"x", b"wide", unit(1, 4096))
    assert len(index) == 3


def test_vectors_of_another_width_take_the_place_of_those_that_were_there():
    index = Index(10, 1 << 20)
    index.add(b"x", b"old", unit(1))
    assert index.nearest(b"x", unit(1, 8), 3) == []
    index.add(b"x", b"new", unit(1, 8))
    assert [each.id for each in index.nearest(b"x", unit(1, 8), 3)] == [b"new"]
    assert len(index) == 1


def test_of_many_the_nearest_are_found():
    lots = np.random.default_rng(3)
    kept = lots.standard_normal((3 * SMALL, 64)).astype("<f4")
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    index = Index(len(kept), 1 << 30)
    for number, vector in enumerate(kept):
        index.add(b"x", b"%d" % number, vector.tobytes())
    for number in range(0, len(kept), 3):
        index.remove(b"%d" % number)
    for number in range(1, len(kept), 30):
        asked = kept[number] + 0.06 * lots.standard_normal(64).astype("<f4")
        asked /= np.linalg.norm(asked)
        similarities = kept @ asked
        similarities[::3] = -1
        [best, *_] = index.nearest(b"x", asked.tobytes(), 3)
        assert best.id == b"%d" % np.argmax(similarities)
        assert np.isclose(best.similarity, similarities.max(), atol=1e-6)


def test_many_that_are_the_same_are_found():
    index = Index(3 * SMALL, 1 << 30)
    for number in range(3 * SMALL):
        index.add(b"x", b"%d" % number, unit(1))
    found = index.nearest(b"x", unit(1), 5)
    assert len({each.id for each in found}) == 5
    assert all(np.isclose(each.similarity, 1) for each in found)
