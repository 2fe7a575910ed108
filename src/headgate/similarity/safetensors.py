"""Reads the tensors of a safetensors file (https://huggingface.co/docs/safetensors): a head of JSON, then numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
MOST_HEAD = 100_000_000
"""Bytes of a head, as the format bounds it."""


class _Tensor(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def read(path: Path) -> dict[str, Floats]:
    """The tensors of floating numbers, by name, as 32-bit floats; others are left out.

    Read, and not mapped into memory: who overwrites the file would end the process. Raises ValueError, OSError.
    """
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(MOST_HEAD, len(data) - 8):
        raise ValueError("the file is cut, or not safetensors")
    try:
        head: dict[str, Any] = msgspec.json.decode(data[8 : 8 + size], type=dict[str, Any])
        head.pop("__metadata__", None)
        tensors = msgspec.convert(head, dict[str, _Tensor])
    except msgspec.MsgspecError as error:
        raise ValueError(f"the file's head cannot be read: {error}") from None
    return {
        name: _numbers(name, tensor, memoryview(data)[8 + size :])
        for name, tensor in tensors.items()
        if tensor.dtype in ("F16", "BF16", "F32")
    }


def _numbers(name: str, tensor: _Tensor, data: memoryview) -> Floats:
    start, end = tensor.data_offsets
    wide = 4 if tensor.dtype == "F32" else 2
    if not 0 <= start <= end <= len(data) or (end - start) != wide * int(np.prod(tensor.shape, dtype=np.int64)):
        raise ValueError(f"the file has not all of `{name}`")
    piece = data[start:end]
    if tensor.dtype == "BF16":  # the upper half of a 32-bit float
        found = (np.frombuffer(piece, "<u2").astype("<u4") << np.uint32(16)).view("<f4")
    else:
        found = np.frombuffer(piece, "<f4" if wide == 4 else "<f2")
    return np.ascontiguousarray(found.reshape(tensor.shape), np.float32)
