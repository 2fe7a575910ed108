"""What laws ask of settings: presets that are set where nothing is said, and refuse what says less."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from headgate.core.kept import Keep
from headgate.core.plugin import suggestion

Law = Literal["gdpr", "hipaa", "ccpa"]
LAWS: Sequence[Law] = get_args(Law)
Place = tuple[str, ...]
Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
LEVELS: Sequence[Keep] = ("off", "redacted", "full")


class Demand(NamedTuple):
    """What a law asks of a setting. `preset` is what is set where nothing is said."""

    place: Place
    preset: Any
    article: str
    why: str
    least: float | None = None
    most: float | None = None
    """Bounds of a number."""
    sets: bool = True
    """False: it is a bound alone, and what nobody sets stays as it is."""

    @property
    def setting(self) -> str:
        return ".".join(self.place)

    def wrong(self, value: Any) -> str | None:
        """What is wrong with a value; None where it does what is asked."""
        if value is None:
            return "it must be said" if self.least is None else None  # `null` is for ever
        if self.place == KEEP:
            wrong = LEVELS.index(value) > LEVELS.index(self.preset)
            return f"it must be at most `{self.preset}`" if wrong else None
        if isinstance(self.preset, bool):
            return None if value == self.preset else f"it must be {str(self.preset).lower()}"
        if self.least is not None and value < self.least:
            return f"it must be at least {self.least:g}"
        return f"it must be at most {self.most:g}" if self.most is not None and value > self.most else None


KEEP = ("payloads", "keep")
ENCRYPT, SEAL = ("payloads", "encrypt"), ("cache", "encrypt")
RECORDS, PAYLOADS, SUMS, AUDIT = (("retention", f"{what}_days") for what in ("records", "payloads", "sums", "audit"))
KEYS, IDLE = ("key_policy", "max_days"), ("login", "idle")
YEAR = 365
SIX_YEARS = 6 * YEAR + 2

PRESETS: Mapping[Law, Sequence[Demand]] = {
    "gdpr": (
        Demand(RECORDS, YEAR, "Art. 5(1)(e)", "personal data are kept no longer than needed: say how long"),
        Demand(PAYLOADS, 30, "Art. 5(1)(e)", "what was said is kept no longer than needed: say how long"),
        Demand(SUMS, 3 * YEAR, "Art. 5(1)(e)", "sums name users: say how long"),
        Demand(AUDIT, 3 * YEAR, "Art. 5(2)", "who is accountable must show it, for a time that is said"),
        Demand(KEEP, "redacted", "Art. 5(1)(c)", "no more of what was said is kept than needed", sets=False),
        Demand(ENCRYPT, True, "Art. 32(1)(a)", "what was said is encrypted where it is kept"),
        Demand(SEAL, True, "Art. 32(1)(a)", "so are answers that are kept to be given again"),
        Demand(KEYS, YEAR, "Art. 32(1)(b)", "no key opens for ever"),
    ),
    "hipaa": (
        Demand(RECORDS, SIX_YEARS, "45 CFR 164.316(b)(2)(i)", "activity is on record for six years", least=SIX_YEARS),
        Demand(AUDIT, SIX_YEARS, "45 CFR 164.316(b)(2)(i)", "who did what is on record for six years", least=SIX_YEARS),
        Demand(KEEP, "redacted", "45 CFR 164.502(b)", "no more of what was said is kept than necessary", sets=False),
        Demand(ENCRYPT, True, "45 CFR 164.312(a)(2)(iv)", "what was said is encrypted where it is kept"),
        Demand(SEAL, True, "45 CFR 164.312(a)(2)(iv)", "so are answers that are kept to be given again"),
        Demand(IDLE, 900.0, "45 CFR 164.312(a)(2)(iii)", "who does nothing is logged off", most=900.0),
        Demand(KEYS, YEAR, "45 CFR 164.312(d)", "no key opens for ever"),
    ),
    "ccpa": (
        Demand(RECORDS, 2 * YEAR, "Cal. Civ. Code 1798.100(a)(3)", "how long data are kept is known: say it"),
        Demand(PAYLOADS, YEAR, "Cal. Civ. Code 1798.100(a)(3)", "how long what was said is kept is known: say it"),
        Demand(AUDIT, 2 * YEAR + 1, "11 CCR 7101(a)", "requests are on record for 24 months", least=2 * YEAR + 1),
        Demand(KEEP, "redacted", "Cal. Civ. Code 1798.100(c)", "no more is kept than reasonably necessary", sets=False),
        Demand(ENCRYPT, True, "Cal. Civ. Code 1798.150(a)(1)", "what was said is encrypted where it is kept"),
        Demand(SEAL, True, "Cal. Civ. Code 1798.150(a)(1)", "so are answers that are kept to be given again"),
    ),
}  # fmt: skip


class Setting(NamedTuple):
    """One setting, by all laws together."""

    demands: Sequence[tuple[Law, Demand]]
    preset: Any
    """What does what all ask."""

    @property
    def sets(self) -> bool:
        return self.demands[0][1].sets


def together(laws: Sequence[Law]) -> dict[Place, Setting]:
    """What some laws ask, by the setting."""
    found: dict[Place, list[tuple[Law, Demand]]] = {}
    for law in dict.fromkeys(laws):
        for demand in PRESETS[law]:
            found.setdefault(demand.place, []).append((law, demand))
    return {place: Setting(demands, _preset([each for _, each in demands])) for place, demands in found.items()}


def _preset(demands: Sequence[Demand]) -> Any:
    """The first of theirs with which no other finds fault."""
    fitting = (each.preset for each in demands if not any(other.wrong(each.preset) for other in demands))
    return next(fitting, demands[0].preset)


def apply(config: Any, tell: Tell) -> None:
    """Set what nobody has set, and tell what asks for less than it should."""
    for said in [each for each in config.compliance if each not in PRESETS]:
        hint = suggestion(said, list(LAWS))
        tell(("compliance", config.compliance.index(said)), f"there is no preset `{said[:20]}`", hint)
        config.compliance.remove(said)
    for place, setting in together(config.compliance).items():
        section, name = part(config, place), place[-1]
        if name not in section.model_fields_set:
            if setting.sets:
                section.__dict__[name] = setting.preset  # nobody has said it: `model_fields_set` stays as it is
            continue
        for law, demand in setting.demands:
            wrong = demand.wrong(getattr(section, name))
            if wrong is not None:
                tell(place, _told(law, demand, wrong), _hint(setting))
    for law, demand, where, value in others(config):
        wrong = demand.wrong(value)
        if wrong is not None:
            tell(where, _told(law, demand, wrong), "")


def others(config: Any) -> Iterator[tuple[Law, Demand, tuple[str | int, ...], Any]]:
    """What teams, keys, models, classes of data and others say in place of a setting."""
    for place, setting in together(config.compliance).items():
        if place == KEEP:
            for path, level in config.kept():
                yield from ((law, demand, path, level) for law, demand in setting.demands if path != KEEP)
        if place[0] != "retention":
            continue
        said = [(("teams", name, "retention"), team.retention) for name, team in config.teams.items()]
        said += [(("retention", "data_classes", name), each) for name, each in config.retention.data_classes.items()]
        for where, section in said:
            value = getattr(section, place[-1], None)
            for law, demand in setting.demands if value is not None else ():
                yield law, demand, (*where, place[-1]), value


def part(config: Any, place: Place) -> Any:
    """The section in which a setting is."""
    for name in place[:-1]:
        config = getattr(config, name)
    return config


def _told(law: Law, demand: Demand, wrong: str) -> str:
    return f"{wrong}, as `compliance` has {law} ({demand.article}: {demand.why})"


def _hint(setting: Setting) -> str:
    preset = setting.preset
    shown = str(preset).lower() if isinstance(preset, bool) else f"{preset:g}" if isinstance(preset, float) else preset
    return f"leave it out, which sets {shown}, or say what fits" if setting.sets else "say what fits"
