"""The page says what the records say, takes no name for markup, and needs nothing but itself."""

import asyncio
import itertools
import json
import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from headgate.cli import cli
from headgate.core.money import Currency
from headgate.core.record import Record
from headgate.records.charts import Bar, bars
from headgate.records.page import gathered, page
from headgate.records.reading import Records
from headgate.records.report import Asked
from made_records import written

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=UTC)
SPAN = (int((NOW - timedelta(days=20)).timestamp()), int(NOW.timestamp()))
HOSTILE = ["<script>alert(1)</script>", '"onload=x', "a\x1b[31mb\u202ec", "'; DROP TABLE", "&lt;b&gt;", "\u0000"]


class Seen(HTMLParser):
    """The tags and attributes of a page, and whether each that is opened is closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.open = set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def made(folder, names):
    chance = random.Random(1)
    records = [
        Record(
            id=f"req_{number:026d}", time=(NOW - timedelta(hours=7 * number)).timestamp(), status=200, duration=1.0,
            cost=f"{chance.random():.9f}", fingerprint=f"f{number % 3}",
            **{field: chance.choice(names) for field in ("team", "user", "key", "application", "model", "target")},
            tags=[chance.choice(names), f"feature={chance.choice(names)}"],
        )
        for number in range(90)
    ]  # fmt: skip
    written(folder / "journal", records)
    return records


def shown(folder, currency=None):
    async def ask():
        records = Records(folder, None)
        try:
            return await gathered(Asked(records), SPAN, NOW, None)
        finally:
            await records.close()

    data = asyncio.run(ask())
    return data, page(data, currency)


def test_names_are_text_and_nothing_is_asked_for(tmp_path):
    made(tmp_path, HOSTILE)
    _, text = shown(tmp_path)
    seen = Seen()
    seen.feed(text)
    assert not seen.open
    assert not seen.tags & {"script", "iframe", "object", "img", "link", "form", "b1", "input"}
    assert not [name for name in seen.attributes if name.startswith("on") or name in ("src", "href")]
    assert "http" not in text
    assert "url(" not in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    assert "&lt;script&gt;" in text


def test_amounts_are_those_of_the_records(tmp_path):
    records = made(tmp_path, ["red", "blue"])
    inside = [each for each in records if SPAN[0] <= each.time < SPAN[1]]
    total = sum(Decimal(each.cost) for each in inside)
    data, text = shown(tmp_path)
    assert Decimal(data["summary"]["now"]["cost"]) == total
    assert f"<b>${total:,.2f}</b>" in text
    _, other = shown(tmp_path, Currency("EUR", Decimal("0.5")))
    assert f"<b>EUR {total / 2:,.2f}</b>" in other
    assert "1 USD = 0.5 EUR" in other
    assert "$" not in other.partition("</style>")[2]


@given(st.lists(st.floats(0, 1e12), max_size=40))
def test_bars_stand_on_their_base_inside_the_chart(values):
    text = bars([Bar("<&>", value, "'\"<", "is") for value in values], "a & b")
    root = ElementTree.fromstring(text)
    paths = [each.get("d") for each in root.iter("path")]
    assert len(paths) == len(values)
    heights = []
    for path in paths:
        base, top = float(re.match(r"M\S+ ([\d.]+)V", path)[1]), float(re.search(r"Q\S+ ([\d.]+) ", path)[1])
        assert 0 <= top <= base <= 220
        heights.append(base - top)
    order = sorted(range(len(values)), key=values.__getitem__)
    assert all(heights[one] <= heights[other] + 0.11 for one, other in itertools.pairwise(order))


def test_the_command_writes_the_page_or_the_figures(tmp_path):
    made(tmp_path, ["red"])

    def run(*options):
        return CliRunner().invoke(cli, ["report", "usage", "--data-dir", str(tmp_path), "--month", "2026-11", *options])

    done = run("--html", str(tmp_path / "r.html"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!doctype html>")
    told = json.loads(run("--json").stdout)
    assert set(told) == {"summary", "months", "forecast", "waste", "made"}
    assert run().exit_code == 2
    assert run("--html", str(tmp_path / "none" / "r.html")).exit_code == 1
    assert msgspec.json.encode(told)
