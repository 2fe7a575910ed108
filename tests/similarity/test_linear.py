"""A matrix in tiles gives what it gives whole, for any sizes."""

from math import erf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.similarity.activations import gelu
from headgate.similarity.linear import BROAD, DEEP, ROWS, laid_out

SIZES = st.sampled_from([1, 8, 61, 67, DEEP - 1, DEEP, 3 * DEEP, 1024]), st.sampled_from([1, 24, 67, BROAD, 5 * BROAD])


@given(st.lists(st.tuples(*SIZES), min_size=1, max_size=3), st.integers(1, 3 * ROWS), st.integers(0, 99))
def test_tiles_give_what_the_matrix_gives(sizes, count, seed):
    lots = np.random.default_rng(seed)
    layers = [tuple(lots.standard_normal(shape, np.float32) for shape in (size, size[1])) for size in sizes]
    for (matrix, bias), linear in zip(layers, laid_out(layers), strict=True):
        rows = lots.standard_normal((count, len(matrix)), np.float32)
        np.testing.assert_allclose(linear(rows), rows.astype(float) @ matrix + bias, atol=1e-3)


@pytest.mark.filterwarnings("error")
def test_gelu_is_exact_enough_and_bears_any_number():
    x = np.linspace(-12, 12, 20_001, dtype=np.float32)
    exact = [each * (1 + erf(each / sqrt(2))) / 2 for each in x.tolist()]
    np.testing.assert_allclose(gelu(x), exact, atol=1e-6)
    assert gelu(np.array([-1e4, 0, 1e4, 1e9], np.float32)).tolist() == [0, 0, 1e4, 1e9]
