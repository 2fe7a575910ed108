"""Whether an answer is given to who asks the like in other words: what is like enough, and who says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from headgate.config.document import Path
from headgate.config.section import Section

if TYPE_CHECKING:
    from headgate.config.caching import Answers
    from headgate.config.schema import Config

Counted = Literal["system", "earlier", "tools", "parameters"]
LEXICAL = "lexical"
PACKAGE = "numpy"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
"""What is in a folder of weights."""
DRIVER = "asyncpg"
POSTGRES = ("postgresql://", "postgres://")


class Embedder(Section):
    """What tells how like two questions are: a model in a folder, or one that is asked; neither: their words alone."""

    folder: File | None = Field(
        None, description="A folder with the weights of a sentence encoder (MiniLM and its like), run in this process."
    )
    model: str | None = Field(
        None, min_length=1, description="An embedding model to ask: a name of `models`, or `provider/model`."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {} if value == LEXICAL else value

    @model_validator(mode="after")
    def _one(self) -> Embedder:
        if self.folder is not None and self.model is not None:
            raise PydanticCustomError("embedder", "`folder` or `model`, one of them")
        return self


class Verify(Section):
    """A model that says whether one answer serves both questions."""

    model: str = Field(min_length=1, description="Who is asked: a name of `models`, or `provider/model`; a cheap one.")
    below: float = Field(1.0, gt=0, le=1, description="It is asked where two questions are less alike than this.")
    timeout: float = Field(
        2.0, gt=0, le=60, description="Seconds for which a request waits for its verdict, at most; then it is a miss."
    )


class Semantic(Section):
    """How like a question has to be; `true` in place of the mapping is all as it is usual, `false` not at all."""

    enabled: bool = Field(True, description="`false`: only who asks the very same is given an answer again.")
    embedder: Embedder = Field(
        default_factory=Embedder,
        description="What tells how like two questions are: `lexical` (their words, nothing else), `{folder: PATH}` or "
        "`{model: NAME}`.",
    )
    threshold: float | None = Field(
        None, gt=0, le=1, description="How like they have to be, 1 being the same. Left out: as the embedder advises."
    )
    context: list[Counted] = Field(
        list(get_args(Counted)),
        description="What has to be the very same beside the question: the `system` prompt, `earlier` turns, `tools`, "
        "`parameters`. Whose the request is, its model and the form of its answer always have to be.",
    )
    guards: bool = Field(
        True,
        description="Numbers, dates, names, units, negations, quoted text and the like have to agree between the two.",
    )
    verify: Verify | None = Field(None, description="Who is asked in cases of doubt. Left out: nobody.")
    max_characters: int = Field(
        2000, ge=1, le=100_000, description="Most characters of a question for which another one is looked for."
    )
    timeout: float = Field(
        0.5, gt=0, le=60, description="Seconds for which a request waits for its embedder, at most; then it is a miss."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"enabled": value} if isinstance(value, bool) else value

    @field_validator("context")
    @classmethod
    def _once(cls, context: list[Counted]) -> list[Counted]:
        return list(dict.fromkeys(context))


Tell = Callable[..., None]
"""Called with a path, a message and a hint."""


def configured(config: Config) -> Iterator[tuple[Path, Semantic]]:
    """Those that are in use, and where they stand."""
    named: list[tuple[Path, Answers | None]] = [(("cache", "others"), config.cache.others)]
    named += [(("models", name, "cache"), each.cache) for name, each in config.models.items()]
    for path, answers in named:
        if answers is not None and answers.enabled and answers.semantic is not None and answers.semantic.enabled:
            yield (*path, "semantic"), answers.semantic


def check(
    config: Config,
    tell: Tell,
    embeds: Callable[[Path, str], None],
    answers: Callable[[Path, str], None],
) -> None:
    """`embeds` and `answers` tell what is wrong with the names of models for that."""
    for number, (path, semantic) in enumerate(configured(config)):
        if not number and find_spec(PACKAGE) is None:
            hint = "install headgate[semantic]"
            tell(path, f"similar questions need the package {PACKAGE}, which is not there", hint)
        embedder, verify = semantic.embedder, semantic.verify
        if embedder.folder is not None:
            missing = next((name for name in (CONFIG, WEIGHTS) if not (embedder.folder / name).is_file()), None)
            if missing is not None:
                hint = "name one with the weights of a sentence encoder, as sentence-transformers saves it"
                tell((*path, "embedder", "folder"), f"there is no file `{missing}` in this folder", hint)
        if embedder.model is not None:
            embeds((*path, "embedder", "model"), embedder.model)
        if verify is not None:
            answers((*path, "verify", "model"), verify.model)
    index = config.cache.index
    if index is not None:
        wrong = _wrong(index.get_secret_value())
        if wrong:
            tell(("cache", "index"), wrong, "write postgresql://user:password@host/name")
        elif config.cache.store == "memory":
            hint = "set `cache.store`, or leave it out"
            tell(("cache", "index"), "an index is for all workers, and answers are in the memory of each", hint)


def _wrong(url: str) -> str | None:
    """What is wrong with the URL of an index, without the URL."""
    if not url.startswith(POSTGRES):
        return "this is no URL of a PostgreSQL"
    try:
        urlsplit(url).port  # noqa: B018  # raises where it is none
    except ValueError:
        return "this is no URL"
    if find_spec(DRIVER) is None:
        return f"PostgreSQL needs the package {DRIVER}, which is not there: install headgate[postgres]"
    return None
