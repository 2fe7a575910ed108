"""Parts of a document as their types say, with the secrets and the files that they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pydantic
from pydantic import SecretStr

from headgate.config.document import Node
from headgate.config.explain import explain
from headgate.config.findings import Findings
from headgate.config.secrets import SECRET_NAME, SecretError, follow, is_elsewhere, is_reference
from headgate.secrets.references import Places, References
from headgate.secrets.settings import Sources
from headgate.secrets.source import Missed, read

T = TypeVar("T", bound=pydantic.BaseModel)

SCRUBBED = 8
"""Characters a secret needs to be searched for in logs: shorter ones would hit ordinary words."""
NO_KEY = "none"


def without(value: Any, unknown: Sequence[tuple[str | int, ...]]) -> Any:
    """`value`, a tree that is ours to change, less what stands at these places."""
    for *parents, last in unknown:
        place = value
        for part in parents:
            place = place[part]
        del place[last]
    return value


class Following(Findings):
    """One document whose parts are read; what they refer to is followed."""

    def __init__(
        self,
        file: str,
        folder: Path,
        environ: Mapping[str, str],
        overrides: Mapping[str, Any],
        references: References | None = None,
    ) -> None:
        super().__init__(file, overrides)
        self.folder = folder
        self.environ = environ
        self.references = references
        """None: what is elsewhere is not asked for, and its reference stands in the secret's place."""
        self.referred: set[str] = set()
        """Those to secrets elsewhere that were met."""
        self._sources: Sources | None = None
        self.files: set[Path] = set()
        self.secrets: set[str] = set()

    def secret(self, value: str) -> None:
        self.redaction.know(value)
        if len(value) >= SCRUBBED:
            self.secrets.add(value)

    def sources(self) -> Sources:
        """Where secrets are that are elsewhere; read before all else."""
        if self._sources is None:
            node, found = self.root.value.get("secrets"), None
            if node is not None and node.value is not None:
                found = self.read(Sources, node, ("secrets",))
            self._sources = found or Sources()
            self.readable(self._sources.vault, "ca_file", ("secrets", "vault"))
        return self._sources

    def ask_elsewhere(self) -> None:
        """For all that the document refers to, together: one that is not found here is asked for when it is met."""
        if self.references is None:
            return
        if self._sources is None:
            node = self.root.at(("upstream", "ca_file"))
            said = node.value if node is not None and isinstance(node.value, str) else None
            file = self.absolute(Path(said), ("upstream", "ca_file")) if said else None
            self.references.begin(Places(self.sources(), file))
        wanted = {
            node.value
            for path, node in self.root.scalars()
            if isinstance(node.value, str)
            and is_elsewhere(node.value)
            and any(part == "url" or SECRET_NAME.search(str(part)) for part in path)
        }
        self.references.ask(wanted)

    def read(self, kind: type[T], node: Node, path: tuple[str | int, ...]) -> T | None:
        """A part of the document as its type says, its secrets followed; None when it is wrong."""
        return self.validate(kind, node.plain(), path)

    def validate(self, kind: type[T], value: Any, path: tuple[str | int, ...]) -> T | None:
        before = self.wrong()
        try:
            part = kind.model_validate(value)
        except pydantic.ValidationError as errors:
            told = errors.errors(include_url=False, include_input=False)
            for error in told:
                place = (*path, *error["loc"])
                self.problem(place, *explain(error, kind, self.root.at(self.root.located(place))))
            unknown = [error["loc"] for error in told if error["type"] == "extra_forbidden"]
            if len(unknown) < len(told):
                return None
            # without its unknown keys the part can be read, and what else is wrong with it told in the same run
            return self.validate(kind, without(value, unknown), path)
        self.follow(part, path)
        return part if self.wrong() == before else None

    def follow(self, part: pydantic.BaseModel, path: tuple[str | int, ...]) -> None:
        """Resolve every secret inside a part that was read."""
        for name, field in type(part).model_fields.items():
            value, place = getattr(part, name), (*path, field.alias or name)
            if isinstance(value, SecretStr):
                setattr(part, name, SecretStr(self.followed(value.get_secret_value(), place)))
            elif isinstance(value, pydantic.BaseModel):
                self.follow(value, place)
            elif isinstance(value, list):
                for index, inner in enumerate(value):
                    if isinstance(inner, pydantic.BaseModel):
                        self.follow(inner, (*place, index))
            elif name == "url" and isinstance(value, str):
                self.query(value)
            elif name == "headers" and isinstance(value, dict):
                for header, text in value.items():
                    if isinstance(text, SecretStr):
                        value[header] = self.header(text, (*place, header))
                    elif SECRET_NAME.search(header):
                        self.secret(text)

    def query(self, url: str) -> None:
        """An address may hold one behind its question mark."""
        for name, text in parse_qsl(urlsplit(url).query):
            if SECRET_NAME.search(name):
                self.secret(text)

    def header(self, value: SecretStr, path: tuple[str | int, ...]) -> SecretStr:
        """One that may be a secret."""
        text = value.get_secret_value()
        secret = is_reference(text) or SECRET_NAME.search(str(path[-1]))
        return SecretStr(self.followed(text, path)) if secret else value

    def followed(self, text: str, path: tuple[str | int, ...]) -> str:
        elsewhere = self.references if path[0] != "secrets" else None
        if is_elsewhere(text) and path[0] != "secrets":
            self.referred.add(text)
            if elsewhere is None:
                return self.unfollowed(text, path)
        if is_reference(text):
            try:
                text, file = follow(text, self.environ, self.folder, elsewhere)
            except SecretError as error:
                self.problem(path, error.message, error.hint)
                return ""
            if file is not None:
                self.files.add(file.absolute())
            self.redaction.know(text)
        node = self.root.at(path)
        source = f" (from {node.text})" if node and ("${" in node.text or is_reference(node.text)) else ""
        if not text:
            none = f", or write `{NO_KEY}` where the host wants none" if path[-1] == "api_key" else ""
            self.problem(path, f"`{path[-1]}` is empty{source}", f"give the secret{none}")
        elif path[-1] != "password" and (
            not (text.isascii() and text.isprintable()) or (" " in text and path[-2] != "headers")
        ):
            hint = "a line break, a space or a letter outside ASCII came with it"
            what = "is not a URL" if path[-1] == "url" else "cannot be sent in a header"
            self.problem(path, f"`{path[-1]}` {what}{source}", hint)
        elif text != NO_KEY:
            self.secret(text)
        return text

    def unfollowed(self, reference: str, path: tuple[str | int, ...]) -> str:
        """A reference in its secret's place, if it is one."""
        try:
            read(reference)
        except Missed as missed:
            self.problem(path, missed.message, missed.hint)
        return reference

    def readable(self, part: pydantic.BaseModel, name: str, path: tuple[str | int, ...]) -> None:
        """Make a file's path absolute, and see that the file can be read."""
        given = getattr(part, name)
        if given is None:
            return
        place = (*path, name)
        file = self.absolute(given, place)
        setattr(part, name, file)
        written = self.root.written(place, str(given))
        where = file if written == str(given) else written
        try:
            with file.open("rb"):
                self.files.add(file.absolute())
        except OSError as error:
            self.problem(place, f"{where} cannot be read: {error.strerror}", "check the path")
        except ValueError:
            self.problem(place, "not a path: there is a null character in it", "remove it")

    def absolute(self, given: Path, path: Sequence[str | int]) -> Path:
        """A path of the file, which is relative to its folder; `~` is the home directory."""
        try:
            return self.folder / given.expanduser()
        except RuntimeError:
            self.problem(path, "`~` stands for a user without a home directory", "write the path in full")
            return self.folder / given
