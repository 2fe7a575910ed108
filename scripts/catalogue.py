"""Builds src/headgate/catalog/data from the data packages that others maintain: `python scripts/catalogue.py`.

For maintainers, by hand; it is not run in CI. It fetches LiteLLM's wheel from the package index (40 MB, into a
temporary directory) and needs genai-prices, which is among the requirements for development. `--wheel FILE` takes a
wheel that is there already; then no network is needed. `--check` writes nothing and says (exit code 1) whether the data
in the repository is what these sources gave on its day. `--bundle FILE` also writes all of it as one file, as
`catalogue.refresh` takes it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import catalogue_litellm
import yaml
from catalogue_genai import Prices, literals
from catalogue_model import DERIVED, GENAI, LITELLM, OVERLAY, USUAL, Model, Rates, differ, released
from catalogue_report import Report, Row

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "headgate" / "catalog" / "data"
PAGE = ROOT / "docs" / "reference" / "catalogue-report.md"
HERE = Path(__file__).resolve().parent
TABLE = "litellm/model_prices_and_context_window_backup.json"
MAX_BYTES = 600_000

SIZED = re.compile(
    r"^((?:(?:low|medium|high|hd|standard|max-x-max|max-steps|\d+-steps|\d+-x-\d+)/)+)(?:bedrock/)?(.+)$"
)
NOT_CHAT = re.compile(
    r"embed|rerank|tts|whisper|transcri|image|imagen|veo|sora|flux|moderation|ocr|audio|realtime|live"
)
TAIL = re.compile(r"(@.*|:.*|-v\d+(:\d+)?|-maas|-\d{8}|-20\d\d-\d\d-\d\d)+$")


class Builder:
    """Gathers the models of every provider; `table` is LiteLLM's, `today` the day on which it is read."""

    def __init__(self, table: Mapping[str, Any], providers: Mapping[str, Any], today: str) -> None:
        self.table = table
        self.today = today
        self.providers = providers
        self.prices = Prices()
        self.report = Report()
        self.models: dict[str, dict[str, Model]] = {}
        self.aliases: dict[str, dict[str, str]] = defaultdict(dict)
        self.labels = {label: name for name, entry in providers.items() for label in entry.get("litellm", [])}

    def build(self) -> None:
        for name, source in self.providers.items():
            self.models[name] = {}
            self.from_litellm(name, source)
            self.from_genai(name, source)
        self.named_otherwise()
        self.agreed()
        for name, source in self.providers.items():
            self.finish(name, source)

    def from_litellm(self, provider: str, source: Mapping[str, Any]) -> None:
        for label in source.get("litellm", []):
            for key, entry in self.table.items():
                id = catalogue_litellm.own_id(key, label)
                if entry.get("litellm_provider") != label or id == "container" or not wanted(id, source):
                    continue
                if sized := SIZED.match(id):
                    self.sized(provider, sized[1], sized[2], entry)
                    continue
                model = self.models[provider].setdefault(id, Model(id))
                catalogue_litellm.describe(entry, model, source.get("plain", []))
                self.priced(provider, source, model, catalogue_litellm.rates(entry, self.report.left_out))

    def sized(self, provider: str, size: str, id: str, entry: Mapping[str, Any]) -> None:
        """The price of an image of one size and quality, which LiteLLM lists as a model."""
        price = catalogue_litellm.rates(entry, self.report.left_out).get("images")
        if price is None:
            return
        model = self.models[provider].setdefault(id, Model(id))
        model.say("ops", ["images"], LITELLM)
        if not model.prices:
            model.prices.append({})
        name = "images@" + size.strip("/").replace("-x-", "x")
        model.prices[-1][name] = price
        model.by[name] = LITELLM

    def priced(self, provider: str, source: Mapping[str, Any], model: Model, rates: Rates) -> None:
        """genai-prices' prices where it has the model, with what only LiteLLM knows filled in."""
        found = self.prices.find(source.get("genai", []), model.id)
        if found is None:
            self.alone(model, rates, free=bool(source.get("free")))
            return
        _, there = found
        known = Model(model.id)
        self.prices.describe(there, known)
        now = rates_now(known.prices, self.today)
        differing = sorted(name for name in now.keys() & rates.keys() if differ(now[name], rates[name]))
        # A pattern may take in ids that genai-prices never looked at; LiteLLM names this very id.
        named = model.id.lower() in {text.lower() for text in [*literals(there.match), there.id]}
        believed = named or not differing
        why = "it is the authority on prices" if named else "it names this very id"
        for name in differing:
            taken = GENAI if believed else LITELLM
            self.report.rows.append(Row(provider, model.id, name, now[name], rates[name], taken, why))
        sizes = {name: rate for period in model.prices for name, rate in period.items() if "@" in name}
        if not believed or not known.prices:
            self.alone(model, rates, free=False)
        else:
            model.prices = known.prices
            model.by["prices"] = GENAI
            fill(model, {**rates, **sizes} if not {"input", "output"} & set(differing) else sizes, self.today)
        self.limits(provider, model, there.context_window)
        model.put("deprecated", known.facts.get("deprecated"), GENAI)

    def alone(self, model: Model, rates: Rates, *, free: bool) -> None:
        if not rates or (not free and set(rates.values()) == {"0"}):
            return
        model.prices = [{**(model.prices[-1] if model.prices else {}), **rates}]
        model.by = {name: source for name, source in model.by.items() if "@" not in name}
        model.by["prices"] = LITELLM

    def limits(self, provider: str, model: Model, window: int | None) -> None:
        """`context` is all of it, `max_input` the most of a prompt where that is less."""
        prompt = model.facts.get("max_input")
        if not window or not prompt:
            model.put("context", window, GENAI)
            return
        if differ(str(window), str(prompt)):
            taken = LITELLM if window < prompt else GENAI
            why = "it is the larger: nothing is refused that would work"
            self.report.rows.append(Row(provider, model.id, "context", str(window), str(prompt), taken, why))
        if window > prompt:
            model.put("context", window, GENAI)

    def from_genai(self, provider: str, source: Mapping[str, Any]) -> None:
        """What only genai-prices has."""
        known = self.models[provider]
        seen = {id.lower() for id in known}
        for there, ids in self.prices.models(source.get("genai", []), suffix=bool(source.get("suffix"))):
            new = [id for id in ids if id.lower() not in seen and wanted(id, source)]
            if not new or new[0] != ids[0]:
                continue
            model = known[new[0]] = Model(new[0])
            self.prices.describe(there, model)
            model.put("context", there.context_window, GENAI)
            seen |= {id.lower() for id in new}
            self.aliases[provider] |= dict.fromkeys(new[1:], new[0])
        self.report.left_out |= self.prices.left_out

    def named_otherwise(self) -> None:
        """LiteLLM's `alias_of`."""
        for key, entry in self.table.items():
            label = key.partition("/")[0]
            provider = self.labels.get(label) or self.labels.get("vertex_ai" if label == "vertex_ai" else label)
            if "alias_of" not in entry or provider is None:
                continue
            target = catalogue_litellm.own_id(entry["alias_of"], label)
            id = catalogue_litellm.own_id(key, label)
            if target in self.models[provider] and id not in self.models[provider]:
                self.aliases[provider][id] = target

    def agreed(self) -> None:
        """Modalities that a host's entry leaves open, where all hosts of the model that say anything say the same."""
        said: dict[str, dict[str, set[bool]]] = defaultdict(lambda: defaultdict(set))
        for models in self.models.values():
            for model in models.values():
                for word in ("image", "audio", "video"):
                    if word in model.words("takes") or word in model.words("cannot"):
                        said[root(model.id)][word].add(word in model.words("takes"))
        for name, models in self.models.items():
            for model in models.values():
                self.agree(model, said.get(root(model.id), {}), alike=bool(self.providers[name].get("alike")))

    def agree(self, model: Model, said: Mapping[str, set[bool]], *, alike: bool) -> None:
        known = model.words("takes") | model.words("cannot")
        for word, answers in said.items():
            if word in known or len(answers) != 1:
                continue
            if answers == {False}:
                model.say("cannot", [word], LITELLM)
            elif alike:
                model.say("takes", [word], LITELLM)

    def finish(self, provider: str, source: Mapping[str, Any]) -> None:
        models, aliases = self.models[provider], self.aliases[provider]
        for model in models.values():
            if "chat" in source and re.search(source["chat"], model.id):
                model.say("ops", ["chat"], DERIVED)
            derive(model)
        for id, target in fold(models).items():
            aliases[id] = target
        for id in list(aliases):
            while aliases[id] in aliases:
                aliases[id] = aliases[aliases[id]]
        for model in models.values():
            dated = [date for id in (model.id, *ids_of(aliases, model.id)) if (date := released(id))]
            model.put("released", min(dated, default=None), DERIVED)
        self.report.models[provider] = len(models)
        self.report.priced[provider] = sum(bool(model.prices) for model in models.values())
        self.report.aliases[provider] = len(aliases)


