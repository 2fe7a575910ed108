"""The budgets and rates of rows: limits with whom they concern, and limits on some together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from headgate.config.limits import MOST
from headgate.migrate.litellm.amounts import money, window
from headgate.migrate.litellm.gathered import Gathered
from headgate.migrate.litellm.source import literal
from headgate.migrate.litellm.tables import Row, Tables

RATES = {"rpm_limit": "requests", "tpm_limit": "tokens", "max_parallel_requests": "concurrency"}
BY_MODEL = {"model_rpm_limit": "requests", "model_tpm_limit": "tokens"}
DIMENSIONS = {"keys": "key", "teams": "team", "users": "user", "organizations": "organisation"}
SECTIONS = {"keys": "keys", "teams": "teams", "users": "users", "organizations": "organisations"}
UNREAD = {
    "allowed_models": "who may ask for less than the team needs keys with `models` of their own",
    "model_max_budget": "`limits` with `for: {model: …}`",
}
"""Of a row of the table of budgets, which holds for those that name it."""
UNREAD_OF_CUSTOMERS = {
    "allowed_model_region": "give targets `traits`, and the keys that ask for the end user `requires`",
    "default_model": "clients say which model; a rule may give another",
}
IDS = {"keys": "token", "teams": "team_id", "users": "user_id", "organizations": "organization_id"}


class Budgets:
    """Reads them, also those that stand in the table of budgets."""

    def __init__(self, tables: Tables, gathered: Gathered) -> None:
        self.gathered = gathered
        self.tables = tables
        self.budgets = {row.text("budget_id"): row for row in tables.each("budgets")}

    def own(self, row: Row, name: str) -> list[dict[str, Any]]:
        """The limits that stand with whom they concern."""
        found = [*self._money(row, name)]
        budget = self.budgets.get(row.text("budget_id"))
        for column, instead in UNREAD.items() if budget is not None else ():
            if budget is not None and budget.get(column):
                self.gathered.lost(budget, column, "it has no counterpart", instead, name)
        for entry in row.get("budget_limits") or ():
            if isinstance(entry, dict):
                found += self._amount(row, "budget_limits", entry.get("max_budget"), entry.get("budget_duration"), name)
        for column, what in RATES.items():
            number = self._number(row, column)
            if number is not None:
                found.append({what: int(min(number, MOST)), **({"every": "minute"} if what != "concurrency" else {})})
        return found

    def others(self, names: Mapping[str, Mapping[str, str]], served: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The limits on some together: a key's requests for one model, a user's within a team, tags, end users."""
        for short, dimension in DIMENSIONS.items():
            for row in self.tables.each(short):
                name = names[SECTIONS[short]].get(row.text(IDS[short]))
                if name is not None:
                    yield from self._by_model(row, dimension, name, served)
        for row in self.tables.each("team_memberships"):
            team, user = names["teams"].get(row.text("team_id")), names["users"].get(row.text("user_id"))
            if team is not None and user is not None:
                match = {"team": literal(team), "user": literal(user)}
                yield from _titled(f"{user} in {team}", match, self.own(row, f"{user} in {team}"))
        for row in self.tables.each("tags"):
            tag = row.text("tag_name")
            yield from _titled(f"tag {tag}", {"tag": literal(tag)}, self.own(row, tag))
        for row in self.tables.each("customers"):
            user = row.text("user_id")
            if row.true("blocked"):
                hint = "a limit of no requests: {for: {end_user: NAME}, requests: 0, every: second}"
                self.gathered.lost(row, "blocked", "end users are not kept out", hint, user)
            for column, instead in UNREAD_OF_CUSTOMERS.items():
                if row.get(column):
                    self.gathered.lost(row, column, "it has no counterpart", instead, user)
            yield from _titled(f"end user {user}", {"end_user": literal(user)}, self.own(row, user))

    def _number(self, row: Row, column: str) -> float | None:
        """Its own, or that of its budget."""
        number = row.number(column)
        budget = self.budgets.get(row.text("budget_id"))
        if number is None and budget is not None and budget is not row:
            number = budget.number(column)
        return number if number is not None and number >= 0 else None

    def _money(self, row: Row, name: str) -> Iterator[dict[str, Any]]:
        budget = self.budgets.get(row.text("budget_id"))
        source = row if row.number("max_budget") is not None or budget is None else budget
        for limit in self._amount(row, "max_budget", source.number("max_budget"), source.text("budget_duration"), name):
            soft, most = self._number(row, "soft_budget"), source.number("max_budget")
            if soft is not None and most and 0 < soft < most:
                limit["warn_at"] = round(soft / most, 4)
            yield limit

    def _amount(self, row: Row, column: str, amount: Any, duration: Any, name: str) -> Iterator[dict[str, Any]]:
        if amount is None:
            return
        found = window(duration if isinstance(duration, str) else None)
        dollars = money(amount, found.share)
        if dollars is None:
            self.gathered.lost(row, column, "not an amount of money", "write it under `limits`", name)
            return
        if found.laxer:
            self.gathered.lost(row, column, found.otherwise, "look at the records now and then", name)
        elif found.otherwise:
            self.gathered.otherwise(row, column, found.otherwise, name)
        yield {"money": dollars, "every": found.every}

    def _by_model(self, row: Row, dimension: str, name: str, served: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        metadata = row.mapping("metadata")
        said: list[tuple[str, str, dict[str, Any]]] = []
        for column, what in BY_MODEL.items():
            for model, number in (metadata.get(column) or {}).items() if isinstance(metadata.get(column), dict) else ():
                rate = _rate(number)
                if rate is not None:
                    said.append((column, model, {what: rate, "every": "minute"}))
        for model, budget in row.mapping("model_max_budget").items():
            entry = budget if isinstance(budget, dict) else {"max_budget": budget}
            amount = entry.get("max_budget", entry.get("budget_limit"))
            duration = entry.get("budget_duration", entry.get("time_period"))
            limits = self._amount(row, "model_max_budget", amount, duration, name)
            said += [("model_max_budget", model, limit) for limit in limits]
            for column in ("rpm_limit", "tpm_limit"):
                rate = _rate(entry.get(column))
                if rate is not None:
                    said.append(("model_max_budget", model, {RATES[column]: rate, "every": "minute"}))
        for column, model, limit in said:
            if model in served:
                match = {dimension: literal(name), "model": literal(served[model])}
                yield from _titled(f"{dimension} {name}, {model}", match, [limit])
            else:
                self.gathered.lost(row, column, f"there is no model `{model}` here", "leave it out", name)


def _rate(number: Any) -> int | None:
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number) or number < 0:
        return None
    return int(min(number, MOST))


def _titled(title: str, match: dict[str, Any], limits: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Limits of the list, which have a name each."""
    for limit in limits:
        what = next(iter(limit))
        yield {"name": literal(f"{title}: {what} {limit.get('every', '')}".strip()[:100]), "for": match, **limit}
