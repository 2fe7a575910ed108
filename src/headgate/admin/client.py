"""The admin API on a terminal: objects as tables or JSON, changes as lines, problems as what is wrong and where."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import quote, urlencode

import click

from headgate.admin.plan import fields
from headgate.config.remote import Answer, ask
from headgate.config.sections import Parts
from headgate.core.columns import Column, block, room, table
from headgate.core.printable import json_safe, printable
from headgate.journal.table import moment, offset, seconds

ROOT = "/admin/api"
NOT_THERE = "(not there)"
SHOWN = 100
"""Characters of a value in a plan."""
MARKS = {"create": "+", "replace": "~", "delete": "-"}
COLUMNS: Mapping[str, Sequence[str]] = {
    "keys": ("prefix", "team", "user", "application", "models", "expires", "enabled"),
    "teams": ("organisation", "models", "enabled"),
    "users": ("role", "teams", "email", "enabled"),
    "applications": ("team", "models", "enabled"),
    "limits": ("requests", "tokens", "money", "concurrency", "every", "then"),
    "models": ("policy", "targets"),
    "providers": ("kind", "base_url"),
    "rules": ("models", "when", "use"),
    "clauses": ("deny", "says", "law", "mode"),
    "alert_rules": ("measure", "kind", "above", "below", "by", "severity", "enabled"),
    "channels": ("kind", "for"),
    "silences": ("match", "until", "by", "reason"),
    "holds": ("reason", "user", "end_user", "team", "application", "key", "since", "until"),
}
"""What is shown of each kind beside its name."""
LEVELS = (
    Column("LIMIT", 0), Column("WHAT", 1), Column("OF", 2), Column("USED", 0, right=True),
    Column("HELD", 4, right=True), Column("RESETS IN", 3, right=True),
)  # fmt: skip
ALERTS = (
    Column("STATE", 0), Column("SEVERITY", 2), Column("WHAT", 0), Column("TOLD", 3), Column("ID", 0),
)  # fmt: skip
CHANGES = (Column("WHO", 2), Column("ACTION", 0), Column("OBJECT", 0), Column("FIELDS", 3), Column("FROM", 4))


class Client:
    """One gateway, asked with one key. Whatever is refused becomes a click.ClickException."""

    def __init__(self, url: str, key: str, *, as_json: bool) -> None:
        self.url = url
        self.key = key
        self.as_json = as_json

    def list(self, kind: str, filters: Mapping[str, str], having: str | None = None) -> None:
        """Those that have this field, where one is said."""
        items = [each for each in self._pages(kind, filters) if having is None or having in each["body"]]
        if self.as_json:
            self.print(items)
            return
        shown = COLUMNS.get(kind, ())
        columns = [Column("NAME", 0), *(Column(name.upper(), rank) for rank, name in enumerate(shown, 1))]
        columns.append(Column("FROM", len(columns)))
        rows = [[each["name"], *(_cell(each["body"].get(name)) for name in shown), each["origin"]] for each in items]
        _print_table(columns, rows)

    def show(self, kind: str, name: str) -> None:
        found = self._ask("GET", f"/{kind}/{quote(name)}")
        if self.as_json:
            self.print(found)
            return
        about = {what: value for what, value in found.items() if what != "body"}
        for label, line in block({**about, **found["body"]}):
            click.echo((click.style(label, bold=True) if sys.stdout.isatty() else label) + line)

    def levels(self) -> None:
        """What is used of limits."""
        found = self._ask("GET", "/levels")
        if self.as_json:
            self.print(found)
            return
        rows = [
            [each["limit"], each["what"], ", ".join(each["per"]), *(_amount(each, name) for name in ("used", "held")),
             _lasting(each["resets_in"])]
            for each in found["items"]
        ]  # fmt: skip
        _print_table(LEVELS, rows)
        more = "" if found["complete"] else "; there are more"
        whose = "all processes that share the state" if found["source"] == "shared" else found["source"]
        click.echo(f"as counted by {whose}{more}", err=True)

    def changes(self, query: Mapping[str, str]) -> None:
        """Who changed what."""
        found = self._ask("GET", f"/audit?{urlencode(query)}")
        if self.as_json:
            self.print(found)
            return
        zone = datetime.now().astimezone().tzinfo or UTC
        rows = [
            [moment(datetime.fromisoformat(each["time"]).timestamp(), zone)[:-4], each["actor"], each["action"],
             f"{each['kind']}/{each['name']}", _changed(each), each["address"] or ""]
            for each in found["items"]
        ]  # fmt: skip
        _print_table([Column(f"TIME ({offset(zone)})", 1), *CHANGES], rows)
        if found["next"] is not None:
            click.echo(f"there are more: before={found['next']}", err=True)

    def alerts(self, query: Mapping[str, str]) -> None:
        """Those that are, or were."""
        found = self._ask("GET", f"/alerts?{urlencode(query)}")
        if self.as_json:
            self.print(found["items"])
            return
        zone = datetime.now().astimezone().tzinfo or UTC
        rows = [
            [_moment(each["fired"] or each["began"], zone), _state(each), each["severity"], each["summary"],
             ", ".join(each["told"]), each["id"]]
            for each in found["items"]
        ]  # fmt: skip
        _print_table([Column(f"SINCE ({offset(zone)})", 1), *ALERTS], rows)

    def alert(self, id: str) -> None:
        found = self._ask("GET", f"/alerts/{quote(id, safe='')}")
        if self.as_json:
            self.print(found)
            return
        for label, line in block({name: value for name, value in found.items() if name != "events"}):
            click.echo((click.style(label, bold=True) if sys.stdout.isatty() else label) + line)
        zone = datetime.now().astimezone().tzinfo or UTC
        rows = [[_moment(each["time"], zone), each["what"], each["detail"]] for each in found["events"]]
        _print_table([Column(f"TIME ({offset(zone)})", 1), Column("WHAT", 0), Column("DETAIL", 0)], rows)

    def silence(self, id: str, body: Mapping[str, Any]) -> None:
        made = self._ask("POST", f"/alerts/{quote(id, safe='')}/silence", body)
        self._done(made, f"silences/{made['name']} lasts until {made['until']}")

    def test_channel(self, name: str) -> None:
        self._done(self._ask("POST", f"/channels/{quote(name)}/test"), f"the channel {name} has taken it")

    def create(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        made = self._ask("POST", f"/{kind}", {**body, "name": name})
        self._made(kind, made)

    def change(self, kind: str, name: str, body: Mapping[str, Any], version: int | None) -> None:
        headers = {"if-match": f'"{version}"'} if version is not None else {}
        changed = self._ask("PATCH", f"/{kind}/{quote(name)}", body, headers)
        self._done(changed, f"{kind}/{name} is changed (version {changed['version']})")

    def delete(self, kind: str, name: str) -> None:
        self._ask("DELETE", f"/{kind}/{quote(name)}")
        self._done({"deleted": name}, f"{kind}/{name} is deleted")

    def rotate(self, name: str, body: Mapping[str, Any]) -> None:
        self._made("keys", self._ask("POST", f"/keys/{quote(name)}/rotate", body), "has another key")

    def revoke(self, name: str) -> None:
        self._done(self._ask("POST", f"/keys/{quote(name)}/revoke"), f"the key {name} is let in no more")

    def set_password(self, name: str, password: str | None) -> None:
        self._ask("POST", f"/users/{quote(name)}/password", {"password": password})
        said = "has another password" if password is not None else "logs in with no password any more"
        self._done({"user": name}, f"users/{name} {said}; its sessions have ended")

    def begin_second_factor(self, name: str) -> dict[str, str]:
        found = self._ask("POST", f"/users/{quote(name)}/totp", {})
        return {"url": found["url"], "token": found["token"]}

    def confirm_second_factor(self, name: str, token: str, code: str) -> None:
        self._ask("POST", f"/users/{quote(name)}/totp", {"token": token, "code": code})
        self._done({"user": name}, f"users/{name} logs in with a one-time code from now on; its sessions have ended")

    def take_second_factor(self, name: str) -> None:
        self._ask("DELETE", f"/users/{quote(name)}/totp")
        self._done({"user": name}, f"users/{name} logs in without a one-time code; its sessions have ended")

    def apply(self, document: Mapping[str, Any], *, prune: bool, dry_run: bool, compare: bool = False) -> int:
        """How many objects are changed, or would be."""
        body = {"document": document, "prune": prune, "dry_run": dry_run, "compare": compare}
        answer = self._ask("POST", "/apply", body)
        if self.as_json:
            self.print(answer)
        else:
            _print_plan(answer)
        return len(answer["changes"])

    def parts(self, *, whole: bool) -> Parts:
        """What is exported; `whole`: of the file, too."""
        found = self._ask("GET", "/export?all=true" if whole else "/export")
        sealed = [tuple(place) for place in found["sealed"]]
        return Parts(found["document"], sealed, found["file"], found["variables"], found["files"])

    def reseal(self) -> None:
        done = self._ask("POST", "/secrets/reseal")
        secrets, objects = done["secrets"], done["objects"]
        where = f"{secrets} secret{'' if secrets == 1 else 's'} of {objects} object{'' if objects == 1 else 's'}"
        self._done(
            done, f"{where} sealed anew with the key in use" if secrets else "all are sealed with the key in use"
        )

    def export_data(self, whose: Mapping[str, str]) -> Sequence[Any]:
        """Lines of a file of evidence."""
        lines: Sequence[Any] = self._ask("POST", "/data/export", whose)["lines"]
        return lines

    def delete_data(self, whose: Mapping[str, str]) -> None:
        done = self._ask("POST", "/data/delete", whose)
        said = f"{done['records']} records and {done['payloads']} payloads are deleted"
        if done["waiting"]:
            said += f"; {done['waiting']} bytes of the journal are not in the database yet: ask again"
        self._done(done, f"{said}. Out of reach: {'; '.join(done['out_of_reach'])}")

    def clear_cache(self, which: Mapping[str, Any]) -> None:
        done = self._ask("POST", "/cache/clear", which)
        if self.as_json:
            self.print(done)
        else:
            click.echo(f"{done['cleared']} taken out")

    def forget_sessions(self, which: Mapping[str, Any]) -> None:
        done = self._ask("POST", "/guards/forget", which)
        self._done(done, f"{done['forgotten']} sessions forgotten")

    def report_answer(self, request: str, verdict: str) -> None:
        done = self._ask("POST", "/cache/feedback", {"request": request, "verdict": verdict})
        said = f"{done['taken_out']} taken out" if verdict == "wrong" else "noted"
        if done["threshold"] is not None:
            said += f"; similar questions have to be as like as {done['threshold']:g} there from here on"
        self._done(done, said)

    def thresholds(self) -> None:
        """Those that reports have raised."""
        items = self._ask("GET", "/cache/thresholds")["items"]
        if self.as_json:
            self.print(items)
            return
        columns = [Column("SINCE", 1), Column("NAME", 0), Column("AT LEAST", 0, right=True), Column("BY", 2)]
        columns += [Column("REQUEST", 3), Column("CONTEXT", 4)]
        rows = [
            [each["time"], each["name"], f"{each['least']:g}", each["by"], each["of"], each["context"]]
            for each in items
        ]
        _print_table(columns, rows)

    def reset_thresholds(self) -> None:
        self._done(self._ask("DELETE", "/cache/thresholds"), "all thresholds are as they are configured")

    def purge(self, *, dry_run: bool) -> None:
        done = self._ask("POST", "/purge", {"dry_run": dry_run})
        if self.as_json:
            self.print(done)
            return
        for each in done["purged"]:
            click.echo(f"{each['rows']:>12,} {each['kind']:<9} {printable(each['why'])}")
        went = sum(each["rows"] for each in done["purged"])
        click.echo(f"{went:,} would go" if dry_run else f"{went:,} are gone", err=True)

    def print(self, value: Any) -> None:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        click.echo(json_safe(text) if sys.stdout.isatty() else text)

    def _pages(self, kind: str, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        after: str | None = ""
        while after is not None:
            page = self._ask("GET", f"/{kind}?{urlencode({**filters, 'limit': '1000', 'after': after})}")
            yield from page["items"]
            after = page["next"]

    def _made(self, kind: str, made: dict[str, Any], done: str = "is made") -> None:
        if self.as_json:
            self.print(made)
            return
        click.echo(f"{kind}/{made['name']} {done} (version {made['version']})", err=True)
        if "key" in made:
            click.echo("its key, which is shown this once:", err=True)
            click.echo(made["key"])

    def _done(self, answer: Any, said: str) -> None:
        self.print(answer) if self.as_json else click.echo(printable(said), err=True)

    def _ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        answer = ask(self.url, self.key, method, ROOT + path, body, headers)
        if 200 <= answer.status < 300:
            return answer.body
        raise click.ClickException(_told(self.url, answer))


def _moment(text: str, zone: tzinfo) -> str:
    return moment(datetime.fromisoformat(text).timestamp(), zone)[:-4]


def _state(alert: Mapping[str, Any]) -> str:
    return f"{alert['state']}, silenced" if alert["silence"] is not None else str(alert["state"])


def _print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    head, *lines = table(columns, [[printable(cell) for cell in row] for row in rows], room())
    click.echo(click.style(head, bold=True) if sys.stdout.isatty() else head)
    for line in lines:
        click.echo(line)


def _amount(level: Mapping[str, Any], name: str) -> str:
    """Dollars of money, which is counted in nanodollars."""
    return f"${level[name] / 10**9:.4f}" if level["what"].startswith("money") else str(level[name])


def _lasting(span: float | None) -> str:
    """Two units of it, the larger first: 12d 3h."""
    if span is None or span < 100:
        return seconds(span)
    minutes = int(span) // 60
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m"))
    return " ".join([f"{number}{unit}" for number, unit in parts if number][:2])


def _changed(change: Mapping[str, Any]) -> str:
    """The fields that an object had before and has after, in another way."""
    if change["before"] is None or change["after"] is None:
        return ""
    return ", ".join(each["field"] for each in fields(change["before"], change["after"]))


def _print_plan(plan: Mapping[str, Any]) -> None:
    """Each object that changes, below it its fields; how many there are, on standard error."""
    for each in plan["changes"]:
        stays = " (stands in the file, which is not changed here)" if each.get("read_only") else ""
        click.echo(printable(f"{MARKS[each['action']]} {each['kind']}/{each['name']}") + stays)
        for field in each["fields"]:
            click.echo(f"    {_field(field, altered=each['action'] == 'replace')}")
    count, done = len(plan["changes"]), "changed" if plan["applied"] else "would be changed"
    said = {"create": "made", "replace": "altered", "delete": "deleted"}
    parts = [f"{number} {said[action]}" for action, number in plan["counts"].items() if number]
    counts = f": {', '.join(parts)}" if parts else ""
    click.echo(f"{count} object{'' if count == 1 else 's'} {done}{counts}", err=True)


def _field(change: Mapping[str, Any], *, altered: bool) -> str:
    """Of an object that is `altered`, what a field was and will be; of one that comes or goes, what there is."""
    values = [printable(_whole(change[side]), limit=SHOWN) if side in change else None for side in ("before", "after")]
    told = [NOT_THERE if value is None else value for value in values if altered or value is not None]
    return f"{printable(change['field'])}: {' → '.join(told)}"


def _told(url: str, answer: Answer) -> str:
    found = answer.body if isinstance(answer.body, dict) else {}
    if "detail" not in found:
        return f"what answers at {url} is no gateway for operators (status {answer.status}): say --url"
    errors = found.get("errors") or []
    if len(errors) < 2:
        hint = f"; {errors[0]['hint']}" if errors and errors[0].get("hint") else ""
        return printable(f"{found['detail']}{hint}")
    lines = (f"{each['path']}: {each['message']}{'; ' + each['hint'] if each.get('hint') else ''}" for each in errors)
    return "\n".join(map(printable, lines))


def _whole(value: Any) -> str:
    """With all that is said of each, as what is asked and with which key may differ in that alone."""
    return ", ".join(map(_whole, value)) if isinstance(value, list) else _cell(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_cell(each.get("model", each) if isinstance(each, dict) else each) for each in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