def wanted(id: str, source: Mapping[str, Any]) -> bool:
    return not ("not" in source and re.search(source["not"], id))


def rates_now(periods: list[Rates], today: str) -> Rates:
    """What counts today, at hours of which nothing is said."""
    in_force = [period for period in periods if period.get("from", "") <= today and "daily" not in period]
    return in_force[-1] if in_force else {}


def fill(model: Model, rates: Rates, today: str) -> None:
    """Classes that genai-prices does not price, from LiteLLM, into the period that counts now."""
    now = rates_now(model.prices, today)
    missing = {name: rate for name, rate in rates.items() if name not in now and rate != "0"}
    if not now or not missing:
        return
    now |= missing
    model.by |= dict.fromkeys(missing, LITELLM)


def derive(model: Model) -> None:
    """What follows from the rest."""
    if "max_input" in model.facts and "context" not in model.facts:
        model.facts["context"] = model.facts.pop("max_input")
        model.by["context"] = model.by.pop("max_input")
    if "ops" not in model.facts and model.prices and "output" in model.prices[-1] and not NOT_CHAT.search(model.id):
        model.say("ops", ["chat"], DERIVED)
    if "chat" in model.words("ops"):
        for name in ("takes", "gives"):
            model.say(name, ["text"], DERIVED)


