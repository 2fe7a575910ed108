"""Errors of the admin API, as RFC 9457 has them (`application/problem+json`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headgate.config.problems import Problem as Wrong
from headgate.core.errors import GatewayError
from headgate.store.database import StoreAway


class Problem(Exception):
    """What is wrong, and how to mend it; `errors` name places in the body."""

    def __init__(
        self, status: int, code: str, detail: str, errors: Sequence[dict[str, Any]] = (), **headers: str
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "type": "about:blank",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return {**found, "errors": list(self.errors)} if self.errors else found


TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 412: "Precondition Failed", 413: "Content Too Large", 415: "Unsupported Media Type",
    422: "Unprocessable Content", 429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway",     503: "Service Unavailable",
}  # fmt: skip


def wrong(problems: Sequence[Wrong], deleted: Sequence[str]) -> Problem:
    """A change that the configuration would not be in order with, perhaps as something names what it deletes."""
    errors = [at(each.path, each.message, each.hint) for each in problems]
    first = f"{problems[0].path}: {problems[0].message}" if problems else "the configuration is not in order"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    without = f"it is not in order without {', '.join(deleted[:5])}: " if deleted else ""
    return Problem(422, "invalid", f"{without}{first}{more}", errors)


def at(path: str, message: str, hint: str = "") -> dict[str, Any]:
    """What is wrong at a place, and how to mend it where that can be said."""
    return {"path": path, "message": message, **({"hint": hint} if hint else {})}


def refused(error: GatewayError) -> Problem:
    """The same, as this API has it."""
    problem = Problem(error.status, error.code, error.message)
    if error.retry_after is not None:
        problem.headers["retry-after"] = f"{error.retry_after:.0f}"
    return problem


def missing(kind: str, name: str) -> Problem:
    return Problem(404, "not_found", f"there is no {name[:100]!r} among {kind}")


def away_told(away: StoreAway) -> Problem:
    """Of the database of records."""
    return Problem(503, "records_away", f"the database of records cannot be asked: {away}", retry_after="2")
