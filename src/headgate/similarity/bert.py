"""What BERT's encoder makes of a text's tokens (https://arxiv.org/abs/1810.04805), in numpy, one text at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from headgate.similarity.activations import ACTIVATIONS
from headgate.similarity.linear import laid_out
from headgate.similarity.safetensors import Floats


class Bert:
    """The encoder of `BertModel`, of whatever size its weights have."""

    def __init__(
        self, weights: Mapping[str, Floats], *, layers: int, heads: int, activation: str, epsilon: float
    ) -> None:
        """Copies what it needs.

        Raises KeyError for weights not all there, or an activation that is not known; ValueError for no matrices.
        """
        self._words, self._places, self._kinds = (
            weights[f"embeddings.{name}_embeddings.weight"].copy() for name in ("word", "position", "token_type")
        )
        self.words, self.width = self._words.shape
        self.positions = len(self._places)
        self._heads = heads
        self._epsilon = np.float32(epsilon)
        self._activate = ACTIVATIONS[activation]
        names = [f"encoder.layer.{number}." for number in range(layers)]
        scale = np.float32((self.width / heads) ** -0.5)
        linear = iter(laid_out([each for name in names for each in _matrices(weights, name, scale)]))
        self._norm = _norm(weights, "embeddings.LayerNorm")
        self._layers = [
            (
                next(linear), next(linear), _norm(weights, f"{name}attention.output.LayerNorm"),
                next(linear), next(linear), _norm(weights, f"{name}output.LayerNorm"),
            )
            for name in names
        ]  # fmt: skip

    def states(self, tokens: Sequence[int]) -> Floats:
        """A row for each token."""
        x: Floats = self._words[np.asarray(tokens)]
        x += self._places[: len(tokens)]
        x += self._kinds[0]
        self._normalise(x, self._norm)
        for asked, said, first_norm, wide, narrow, second_norm in self._layers:
            x += said(self._attention(asked(x)))
            self._normalise(x, first_norm)
            x += narrow(self._activate(wide(x)))
            self._normalise(x, second_norm)
        return x

    def _attention(self, x: Floats) -> Floats:
        """`x`: for each token its query, as it is scaled, its key and value, side by side."""
        count, size = len(x), self.width // self._heads
        query, key, value = x.reshape(count, 3, self._heads, size).transpose(1, 2, 0, 3)
        scores = query @ key.transpose(0, 2, 1)
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores, axis=-1, keepdims=True)
        heard = np.empty((count, self._heads, size), np.float32)
        np.matmul(scores, value, out=heard.transpose(1, 0, 2))
        return heard.reshape(count, self.width)

    def _normalise(self, x: Floats, norm: tuple[Floats, Floats]) -> None:
        """In its place."""
        x -= np.add.reduce(x, axis=-1, keepdims=True) / np.float32(self.width)
        spread = np.sqrt(np.vecdot(x, x) / np.float32(self.width) + self._epsilon)
        x /= spread[:, None]
        x *= norm[0]
        x += norm[1]


def _matrices(weights: Mapping[str, Floats], name: str, scale: np.float32) -> Iterator[tuple[Floats, Floats]]:
    """A layer's, with their biases: queries (scaled), keys and values side by side; what is said; wide; narrow."""
    query, *others = (_dense(weights, f"{name}attention.self.{part}") for part in ("query", "key", "value"))
    matrices, biases = zip((query[0] * scale, query[1] * scale), *others, strict=True)
    yield np.concatenate(matrices, axis=1), np.concatenate(biases)
    for part in ("attention.output.dense", "intermediate.dense", "output.dense"):
        yield _dense(weights, f"{name}{part}")


def _dense(weights: Mapping[str, Floats], name: str) -> tuple[Floats, Floats]:
    matrix, bias = weights[f"{name}.weight"].T, weights[f"{name}.bias"]
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"`{name}.weight` is no matrix")
    return matrix, bias


def _norm(weights: Mapping[str, Floats], name: str) -> tuple[Floats, Floats]:
    return weights[f"{name}.weight"].copy(), weights[f"{name}.bias"].copy()
