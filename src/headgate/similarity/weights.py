"""An embedder of a folder of weights of BERT's build, as sentence-transformers lays it out: MiniLM, BGE, E5, GTE …"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from headgate.similarity import safetensors
from headgate.similarity.activations import ACTIVATIONS
from headgate.similarity.bert import Bert
from headgate.similarity.wordpiece import WordPiece

T = TypeVar("T")

KINDS = ("Transformer", "Pooling", "Normalize")
"""The modules of sentence-transformers that are known."""

FILES = (
    "model.safetensors", "config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
    "tokenizer_config.json", "vocab.txt", "tokenizer.json",
)  # fmt: skip


class NoModel(Exception):
    """The folder cannot be used; the message says why, and how to mend it."""


class _Config(msgspec.Struct):
    num_hidden_layers: int
    num_attention_heads: int
    architectures: list[str] = []
    model_type: str = ""
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    position_embedding_type: str = "absolute"


class _Module(msgspec.Struct):
    type: str
    path: str = ""


class _Pooling(msgspec.Struct):
    pooling_mode_cls_token: bool = False
    pooling_mode_mean_tokens: bool = False
    pooling_mode_max_tokens: bool = False
    pooling_mode_mean_sqrt_len_tokens: bool = False
    pooling_mode_weightedmean_tokens: bool = False
    pooling_mode_lasttoken: bool = False


class _Sentences(msgspec.Struct):
    max_seq_length: int | None = None


class _Words(msgspec.Struct):
    do_lower_case: bool = True
    strip_accents: bool | None = None
    tokenize_chinese_chars: bool = True


class _Model(msgspec.Struct):
    type: str = ""
    vocab: Any = None


class _Tokenizer(msgspec.Struct):
    model: _Model


class Weights:
    """An embedder: what a model says of texts, reckoned in a thread of its own."""

    threshold = 0.85

    def __init__(self, folder: Path) -> None:
        """Reads it all, which takes half a second for MiniLM. Raises NoModel."""
        if not (folder / "config.json").is_file():
            raise NoModel(f"{folder} is no folder of a model: it has no config.json")
        self._bert = _bert(folder)
        self._first_only = _first_only(folder)
        self._words = _words(folder, self._bert.words)
        most = _read(folder, "sentence_bert_config.json", _Sentences, _Sentences()).max_seq_length
        self._most = min(most or self._bert.positions, self._bert.positions)
        self.width = self._bert.width
        self.name = f"weights-{_hash(folder)}"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        self._try(folder)

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Takes some 4 ms for twelve new tokens, with MiniLM and AVX-512. Of a long text the beginning is looked at."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._vectors, list(texts))

    def vector(self, text: str) -> bytes:
        """Without another thread, for who may wait."""
        states = self._bert.states(self._words.numbers(text, self._most))
        pooled = states[0] if self._first_only else states.mean(axis=0)
        unit: safetensors.Floats = pooled / max(float(np.sqrt(pooled @ pooled)), 1e-12)
        return unit.astype("<f4").tobytes()

    def _try(self, folder: Path) -> None:
        """What shapes do not fit each other, or numbers that are none, is found out at once, and not by a request."""
        try:
            fine = bool(np.isfinite(np.frombuffer(self.vector("Is it well?"), "<f4")).all())
        except ValueError:
            fine = False
        if not fine:
            raise NoModel(f"{folder}/model.safetensors holds no weights of the shape that config.json says")

    def _vectors(self, texts: Sequence[str]) -> list[bytes]:
        return [self.vector(text) for text in texts]


def _bert(folder: Path) -> Bert:
    config = _read(folder, "config.json", _Config)
    if config.architectures != ["BertModel"] and config.model_type != "bert":
        known = config.architectures or config.model_type or "nothing"
        raise NoModel(f"{folder}/config.json: the architecture is {known}; only BertModel is known here")
    if config.hidden_act not in ACTIVATIONS or config.position_embedding_type != "absolute":
        raise NoModel(
            f"{folder}/config.json: `{config.hidden_act}` with `{config.position_embedding_type}` is not known"
        )
    path = folder / "model.safetensors"
    if not path.is_file():
        raise NoModel(f"{folder} has no model.safetensors: fetch the model in this format, or convert it")
    try:
        weights = {name.removeprefix("bert."): tensor for name, tensor in safetensors.read(path).items()}
        return Bert(
            weights, layers=config.num_hidden_layers, heads=config.num_attention_heads,
            activation=config.hidden_act, epsilon=config.layer_norm_eps,
        )  # fmt: skip
    except KeyError as error:
        raise NoModel(f"{path} has no {error}: it holds the weights of another model than config.json says") from None
    except (ValueError, OSError) as error:
        raise NoModel(f"{path}: {error}; fetch it anew") from None


def _first_only(folder: Path) -> bool:
    """Whether the first token speaks for the text, and not the mean of all."""
    modules = _read(folder, "modules.json", list[_Module], [])
    strange = [module.type for module in modules if module.type.rpartition(".")[2] not in KINDS]
    if strange:
        raise NoModel(f"{folder}/modules.json: {strange[0]} is not known here, only {', '.join(KINDS)}")
    paths = [module.path for module in modules if module.type.endswith("Pooling")] or ["1_Pooling"]
    mean = _Pooling(pooling_mode_mean_tokens=True)
    pooling = _read(folder, f"{paths[0]}/config.json", _Pooling, mean)
    if pooling not in (mean, _Pooling(pooling_mode_cls_token=True)):
        raise NoModel(f"{folder}/{paths[0]}/config.json: only the mean of all tokens, or the first, is known here")
    return pooling.pooling_mode_cls_token


def _words(folder: Path, known: int) -> WordPiece:
    settings = _read(folder, "tokenizer_config.json", _Words, _Words())
    path = folder / "vocab.txt"
    if path.is_file():
        lines = path.read_text("utf-8").split("\n")
        vocabulary = {line.rstrip("\r"): number for number, line in enumerate(lines) if line}
    else:
        model = _read(folder, "tokenizer.json", _Tokenizer, _Tokenizer(_Model("WordPiece"))).model
        if model.type != "WordPiece":
            raise NoModel(f"{folder}/tokenizer.json: the tokenizer is {model.type}; only WordPiece is known here")
        vocabulary = msgspec.convert(model.vocab or {}, dict[str, int])
    if max(vocabulary.values(), default=0) >= known:
        raise NoModel(f"{folder}: the vocabulary has {len(vocabulary)} words, of which the model knows {known}")
    try:
        return WordPiece(
            vocabulary, lower=settings.do_lower_case, strip=settings.strip_accents, cjk=settings.tokenize_chinese_chars
        )
    except KeyError as error:
        raise NoModel(f"{folder} has no vocabulary (vocab.txt or tokenizer.json) with {error}") from None


def _read(folder: Path, name: str, type: type[T], default: T | None = None) -> T:
    """Raises NoModel where it cannot be read, or is not there and has no default."""
    try:
        return msgspec.json.decode((folder / name).read_bytes(), type=type)
    except FileNotFoundError:
        if default is None:
            raise NoModel(f"{folder} has no {name}") from None
        return default
    except (OSError, msgspec.MsgspecError) as error:
        raise NoModel(f"{folder}/{name} cannot be read: {error}") from None


def _hash(folder: Path) -> str:
    """Of all that a vector depends on: the same model has the same name in every process, wherever its folder is."""
    hashed = blake2b(digest_size=8)
    for name in FILES:
        path = folder / name
        hashed.update(b"%b\0%d\0" % (name.encode(), path.stat().st_size if path.is_file() else 0))
        if path.is_file():
            with path.open("rb") as file:
                while piece := file.read(1 << 20):
                    hashed.update(piece)
    return hashed.hexdigest()
