"""What BERT's encoder makes of a text's tokens (https://arxiv.org/abs/1810.04805), in numpy, one text at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from headgate.similarity.safetensors import Floats

ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
"""Abramowitz and Stegun, 7.1.26: within 1.5e-7."""


def erf(x: Floats) -> Floats:
    """The error function, which numpy lacks."""
    size = np.abs(x)
    t = np.reciprocal(1 + np.float32(0.3275911) * size)
    series: Floats = np.full_like(x, ERF[4])
    for factor in reversed(ERF[:4]):
        series = series * t + np.float32(factor)
    return np.asarray(np.copysign(1 - series * t * np.exp(-size * size), x), np.float32)


def gelu(x: Floats) -> Floats:
    return np.asarray(x * np.float32(0.5) * (1 + erf(x * np.float32(0.7071067811865476))), np.float32)


def gelu_by_tanh(x: Floats) -> Floats:
    inner = np.float32(0.7978845608028654) * (x + np.float32(0.044715) * x * x * x)
    return np.asarray(np.float32(0.5) * x * (1 + np.tanh(inner)), np.float32)


def relu(x: Floats) -> Floats:
    return np.maximum(x, np.float32(0))


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "gelu": gelu,
    "gelu_new": gelu_by_tanh,
    "gelu_pytorch_tanh": gelu_by_tanh,
    "relu": relu,
}


class Bert:
    """The encoder of `BertModel`, of whatever size its weights have."""

    def __init__(
        self, weights: Mapping[str, Floats], *, layers: int, heads: int, activation: str, epsilon: float
    ) -> None:
        """Copies what it needs. Raises KeyError for weights not all there, or an activation that is not known."""
        self._words, self._places, self._kinds = (
            weights[f"embeddings.{name}_embeddings.weight"].copy() for name in ("word", "position", "token_type")
        )
        self.words, self.width = self._words.shape
        self.positions = len(self._places)
        self._heads = heads
        self._epsilon = np.float32(epsilon)
        self._activate = ACTIVATIONS[activation]
        self._layers = [_layer(weights, f"encoder.layer.{number}.") for number in range(layers)]
        self._norm = _norm(weights, "embeddings.LayerNorm")

    def states(self, tokens: Sequence[int]) -> Floats:
        """A row for each token."""
        x = self._words[np.asarray(tokens)] + self._places[: len(tokens)] + self._kinds[0]
        x = self._normalised(x, self._norm)
        for asked, said, first_norm, wide, narrow, second_norm in self._layers:
            x = self._normalised(x + _linear(self._attention(_linear(x, asked)), said), first_norm)
            x = self._normalised(x + _linear(self._activate(_linear(x, wide)), narrow), second_norm)
        return x

    def _attention(self, x: Floats) -> Floats:
        """`x`: for each token its query, key and value, side by side."""
        count, size = len(x), self.width // self._heads
        query, key, value = x.reshape(count, 3, self._heads, size).transpose(1, 2, 0, 3)
        scores = query @ key.transpose(0, 2, 1) * np.float32(size**-0.5)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        heard: Floats = (scores @ value).transpose(1, 0, 2).reshape(count, self.width)
        return heard

    def _normalised(self, x: Floats, norm: tuple[Floats, Floats]) -> Floats:
        x = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self._epsilon)
        return np.asarray(x / spread * norm[0] + norm[1], np.float32)


def _layer(weights: Mapping[str, Floats], name: str) -> tuple[tuple[Floats, Floats], ...]:
    return (
        _dense(weights, *(f"{name}attention.self.{part}" for part in ("query", "key", "value"))),
        _dense(weights, f"{name}attention.output.dense"),
        _norm(weights, f"{name}attention.output.LayerNorm"),
        _dense(weights, f"{name}intermediate.dense"),
        _dense(weights, f"{name}output.dense"),
        _norm(weights, f"{name}output.LayerNorm"),
    )


def _dense(weights: Mapping[str, Floats], *names: str) -> tuple[Floats, Floats]:
    """Side by side, and laid out as they are multiplied with: half as quick again for a few tokens."""
    matrix = np.ascontiguousarray(np.concatenate([weights[f"{name}.weight"] for name in names]).T)
    return matrix, np.concatenate([weights[f"{name}.bias"] for name in names])


def _norm(weights: Mapping[str, Floats], name: str) -> tuple[Floats, Floats]:
    return weights[f"{name}.weight"].copy(), weights[f"{name}.bias"].copy()


def _linear(x: Floats, layer: tuple[Floats, Floats]) -> Floats:
    return np.asarray(x @ layer[0] + layer[1], np.float32)
