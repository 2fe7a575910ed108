"""What is old goes for good, what is held stays, what is left is provable; by a clock of ours, on both engines."""

import asyncio
import json

import msgspec
import pytest

from headgate.config.schema import Config
from headgate.core.record import Record
from headgate.governance import removing
from headgate.governance.conditions import DAY, Condition
from headgate.governance.databases import Databases
from headgate.governance.evidence import Asked, evidence, written
from headgate.governance.evidence_check import Reader
from headgate.governance.person import Held, Person, erase
from headgate.governance.purging import Purge
from headgate.governance.verifying import verified
from headgate.journal.read import Filter
from headgate.records.drain import Drain, opened
from headgate.records.status import save
from headgate.records.verify import verify_records
from headgate.store.database import StoreAway
from headgate.store.objects import Actor, Objects
from made_records import written as written_to

NOW = 1_800_000_000.0
SECRET = {"HEADGATE_SECRET_KEY": "a-passphrase-of-more-than-32-characters"}
CANARY = "canary-4711"


def record(number, days, **more):
    return Record(
        id=f"req_{number:026d}", time=NOW - days * DAY, path="/", status=200, cost="0.5", duration=1.0,
        tags=["all", f"t{number % 2}"], **more,
    )  # fmt: skip


RECORDS = [
    record(1, 100, team="red", user="ann", message=CANARY),
    record(2, 100, team="blue", user="bob"),
    record(3, 40, team="red", end_user="eve"),
    record(4, 40, team="blue", user="ann", message=CANARY),
    record(5, 2, user="ann", end_user="eve"),
    record(6, 1, team="red", user="bob"),
]


