"""Whether a text is JSON that fits a schema, and what is wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import inf
from typing import Any, NamedTuple

import msgspec

from headgate.core.errors import GuardUnavailable
from headgate.stages.guard.foreign import Clock
from headgate.stages.guard.mending import candidates

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
MOST = 8
"""Faults that are told."""
LONGEST = 400
"""Characters of what a schema wants that are told."""
NO_JSON = "it is no JSON"
OBJECT = {"type": "object"}
DRAFTS = ("http://json-schema.org/", "https://json-schema.org/")


class Wrong(NamedTuple):
    """One fault."""

    why: str
    """For records: nothing of the text's own words."""
    told: str
    """For whoever is to do better: where, and what is expected."""


class Fitting:
    """A schema of the configuration's."""

    halves = True
    """What breaks off may be mended."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Raises ValueError where it is none."""
        import jsonschema  # type: ignore[import-untyped]
        from referencing import Registry

        kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
        try:
            kind.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise ValueError(f"it is no JSON schema: {error.message}") from None
        self._validator = Clock(inf, own=True).guarded(kind)(schema, registry=Registry())  # nothing is fetched

    def looked(self, text: str, *, mend: bool) -> tuple[Sequence[Wrong], str | None]:
        """Its faults, and what is meant by it, where that is known and `mend` says to look for it."""
        wrong = first = self.wrong(text)
        for each in candidates(text, halves=self.halves) if wrong and mend else ():
            found = self.wrong(each)
            if not found:
                return first, each
            if wrong[0].why == NO_JSON != found[0].why:  # what is wrong with the JSON in it says more
                wrong = found
        return wrong, None

    def wrong(self, text: str) -> Sequence[Wrong]:
        try:
            return list(dict.fromkeys(self._faults(_decode(text))))
        except msgspec.DecodeError as error:
            return [Wrong(NO_JSON, f"{NO_JSON}: {error}")]
        except RecursionError:
            return [Wrong("it is nested too deep", "it is nested too deep")]

    def _faults(self, value: Any) -> Iterator[Wrong]:
        return map(_wrong, islice(self._validator.iter_errors(value), MOST))


class Foreign(Fitting):
    """A schema that somebody sends: none takes long, and what cannot be gone by asks for an object."""

    halves = False  # half a text, or a number, is not to be handed to a tool

    def __init__(self, schema: Mapping[str, Any], clock: Clock) -> None:
        """`clock`: to be started by whoever looks."""
        from jsonschema import Draft202012Validator, validators
        from referencing import Registry

        said = schema.get("$schema")
        known = isinstance(said, str) and said.startswith(DRAFTS)
        kind = clock.guarded(validators.validator_for(schema, Draft202012Validator) if known else Draft202012Validator)
        self._object = self._validator = kind(OBJECT)
        # to look whether it is a schema would take longer than to go by it
        with contextlib.suppress(Exception):  # an `$id` that is none
            self._validator = kind(schema, registry=Registry())

    def _faults(self, value: Any) -> Iterator[Wrong]:
        try:
            return iter(list(super()._faults(value)))
        except (GuardUnavailable, RecursionError):
            raise
        except Exception:  # noqa: BLE001  # whatever somebody sends, and refers to
            return map(_wrong, self._object.iter_errors(value))


def _wrong(error: Any) -> Wrong:
    path, keyword, wanted = _path(error), error.validator, error.validator_value
    if keyword == "required":
        missing = [name for name in wanted if name not in error.instance]
        told = f"{path} lacks {_said(missing)}"
    elif keyword == "additionalProperties" and wanted is False:
        told = f"{path} has other fields than {_said(list(error.schema.get('properties', ())))}"
    else:
        told = f"{path}: expected {keyword} {_said(wanted)}"
    return Wrong(f"{path} is not as its `{keyword}` says", told)


def _path(error: Any) -> str:
    """Where it is, in names that the schema has: any other may be somebody's."""
    known = {each for each in error.absolute_schema_path if isinstance(each, str)}
    steps = [f"[{each}]" if isinstance(each, int) else f".{each if each in known else '*'}" for each in error.path]
    return "".join(("$", *steps))


def _said(wanted: Any) -> str:
    text = _encode(wanted).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