def fold(models: dict[str, Model]) -> dict[str, str]:
    """Models that differ in nothing but the id become one: the shortest id stays in `models`, the others are given."""
    groups: dict[str, list[str]] = defaultdict(list)
    for id, model in models.items():
        key = json.dumps([root(id), model.facts, model.prices, model.page], sort_keys=True)
        groups[key].append(id)
    renamed = {}
    for ids in groups.values():
        first, *others = sorted(ids, key=lambda id: (len(id), id))
        for id in others:
            renamed[id] = first
            del models[id]
    return renamed


def root(id: str) -> str:
    """The name of a model without host, vendor, date and version tail: what its weights are called."""
    name = id.rpartition("/")[2].lower()
    name = re.sub(r"^((us|eu|apac|jp|au|in|ca|global|us-gov)\.)?[a-z0-9-]+\.(?=[a-z])", "", name)
    return TAIL.sub("", name.removesuffix("-latest"))


def ids_of(aliases: Mapping[str, str], id: str) -> Iterator[str]:
    return (alias for alias, target in aliases.items() if target == id)


def overlay(builder: Builder, corrections: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Put in what is known better; gives what holds for a provider as a whole."""
    hosts: dict[str, dict[str, Any]] = {}
    for entry in corrections:
        provider = entry["provider"]
        if "model" not in entry:
            hosts[provider] = {key: entry[key] for key in ("cannot", "page", "checked")}
            continue
        model = builder.models[provider].setdefault(entry["model"], Model(entry["model"]))
        for name, value in entry["set"].items():
            if name == "prices":
                model.prices = value
            else:
                model.facts[name] = value
            model.by[name] = OVERLAY
        for name in ("takes", "can"):  # what is said to work there no longer cannot
            said = set(entry["set"].get(name, "").split())
            left = [word for word in model.facts.get("cannot", "").split() if word not in said]
            model.facts["cannot"] = " ".join(left)
        model.facts = {name: value for name, value in model.facts.items() if value not in ("", None)}
        model.page = entry["page"]
    return hosts


def written(builder: Builder, sources: Mapping[str, Any], hosts: Mapping[str, Any]) -> dict[str, str]:
    """The text of every file."""
    files = {}
    for name, models in builder.models.items():
        if not models:
            continue
        pages = sorted({model.page for model in models.values() if model.page and model.page.startswith("https://")})
        place = {page: number for number, page in enumerate(pages)}
        head = {
            "provider": name,
            "sources": sources,
            "by": {**USUAL, "*": LITELLM},
            "firm": " ".join(builder.providers[name].get("firm", [])),
            "host": hosts.get(name, {}),
            "pages": pages,
        }
        entries: dict[str, Any] = {model.id: model.line(place) for model in models.values()}
        entries |= {id: target for id, target in builder.aliases[name].items() if id not in entries}
        lines = [f"{dumps('')}:{dumps(head)}", *(f"{dumps(id)}:{dumps(entries[id])}" for id in sorted(entries))]
        files[name] = "{\n" + ",\n".join(lines) + "\n}\n"
        assert len(files[name]) < MAX_BYTES, f"{name} is too large to be read in a review: {len(files[name])} bytes"
    return files


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fetch(folder: Path) -> Path:
    """LiteLLM's newest wheel, by pip and from wherever it takes packages."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "litellm",
        "-d",
        str(folder),
    ]
    subprocess.run(command, check=True)  # noqa: S603  # our own arguments
    (wheel,) = folder.glob("litellm-*.whl")
    return wheel


