"""`headgate compliance show`: what a preset asks of each setting, what it is now, and what would change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from headgate.config.compliance import Law, others, part, together
from headgate.config.preset_guards import wanted
from headgate.config.problems import dotted
from headgate.config.schema import Config
from headgate.core.columns import Column, room, table

COLUMNS = (Column("SETTING", 0), Column("NOW", 0), Column("PRESET", 0), Column("", 0), Column("BY", 1))


def show(config: Config, laws: Sequence[Law], *, as_json: bool) -> bool:
    """Print it; whether nothing stands in the way of the presets."""
    rows = list(_rows(config, laws))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        cells = [[row["setting"], _text(row["now"]), _text(row["preset"]), row["state"], row["by"]] for row in rows]
        for line in table(COLUMNS, cells, room()):
            click.echo(line)
    return not any(row["state"].startswith("refused") for row in rows)


def _rows(config: Config, laws: Sequence[Law]) -> Iterator[dict[str, Any]]:
    for place, setting in together(laws).items():
        section, name = part(config, place), place[-1]
        now, said = getattr(section, name), name in section.model_fields_set
        wrong = [each for _, demand in setting.demands if (each := demand.wrong(now)) is not None]
        state = (f"refused: {wrong[0]}" if said or not setting.sets else "is set") if wrong else "as asked"
        if not wrong and not said and setting.sets and now != setting.preset:
            state = "is set"
        by = "; ".join(f"{law} {demand.article}" for law, demand in setting.demands)
        preset = setting.preset if setting.sets else f"at most {setting.preset}"
        yield {"setting": ".".join(place), "now": now, "preset": preset, "state": state, "by": by}
    for guard in wanted(laws):
        done = [name for name, policy in config.guards.items() if guard.done_by(policy)]
        yield {
            "setting": f"guards ({guard.use})",
            "now": ", ".join(done) or None,
            "preset": guard.name,
            "state": "as asked" if done else "is set",
            "by": "; ".join(guard.by),
        }
    asking = config.model_copy(update={"compliance": list(laws)})
    for law, demand, where, value in others(asking):
        wrong_there = demand.wrong(value)
        if wrong_there is not None:
            said_by = f"{law} {demand.article}"
            yield {"setting": dotted(where), "now": value, "preset": None, "state": f"refused: {wrong_there}",
                   "by": said_by}  # fmt: skip


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
