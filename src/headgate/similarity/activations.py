"""What a network's layers do to each number, by the names that models' configurations have for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from headgate.similarity.safetensors import Floats

ERF = (0.0705230784, 0.0422820123, 0.0092705272, 0.0001520143, 0.0002765672, 0.0000430638)
"""Abramowitz and Stegun, 7.1.28: erf x = 1 - (1 + a1 x + … + a6 x^6)^-16 for x ≥ 0, within 3e-7."""
SERIES = [np.float32(2 ** (1 / 16) * a * 0.5 ** (power / 2)) for power, a in enumerate((1.0, *ERF))]
"""The same of the root of 2 times x, and its sixteenth power doubled: half of what is beyond x, under one."""


def gelu(x: Floats) -> Floats:
    """x times the share of a normal distribution that is below it; within 1e-6, without a function that numpy lacks."""
    size = np.abs(x)
    with np.errstate(over="ignore"):  # nothing is beyond such a number
        beyond = size * SERIES[-1]
        for factor in SERIES[-2:0:-1]:
            beyond += factor
            beyond *= size
        beyond += SERIES[0]
        for _ in range(4):
            np.square(beyond, out=beyond)
    np.divide(size, beyond, out=size)
    found = np.maximum(x, np.float32(0), out=beyond)
    found -= size
    return found


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
