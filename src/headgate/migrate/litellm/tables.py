"""An export of LiteLLM's database: the rows of its tables, from JSON, or of the keys alone from CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.config.document import Node
from headgate.config.problems import ConfigError, Problem
from headgate.migrate.litellm.source import Part, unreadable

KEYS = "LiteLLM_VerificationToken"
TABLES = {
    KEYS: "keys",
    "LiteLLM_DeprecatedVerificationToken": "deprecated_keys",
    "LiteLLM_TeamTable": "teams",
    "LiteLLM_UserTable": "users",
    "LiteLLM_OrganizationTable": "organizations",
    "LiteLLM_BudgetTable": "budgets",
    "LiteLLM_TeamMembership": "team_memberships",
    "LiteLLM_TagTable": "tags",
    "LiteLLM_EndUserTable": "customers",
}
"""The tables that are read (litellm/proxy/schema.prisma), and what they may be called in a JSON object besides."""
LISTS = frozenset(
    {"models", "allowed_routes", "teams", "members", "admins", "policies", "access_group_ids",
     "allowed_cache_controls", "allowed_models"}
)  # fmt: skip
"""Columns that are arrays, which PostgreSQL writes as `{a,b}`."""
JSON = frozenset(
    {"aliases", "config", "permissions", "metadata", "model_spend", "model_max_budget", "router_settings",
     "budget_limits", "members_with_roles"}
)  # fmt: skip
TRUE = frozenset({True, "t", "true", "True", "1"})


@dataclass(slots=True, frozen=True)
class Row:
    """One row; columns that it has not are None."""

    file: str
    table: str
    index: int
    values: Mapping[str, Any]

    def part(self, column: str = "") -> Part:
        """Its place, for what is told of it."""
        path = (self.table, self.index, column) if column else (self.table, self.index)
        return Part(self.file, Node(None, 0, 0), path)

    def get(self, column: str) -> Any:
        value = self.values.get(column)
        return _decoded(column, value) if isinstance(value, str) else value

    def text(self, column: str) -> str:
        value = self.values.get(column)
        return value.strip() if isinstance(value, str) else ""

    def texts(self, column: str) -> list[str]:
        value = self.get(column)
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []

    def mapping(self, column: str) -> dict[str, Any]:
        value = self.get(column)
        return value if isinstance(value, dict) else {}

    def true(self, column: str) -> bool:
        value = self.values.get(column)
        return isinstance(value, bool | str) and value in TRUE

    def number(self, column: str) -> float | None:
        value = self.values.get(column)
        try:
            number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
        except (ValueError, OverflowError):
            return None
        return number if number is not None and math.isfinite(number) else None


class Tables:
    """The rows by table."""

    def __init__(self, file: str, rows: Mapping[str, list[Row]], unknown: list[str]) -> None:
        self.file = file
        self.rows = rows
        self.unknown = unknown
        """Tables that are not read."""

    def each(self, short: str) -> Iterator[Row]:
        yield from self.rows.get(short, ())


def read(path: Path) -> Tables:
    """Raises ConfigError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "this is not UTF-8 text", "export it as UTF-8") from error
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(path, text)
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or "token" not in rows[0]:
        hint = "see docs/how-to/come-from-litellm.md for the commands that export it"
        raise _wrong(path, "neither JSON nor CSV with a column `token`", hint)
    filled: list[Mapping[str, Any]] = [{name: value for name, value in row.items() if value} for row in rows]
    return Tables(str(path), {"keys": _rows(path, KEYS, filled)}, [])


def _from_json(path: Path, text: str) -> Tables:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        problem = Problem(str(path), error.lineno, error.colno, "", "not valid JSON", "export it anew")
        raise ConfigError([problem]) from error
    tables = value if isinstance(value, dict) else {KEYS: value}
    long = {short: table for table, short in TABLES.items()}
    found: dict[str, list[Row]] = {}
    unknown = []
    for name, rows in tables.items():
        table = name if name in TABLES else long.get(name, "")
        if not table:
            unknown.append(name)
        elif rows is not None and (not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows)):
            raise _wrong(path, f"{table} is not a list of rows", "export it with json_agg")
        else:
            found[TABLES[table]] = _rows(path, table, rows or [])
    if not found:
        raise _wrong(path, "none of LiteLLM's tables is in it", f"name them: {KEYS} …")
    return Tables(str(path), found, unknown)


def _rows(path: Path, table: str, rows: list[Mapping[str, Any]]) -> list[Row]:
    return [Row(str(path), table, index, row) for index, row in enumerate(rows)]


def _wrong(path: Path, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(str(path), 0, 0, "", message, hint)])


def _decoded(column: str, value: str) -> Any:
    """A column that came as text."""
    if column in LISTS and value.startswith("{"):
        return next(csv.reader([value[1:-1]], escapechar="\\"), [])
    if column in JSON or (column in LISTS and value.startswith("[")):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return None
    return value
