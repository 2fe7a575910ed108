"""How many tokens a text has: exactly for the models whose vocabulary is public, else an estimate that says it is one.

The vocabularies are made by `scripts/vocabulary.py` when the gateway is set up; without them, or without the optional
package tiktoken, every count is an estimate.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
import lzma
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tiktoken import Encoding

FOLDER = Path(__file__).parent / "vocabulary"
ENCODINGS = ("o200k_base", "cl100k_base")
BYTES_PER_TOKEN = 4
"""Of English text, about: https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them"""
_OLDER = re.compile(r"gpt-4(?!o|\.[1-9])|gpt-3\.5|text-embedding-(?:3|ada)|gpt-35")
_ENDLESS = re.compile(r"\S{8000}|\s{8000}")
_OPENAI = re.compile(r"(?:gpt|chatgpt|text-embedding|codex)-|o[1-9](?:-|\Z)")


class Count(msgspec.Struct, frozen=True):
    """`by` says what counted: an encoding's name, or "estimate". `ids` are the tokens, where there is a vocabulary."""

    tokens: int
    by: str
    ids: list[int] | None = None


def encoding_of(model: str) -> str | None:
    """The vocabulary of a model, by its name without a provider; None where it is not public."""
    name = model.rpartition("/")[2].lower()
    if not _OPENAI.match(name):
        return None
    return "cl100k_base" if _OLDER.match(name) else "o200k_base"


def exact(model: str) -> bool:
    """Whether its texts can be counted exactly; the vocabulary is not loaded yet perhaps."""
    name = encoding_of(model)
    return name is not None and _there(name)


@functools.cache
def _there(name: str) -> bool:
    return _file(name).exists() and importlib.util.find_spec("tiktoken") is not None


def _file(name: str) -> Path:
    return FOLDER / f"{name}.json.xz"


def count(text: str, model: str) -> Count:
    """Special tokens in the text count as the text they are written as. Loading a vocabulary takes half a second."""
    name = encoding_of(model)
    encoding = load(name) if name else None
    if name is None or encoding is None:
        return Count(estimate(text), "estimate")
    ids = [id for piece in _pieces(text) for id in encoding.encode_ordinary(piece)]
    return Count(len(ids), name, ids)


def _pieces(text: str) -> Iterator[str]:
    """The text, cut only where it is endless: the time for what has no gaps grows with the square of its length."""
    at = 0
    for found in _ENDLESS.finditer(text):
        yield text[at : found.end()]
        at = found.end()
    yield text[at:]


def estimate(text: str) -> int:
    """By length: a token is about four bytes."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


@functools.cache
def load(name: str) -> Encoding | None:
    """The vocabulary of this name; None where it, or tiktoken, is not installed."""
    if not _there(name):
        return None
    import tiktoken

    made = msgspec.json.decode(lzma.decompress(_file(name).read_bytes()), type=_Vocabulary)
    return tiktoken.Encoding(
        name, pat_str=made.pat_str, mergeable_ranks=ranks(made.bpe_ranks), special_tokens=made.special_tokens
    )


class _Vocabulary(msgspec.Struct):
    pat_str: str
    special_tokens: dict[str, int]
    bpe_ranks: str


def ranks(text: str) -> dict[bytes, int]:
    """Lines of `! FIRST-RANK TOKEN TOKEN …`, each token in base64."""
    found: dict[bytes, int] = {}
    for line in text.splitlines():
        _, first, *tokens = line.split(" ")
        for rank, token in enumerate(tokens, int(first)):
            found[base64.b64decode(token)] = rank
    return found
