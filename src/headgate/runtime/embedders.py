"""Embedders that run in this process, each read once, whatever configurations come and go."""

from __future__ import annotations

from pathlib import Path

from headgate.config.schema import Config
from headgate.config.semantic import WEIGHTS, configured
from headgate.core.ports import Embedder


def local_of(folder: Path | None, known: dict[str, Embedder]) -> Embedder:
    """The embedder of a folder (None: of words alone). It is one of the known, or becomes one: to read weights takes
    half a second. Raises ValueError for a folder that is none of a model."""
    if folder is None:
        from headgate.similarity.lexical import Lexical

        return known.setdefault("", Lexical())
    from headgate.similarity.weights import NoModel, Weights

    try:
        about = f"{folder} {(folder / WEIGHTS).stat().st_mtime_ns}"
        if about not in known:
            known[about] = Weights(folder)
    except (NoModel, OSError) as error:
        raise ValueError(f"the embedder of similar questions: {error}") from error
    return known[about]


def preload(config: Config, known: dict[str, Embedder]) -> None:
    """Read the weights that a configuration is in need of, for who may wait for it. Raises ValueError."""
    for _, each in configured(config):
        if each.embedder.model is None:
            local_of(each.embedder.folder, known)