class Place:
    """A data directory whose journal is in the database."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        journal = folder / "journal"
        journal.mkdir()
        for number, record in enumerate(RECORDS):
            name = f"20260101T00000{number // 2}.000Z-0-999999.jsonl"
            with (journal / name).open("ab") as file:
                file.write(msgspec.json.encode(record) + b"\n")
        self.drain()

    def drain(self):
        drain = Drain(self.folder, opened(self.url), print, now=0.0)
        while drain.turn(0.0):
            pass
        save(self.folder, drain.status)
        drain.database.close()

    def run(self, what, **said):
        """What comes of a function of databases and a configuration."""
        both = {"records": {"url": self.url}} | ({"store": {"url": self.url}} if "postgres" in self.url else {})
        config = Config.model_validate({"data_dir": self.folder, **both, **said})

        async def run():
            databases = Databases(config, SECRET)
            try:
                return await what(databases, config)
            finally:
                await databases.close()

        return asyncio.run(run())

    def purged(self, now=NOW, dry=False, **said):
        async def purge(databases, config):
            return {(each.kind, each.why): each.rows for each in await Purge(databases, config, now, dry=dry).run()}

        return self.run(purge, **said)

    def ids(self):
        """Numbers of the records that are there, by what is searched and by the lines."""

        async def ask(databases, _):
            database = await databases.records()
            rows = await database.rows("SELECT requests.id FROM requests JOIN lines ON lines.number = requests.number")
            return sorted(int(id[4:]) for (id,) in rows)

        return self.run(ask)

    def rows(self, text):
        async def ask(databases, _):
            return [tuple(row) for row in await (await databases.records()).rows(text)]

        return self.run(ask)

    def problems(self):
        async def ask(databases, _):
            return [problem for told in await verified(databases) for problem in told.problems]

        return self.run(ask)

    def audit(self):
        async def ask(databases, _):
            return [(each.action, each.kind, each.after) for each in await Objects(await databases.store()).audit()]

        return self.run(ask)


@pytest.fixture
def place(tmp_path, url):
    return Place(tmp_path, url)


def test_what_is_old_goes_by_team_and_what_is_left_is_provable(place):
    said = {"retention": {"records_days": 30}, "teams": {"blue": {"retention": {"records_days": 60}}}}
    would = {("records", "team blue"): 1, ("records", "general"): 2}
    assert place.purged(dry=True, **said) == would
    assert place.ids() == [1, 2, 3, 4, 5, 6]
    assert place.purged(**said) == {**would, ("journal", ""): 3}
    assert place.ids() == [4, 5, 6]
    assert place.rows("SELECT number, tag FROM tags ORDER BY 1, 2") == [
        (4, "all"), (4, "t0"), (5, "all"), (5, "t1"), (6, "all"), (6, "t0"),
    ]  # fmt: skip
    assert place.problems() == []
    assert place.audit() == [
        ("purge", "journal", {"counts": {"": 3}, "at": NOW}),
        ("purge", "records", {"counts": {"team blue": 1, "general": 2}, "at": NOW}),
    ]
    assert place.purged(**said) == {}
    more = record(7, 0)
    with (place.folder / "journal" / "20260101T000009.000Z-0-999999.jsonl").open("ab") as file:
        file.write(msgspec.json.encode(more) + b"\n")
    place.drain()
    assert (place.ids(), place.problems()) == ([4, 5, 6, 7], [])


def test_numbers_are_not_given_again_when_all_is_gone(place):
    place.purged(now=NOW + 1000 * DAY, retention={"records_days": 1})
    assert place.ids() == []
    with (place.folder / "journal" / "20260101T000009.000Z-0-999999.jsonl").open("ab") as file:
        file.write(msgspec.json.encode(record(8, 0)) + b"\n")
    place.drain()
    assert place.rows("SELECT number FROM lines") == [(7,)]
    assert place.problems() == []


def test_nothing_of_what_is_purged_stays_on_disk(tmp_path):
    place = Place(tmp_path, f"sqlite:///{tmp_path}/records.db")
    assert found_in(tmp_path) >= {"records.db", "20260101T000000.000Z-0-999999.jsonl"}
    size = (tmp_path / "records.db").stat().st_size
    place.purged(retention={"records_days": 30})
    assert found_in(tmp_path) == set()
    assert (tmp_path / "records.db").stat().st_size <= size


def found_in(folder):
    """Files with the canary in them."""
    return {path.name for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()}


@pytest.mark.parametrize(
    ("hold", "stay"),
    [
        ({"user": "ann"}, [1, 4, 5]),
        ({"user": "ann", "since": "2026-12-01"}, [4, 5]),
        ({"team": "red", "until": "2026-12-15"}, [1, 3]),
        ({"requests": [f"req_{2:026d}"]}, [2]),
        ({"end_user": "eve"}, [3, 5]),
    ],
)
def test_what_is_held_stays(tmp_path, hold, stay):
    place = Place(tmp_path, f"sqlite:///{tmp_path}/records.db")
    place.purged(now=NOW + DAY * 500, retention={"records_days": 1}, holds={"case": {"reason": "court", **hold}})
    assert place.ids() == stay
    assert place.problems() == []
    left = b"".join(path.read_bytes() for path in (tmp_path / "journal").iterdir()).split()
    assert sorted(int(json.loads(line)["id"][4:]) for line in left) == stay


def test_what_was_said_goes_before_the_record_of_it(place):
    said = [(3, "red"), (4, "blue"), (5, None)]

    async def keep(databases, _):
        database = await databases.records()
        for number, team in said:
            row = (number, f"req_{number:026d}", NOW, team, None, "full", 1, None, CANARY.encode())
            await database.run(f"INSERT INTO payloads VALUES ({', '.join('?' * 9)})", *row)
            words = "?" if "sqlite" in place.url else "array_to_tsvector(ARRAY[CAST(? AS TEXT)])"
            await database.run(f"INSERT INTO payload_words (rowid, words) VALUES (?, {words})", number, CANARY)

    place.run(keep)
    kept = {"retention": {"payloads_days": 30}, "holds": {"case": {"reason": "court", "team": "blue"}}}
    assert place.purged(**kept) == {("payloads", "general"): 1}
    assert place.rows("SELECT number FROM payloads ORDER BY number") == [(4,), (5,)]
    assert [number for (number,) in place.rows("SELECT rowid FROM payload_words ORDER BY rowid")] == [4, 5]
    assert place.ids() == [1, 2, 3, 4, 5, 6]
    done = place.run(lambda databases, config: erase(databases, config, Person("user", "ann"), Actor("dpo")))
    assert (done.records, done.payloads) == (3, 2)
    assert place.rows("SELECT number FROM payloads") == place.rows("SELECT rowid FROM payload_words") == []
    assert place.problems() == []
    if "sqlite" in place.url:
        assert found_in(place.folder) == set()


def test_sums_go_by_hours(place):
    assert place.purged(retention={"sums_days": 50}) == {("sums", "general"): 2}
    [(hours, requests)] = place.rows("SELECT COUNT(DISTINCT hour), SUM(requests) FROM sums")
    assert (hours, int(requests)) == (3, 4)


def test_a_held_time_keeps_its_sums_and_its_audit(tmp_path):
    place = Place(tmp_path, f"sqlite:///{tmp_path}/records.db")
    said = {"retention": {"sums_days": 1, "audit_days": 1}}

    async def note(databases, _):
        await Objects(await databases.store()).note("login", "sessions", "ann", Actor("ann"), {})

    place.run(note)
    held = {"holds": {"case": {"reason": "court", "user": "ann"}}}
    assert place.purged(now=4e9, **said, **held) == {}
    assert place.purged(now=4e9, **said) == {("sums", "general"): 6, ("audit", "general"): 1}
    assert [each[:2] for each in place.audit()] == [("purge", "sums"), ("purge", "audit")]
    assert place.problems() == []


@pytest.mark.parametrize(("person", "gone"), [(Person("user", "ann"), {1, 4, 5}), (Person("end_user", "eve"), {3, 5})])
def test_all_about_one_person_goes(place, person, gone):
    [(before, cost)] = place.rows("SELECT SUM(requests), SUM(cost) FROM sums")
    done = place.run(lambda databases, config: erase(databases, config, person, Actor("dpo")))
    assert (done.records, done.waiting, done.journal) == (len(gone), 0, len(gone))
    assert set(place.ids()) == {1, 2, 3, 4, 5, 6} - gone
    assert place.rows("SELECT SUM(requests), SUM(cost) FROM sums") == [(before, cost)]
    assert place.rows(f"SELECT hour FROM sums WHERE \"user\" = '{person.name}'") == []
    names = {mark for (mark,) in place.rows("SELECT mark FROM marks") if "user=" in mark}
    assert names == {"user=ann", "user=bob", "end_user=eve"} - {f"{person.what}={person.name}"}
    assert place.problems() == []
    [(action, kind, after)] = place.audit()
    assert (action, kind, after["records"]) == ("erase", "data", len(gone))
    assert person.name not in json.dumps(after)
    assert not [path for path in (place.folder / "journal").iterdir() if person.name.encode() in path.read_bytes()]


def test_of_what_is_held_nothing_is_deleted(place):
    holds = {"case-1": {"reason": "court", "team": "red"}, "other": {"reason": "court", "user": "carl"}}
    with pytest.raises(Held, match=r"held by case-1$"):
        place.run(lambda databases, config: erase(databases, config, Person("user", "ann"), Actor("dpo")), holds=holds)
    assert place.ids() == [1, 2, 3, 4, 5, 6]


def test_of_what_is_held_nothing_is_deleted_from_a_journal_alone(tmp_path):
    written_to(tmp_path / "journal", RECORDS)
    config = Config.model_validate({
        "data_dir": tmp_path, "records": {"store": False},
        "holds": {"case-1": {"reason": "court", "team": "red"}, "case-2": {"reason": "court", "user": "bob"}},
    })  # fmt: skip

    async def delete(name):
        databases = Databases(config, SECRET)
        try:
            return await erase(databases, config, Person("end_user", name), Actor("dpo"))
        finally:
            await databases.close()

    with pytest.raises(Held, match=r"held by case-1$"):
        asyncio.run(delete("eve"))
    lines = b"".join(path.read_bytes() for path in (tmp_path / "journal").iterdir())
    assert lines.count(b'"end_user":"eve"') == 2
    assert asyncio.run(delete("nobody")).journal == 0


def test_what_was_purged_is_told_although_the_room_cannot_be_given_back(tmp_path, own_database):
    place = Place(tmp_path, own_database)
    place.rows("ALTER TABLE spreads RENAME TO elsewhere")
    with pytest.raises(StoreAway):
        place.purged(retention={"records_days": 30})
    with pytest.raises(StoreAway):
        place.run(lambda databases, config: erase(databases, config, Person("user", "ann"), Actor("dpo")))
    assert [each[:2] for each in place.audit()] == [("erase", "data"), ("purge", "journal"), ("purge", "records")]


def test_of_two_machines_that_purge_one_says_that_it_did(place):
    async def twice(databases, _):
        database = await databases.records()
        there = await removing.tables(database)
        found = await removing.found(database, Condition("requests.number <= ?", [3]))
        return [await removing.remove(database, found, {"why": "old"}, there) for _ in range(2)]

    assert place.run(twice) == [3, 0]
    assert (place.ids(), place.problems()) == ([4, 5, 6], [])


def test_purges_are_read_anew_only_where_something_else_is_gone(place):
    place.purged(now=NOW + 1000 * DAY, retention={"records_days": 1})

    async def checked(databases, _):
        database = await databases.records()
        counting = Counting(database)
        return (await verify_records(counting, {})).purged, counting.purges

    assert place.run(checked) == (6, 1)


class Counting:
    """A database that counts how often it is asked for purges."""

    def __init__(self, database):
        self.database, self.purges = database, 0

    async def rows(self, text, *values):
        self.purges += "kind = 'purge'" in text
        return await self.database.rows(text, *values)


def test_what_is_from_before_there_was_a_chain_is_called_so(place):
    async def export(databases, _):
        database = await databases.records()
        await database.run("INSERT INTO record_purging (number) VALUES (1)")
        await database.run("DELETE FROM record_chain")
        return [line async for line in evidence(databases, Asked(Filter(user="bob"), {"user": "bob"}), NOW)]

    found = Reader({}).read(map(written, place.run(export)))
    assert {(each.what, each.message) for each in found.problems} == {
        ("unsigned", "it is from before there was a chain: nothing proves it")
    }


def test_what_is_no_evidence_is_told(place):
    async def export(databases, _):
        return [line async for line in evidence(databases, Asked(Filter(user="ann"), {"user": "ann"}), NOW)]

    first, *rest = map(written, place.run(export))
    [link] = [line for line in rest if line.startswith('{"link":{"number":1,')]
    for wrong in (
        "[1]", "1", "{", "[" * 100_000, '{"record": "x", "number": {}, "link": 1}', '{"end": "x"}',
        link.replace('"first":1', '"first":"x"'), '{"checkpoint": {}}',
    ):  # fmt: skip
        with pytest.raises(ValueError, match="line 2 is none of a file of evidence"):
            Reader({}).read([first, wrong, *rest])
    for wrong in ("[1]", "{", '{"evidence": "headgate evidence 2"}'):
        with pytest.raises(ValueError, match="does not begin with"):
            Reader({}).read([wrong])


def test_evidence_is_checked_without_the_database(place):
    place.purged(retention={"records_days": 90})

    async def export(databases, _):
        return [line async for line in evidence(databases, Asked(Filter(user="ann"), {"user": "ann"}), NOW)]

    lines = list(map(written, place.run(export)))
    found = Reader({}).read(lines)
    assert (found.problems, found.records, found.signed, found.asked) == ([], 2, 2, {"user": "ann"})
    assert list(found.keys)
    changed = [line.replace("req_" + "0" * 25 + "5", "req_" + "0" * 25 + "9") for line in lines]
    [problem] = Reader({}).read(changed).problems
    assert problem.what == "changed"
    without = [line for line in lines if '"checkpoint"' not in line]
    assert {each.what for each in Reader({}).read(without).problems} == {"unsigned"}
    assert Reader({}).read(lines[:-1]).problems[0].what == "cut"
    assert {each.what for each in Reader({"other": "x"}).read(lines).problems} == {"unsigned"}
    with pytest.raises(ValueError, match="does not begin with"):
        Reader({}).read(lines[1:])