def day() -> str:
    """The day on which the sources of the data in the repository were read."""
    head = json.loads((DATA / "openai.json").read_text("utf-8"))[""]
    return str(head["sources"][LITELLM]["read"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="LiteLLM's wheel, instead of fetching it")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the data would change")
    parser.add_argument("--bundle", type=Path, help="write everything as one file, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = given.wheel or fetch(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            table = json.loads(archive.read(TABLE), parse_float=Decimal)
    providers = yaml.safe_load((HERE / "catalogue_providers.yaml").read_text("utf-8"))
    corrections = yaml.safe_load((HERE / "catalogue_overlay.yaml").read_text("utf-8")) or []
    today = day() if given.check else datetime.now(UTC).date().isoformat()
    builder = Builder(table, providers, today)
    builder.build()
    hosts = overlay(builder, corrections)
    sources = {
        GENAI: {"version": version("genai-prices"), "read": today},
        LITELLM: {"version": wheel.name.split("-")[1], "read": today},
        OVERLAY: {"read": max((entry["checked"] for entry in corrections), default=today)},
    }
    files = written(builder, sources, hosts)
    shown = [
        f"{name} {source.get('version', '')}, read on {source['read']}".replace(" ,", ",")
        for name, source in sources.items()
    ]
    if given.bundle:
        given.bundle.write_text(
            "{\n" + ",\n".join(f"{dumps(name)}:{text.strip()}" for name, text in files.items()) + "\n}\n", "utf-8"
        )
    return store(files, builder.report.page(shown), check=given.check)


def store(files: Mapping[str, str], page: str, *, check: bool) -> int:
    wanted = {DATA / f"{name}.json": text for name, text in files.items()} | {PAGE: page}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    gone = [path for path in DATA.glob("*.json") if path not in wanted]
    for path in sorted([*stale, *gone]):
        print(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}")
    if check:
        return 1 if stale or gone else 0
    DATA.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], "utf-8")
    for path in gone:
        path.unlink()
    print(f"{len(files)} providers, {sum(map(len, files.values())):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
