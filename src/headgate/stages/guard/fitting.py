"""Whether a text is JSON that fits a schema, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from headgate.stages.guard.mending import candidates

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
MOST = 8
"""Faults that are told."""
LONGEST = 400
"""Characters of what a schema wants that are told."""
NO_JSON = "it is no JSON"


class Wrong(NamedTuple):
    """One fault."""

    why: str
    """For records: nothing of the text's own words but names of fields."""
    told: str
    """For whoever is to do better: where, and what is expected."""


class Fitting:
    """One schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Raises ValueError where it is none."""
        import jsonschema  # type: ignore[import-untyped]

        kind = jsonschema.validators.validator_for(schema)
        try:
            kind.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise ValueError(f"it is no JSON schema: {error.message}") from None
        self._validator = kind(schema)

    def looked(self, text: str, *, mend: bool) -> tuple[Sequence[Wrong], str | None]:
        """Its faults, and what is meant by it, where that is known and `mend` says to look for it."""
        wrong = first = self.wrong(text)
        for each in candidates(text) if wrong and mend else ():
            found = self.wrong(each)
            if not found:
                return first, each
            if wrong[0].why == NO_JSON != found[0].why:  # what is wrong with the JSON in it says more
                wrong = found
        return wrong, None

    def wrong(self, text: str) -> Sequence[Wrong]:
        try:
            value = _decode(text)
            found = islice(self._validator.iter_errors(value), MOST)
            return list(dict.fromkeys(map(_wrong, found)))
        except msgspec.DecodeError as error:
            return [Wrong(NO_JSON, f"{NO_JSON}: {error}")]
        except RecursionError:
            return [Wrong("it is nested too deep", "it is nested too deep")]


def _wrong(error: Any) -> Wrong:
    path, keyword, wanted = error.json_path, error.validator, error.validator_value
    if keyword == "required":
        missing = [name for name in wanted if name not in error.instance]
        told = f"{path} lacks {_said(missing)}"
    elif keyword == "additionalProperties" and wanted is False:
        told = f"{path} has other fields than {_said(list(error.schema.get('properties', ())))}"
    else:
        told = f"{path}: expected {keyword} {_said(wanted)}"
    return Wrong(f"{path} is not as its `{keyword}` says", told)


def _said(wanted: Any) -> str:
    text = _encode(wanted).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
