"""A database of records that an older version made is searched and summed as before."""

import asyncio
import random

import msgspec
import pytest

from headgate.journal.read import Filter
from headgate.records import statements as sql
from headgate.records.drain import opened
from headgate.records.reading import Records
from headgate.records.row import COLUMNS, read
from headgate.records.search import Search
from headgate.records.sums import SUMS
from headgate.records.usage import Question, usage
from headgate.store.database import connect
from headgate.store.migrations import migrate
from headgate.store.objects import Objects
from headgate.store.stepping import STORED, steps
from made_records import made

NEW_COLUMNS = ("saved_routing", "retries", "wasted", "fingerprint", "prefix", "data_class", "tagged")
NEW_SUMS = ("saved_routing", "retries", "wasted")
VERSIONS = [(STORED, 1), (sql.TALLY, 3)]
"""Where an older version wrote down the steps that it had taken, and the last one that it knew."""


async def make(url, entries, tally, last):
    """As the older version did."""
    database = connect(url)
    words = sql.SQLITE_WORDS if url.startswith("sqlite") else sql.POSTGRES_WORDS
    async with database.script(tally.first) as inside:
        for number, parts in steps(sql.STEPS, words):
            if number <= last:
                for part in parts:
                    await inside.run(part)
                await inside.run(tally.take, number)
    columns = [name for name in COLUMNS if name not in NEW_COLUMNS and (name != "trace" or last > 1)]
    for number, entry in enumerate(entries, 1):
        values = [value for name, value in zip(COLUMNS, entry.row, strict=True) if name in columns]
        await database.run(sql.inserting("requests", ("number", *columns)), number, *values)
        await database.run(sql.inserting("lines", sql.LINE), number, entry.line)
        for tag in entry.tags:
            await database.run(sql.inserting("tags", sql.TAG), tag, entry.row.time, number)
    groups = ("hour", "organisation", "team", "application", "user", "key", "model", "target")
    known = [name for name in SUMS if name not in NEW_SUMS]
    await database.run(
        sql.inserting("sums", (*groups, *known)), 5, *("a", "red", "", "", "k", "m", "p/m"), *range(len(known))
    )
    await database.close()


@pytest.mark.parametrize(("tally", "last"), VERSIONS)
def test_a_database_of_an_older_version_is_searched_and_summed_as_before(tmp_path, url, tally, last):
    chance = random.Random(7)
    records = [made(number, chance) for number in range(60)]
    asyncio.run(make(url, [read(msgspec.json.encode(record)) for record in records], tally, last))
    database = opened(url)
    database.positions("nobody")
    database.close()

    async def compare():
        known = Records(tmp_path, url)
        wants = [
            Filter(team="red"), Filter(organisation="acme"), Filter(application="app"), Filter(user="ann"),
            Filter(end_user="e"), Filter(key="k1"), Filter(client="10.0.0.1"), Filter(model="chat"), Filter(tag="b"),
            Filter(target="openai/b"), Filter(statuses=(500, 599)), Filter(error="provider_failed"),
            Filter(min_cost=10**6), Filter(min_seconds=1.0), Filter(),
        ]  # fmt: skip
        found = []
        for want in wants:
            page = await known.page(Search(want, 100))
            found.append({each.record.id for each in page.items})
        summed = await usage(known, Question(("team", "status"), (0, 36000)))
        tagged = await usage(known, Question(("tag",), (0, 1 << 32)))
        await known.close()
        return wants, found, summed, {names[0]: sums[0] for names, sums in tagged.items}

    wants, found, summed, tagged = asyncio.run(compare())
    assert found == [{record.id for record in records if want.passes(record)} for want in wants]
    assert all(found)
    old = iter(range(len(SUMS)))
    assert summed.items == [(("red", ""), [0 if name in NEW_SUMS else next(old) for name in SUMS])]
    asked = [each for each in records if each.shadow_of is None and each.judgment is None]
    assert {tag: count for tag, count in tagged.items() if tag} == {
        tag: sum(tag in record.tags for record in asked) for tag in {tag for each in asked for tag in each.tags}
    }


@pytest.mark.parametrize(("tally", "last"), VERSIONS)
def test_what_administrators_change_finds_room_beside_records_of_an_older_version(url, tally, last):
    asyncio.run(make(url, [], tally, last))

    async def both():
        database = connect(url)
        await migrate(database)
        words = sql.SQLITE_WORDS if url.startswith("sqlite") else sql.POSTGRES_WORDS
        await migrate(database, sql.STEPS, words, sql.TALLY)
        await migrate(database)
        revision = await Objects(database).revision()
        await database.close()
        return revision

    assert asyncio.run(both()) == 0
