"""A database of records that an older version made is searched and summed as before."""

import asyncio
import random

import msgspec

from headgate.journal.read import Filter
from headgate.records import statements as sql
from headgate.records.drain import opened
from headgate.records.reading import Records
from headgate.records.row import COLUMNS, read
from headgate.records.search import Search
from headgate.records.sums import SUMS
from headgate.records.usage import Question, usage
from headgate.store.database import connect
from headgate.store.stepping import steps
from made_records import made

NEW_COLUMNS = ("saved_routing", "retries", "wasted", "fingerprint", "prefix", "data_class", "tagged")
NEW_SUMS = ("saved_routing", "retries", "wasted")
LAST = 3
"""The last step that the older version knew."""


async def make(url, entries):
    """As the older version did."""
    database = connect(url)
    words = sql.SQLITE_WORDS if url.startswith("sqlite") else sql.POSTGRES_WORDS
    async with database.script(sql.TALLY.first) as inside:
        for number, parts in steps(sql.STEPS, words):
            if number <= LAST:
                for part in parts:
                    await inside.run(part)
                await inside.run(sql.TALLY.take, number)
    columns = [name for name in COLUMNS if name not in NEW_COLUMNS]
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


def test_a_database_of_an_older_version_is_searched_and_summed_as_before(tmp_path, url):
    chance = random.Random(7)
    records = [made(number, chance) for number in range(60)]
    asyncio.run(make(url, [read(msgspec.json.encode(record)) for record in records]))
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
        await known.close()
        return wants, found, summed

    wants, found, summed = asyncio.run(compare())
    assert found == [{record.id for record in records if want.passes(record)} for want in wants]
    assert all(found)
    old = iter(range(len(SUMS)))
    assert summed.items == [(("red", ""), [0 if name in NEW_SUMS else next(old) for name in SUMS])]
