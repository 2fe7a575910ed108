"""An effort of reasoning behind a model's name: `smart:high`, for clients that only let one type a name."""

from __future__ import annotations

from collections.abc import Container

EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})


def parted(model: str, names: Container[str] = ()) -> tuple[str, str | None]:
    """The name, and the effort that stands behind it; None: there is none, or it is one of `names` as it is."""
    name, colon, effort = model.rpartition(":")
    return (name, effort) if colon and effort in EFFORTS and model not in names else (model, None)
