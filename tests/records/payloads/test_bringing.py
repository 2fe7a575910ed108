"""Payloads come into the database once, are found by their words, and read by who has the key; on both engines."""

import asyncio
import base64
import random

import msgspec
import pytest

from headgate.journal.read import Filter
from headgate.journal.segments import segments
from headgate.records.drain import Drain
from headgate.records.drain import opened as opened_records
from headgate.records.payloads.keeper import PayloadDrain, opened
from headgate.records.payloads.payload import Cipher, Content, Payload, new_key, packed, words
from headgate.records.payloads.reading import one, reseal, told
from headgate.records.payloads.statements import query, said
from headgate.records.reading import Records
from headgate.records.search import Search
from headgate.records.statements import Away
from headgate.store.sealing import OwnKey, Seal, Unsealable
from made_records import written

OLD, NEW = Seal([OwnKey(b"o" * 32)]), Seal([OwnKey(b"n" * 32), OwnKey(b"o" * 32)])


def made(id, text, *, cipher=None, sealed=None, time=1.0):
    content = Content(dialect="openai_chat", request=f'{{"said":"{text}"}}', answer="fine")
    size, body = packed(content, cipher, id)
    return Payload(id, time, "full", size, body, "red", None, sealed, [] if cipher else words(text))


def brought(data, url, drain=None):
    drain = drain or PayloadDrain(data, opened(url), lambda *_: None, now=2e9)
    while drain.turn(2e9):
        pass
    drain.database.close()
    return drain


def asked(data, url, work):
    async def ask():
        records = Records(data, url)
        try:
            return await work(records)
        finally:
            await records.close()

    return asyncio.run(ask())


def found(data, url, text):
    search = Search(Filter(text=text), 50)
    return [each.record.id for each in asked(data, url, lambda records: records.page(search)).items]


@pytest.fixture
def three(tmp_path, url, records):
    """Three records in the database, and what was said in two of them."""
    listed = records(3)
    written(tmp_path / "journal", listed)
    drain = Drain(tmp_path, opened_records(url), lambda *_: None, now=2e9)
    while drain.turn(2e9):
        pass
    drain.database.close()
    ids = [record.id for record in sorted(listed, key=lambda record: record.time)]
    payloads = [made(ids[0], "the Größe of a refund"), made(ids[2], "a refund of 4711 refundings")]
    written(tmp_path / "payloads", payloads, segments=2)
    return ids


def test_each_is_there_once_and_found_by_its_words(tmp_path, url, three, monkeypatch):
    first, _, last = three
    assert brought(tmp_path, url).status.drained == 2
    written(tmp_path / "payloads", [made(first, "said again")], segments=1)
    assert brought(tmp_path, url).status.drained == 0
    assert found(tmp_path, url, "refund") == [last, first]
    assert found(tmp_path, url, "GROSSE refund") == [first]
    assert found(tmp_path, url, "471* refund*") == [last]
    assert found(tmp_path, url, "refund again") == []
    monkeypatch.setattr("headgate.records.reading.FEW", 1)
    assert found(tmp_path, url, "refund") == [last, first], "looked at one by one, as many hold it"
    assert found(tmp_path, url, "zebra") == []
    assert found(tmp_path, url, "'; drop \" & | ! x") == []
    assert found(tmp_path, url, "ref*") == [last, first]
    with pytest.raises(ValueError, match="`re\\*` is the beginning of too many words: write 3 letters"):
        found(tmp_path, url, "re*")
    with pytest.raises(ValueError, match="no word"):
        found(tmp_path, url, "… ?")
    seen = asked(tmp_path, url, lambda records: one(records, first, lambda: OLD))
    assert told(seen) == {
        "id": first, "time": 1.0, "kept": "full", "encrypted": False, "dialect": "openai_chat",
        "request": {"said": "the Größe of a refund"}, "answer": "fine",
    }  # fmt: skip
    assert asked(tmp_path, url, lambda records: one(records, three[1], lambda: OLD)) is None


def test_beginnings_of_words_are_looked_up_once_in_fts5():
    """It would collect all that has them for each request that is looked at, which is minutes where there are many."""
    for text, postgres, each in (("ref*", False, False), ("refund", False, True), ("ref*", True, True)):
        statement, _ = said(query(text, postgres=postgres), few=False, postgres=postgres)
        assert ("EXISTS" in statement) is each


def test_what_waits_on_disk_is_read_there_and_deleted_when_it_is_brought_over(tmp_path, url, three):
    seen = asked(tmp_path, url, lambda records: one(records, three[0], lambda: OLD))
    assert seen.content.request == '{"said":"the Größe of a refund"}'
    drain = PayloadDrain(tmp_path, opened(url), lambda *_: None, now=2e9 - 60)
    brought(tmp_path, url, drain)
    drain.turn(2e9)
    assert segments(tmp_path / "payloads") == []
    assert len(segments(tmp_path / "journal")) == 3, "of records nothing is deleted by it"
    drain.database.close()
    assert asked(tmp_path, url, lambda records: one(records, three[0], lambda: OLD)) == seen


def test_a_database_that_fails_now_and_then_has_each_once(tmp_path, url, records):
    chance, wanted = random.Random(3), [made(f"req_{number}", f"word{number}") for number in range(40)]
    written(tmp_path / "payloads", wanted, segments=4)

    class Failing:
        def __init__(self, database):
            self.database = database

        def __getattr__(self, name):
            return getattr(self.database, name)

        def add(self, *given):
            if chance.random() < 0.5:
                raise Away("before")
            added = self.database.add(*given)
            if chance.random() < 0.5:
                raise Away("after")
            return added

    drain = PayloadDrain(tmp_path, Failing(opened(url)), lambda *_: None, now=2e9)
    for _ in range(12):
        try:
            drain.turn(2e9)
        except Away as error:
            drain.failed(error)
    drain.database.close()
    brought(tmp_path, url)
    rows = asked(tmp_path, url, lambda records: records.rows("SELECT id FROM payloads"))
    assert sorted(id for (id,) in rows) == sorted(each.id for each in wanted)
    ((count,),) = asked(tmp_path, url, lambda records: records.rows("SELECT COUNT(*) FROM payload_words"))
    assert count == 40


def test_only_who_has_the_key_reads_what_is_encrypted_and_it_can_be_changed(tmp_path, url, records):
    key, sealed = new_key(OLD)
    written(tmp_path / "payloads", [made("req_1", "canary", cipher=Cipher(key, sealed), sealed=sealed)], segments=1)
    line = next((tmp_path / "payloads").iterdir()).read_bytes()
    assert b"canary" not in line
    assert base64.b64encode(key) not in line
    brought(tmp_path, url)
    seen = asked(tmp_path, url, lambda records: one(records, "req_1", lambda: OLD))
    assert seen.encrypted
    assert seen.content.request == '{"said":"canary"}'
    other = Seal([OwnKey(b"x" * 32)])
    with pytest.raises(Unsealable, match="not there"):
        asked(tmp_path, url, lambda records: one(records, "req_1", lambda: other))
    assert asked(tmp_path, url, lambda records: reseal(records, lambda: NEW)) == 1
    assert asked(tmp_path, url, lambda records: reseal(records, lambda: NEW)) == 0
    alone = Seal([OwnKey(b"n" * 32)])
    assert asked(tmp_path, url, lambda records: one(records, "req_1", lambda: alone)).content == seen.content
    ((count,),) = asked(tmp_path, url, lambda records: records.rows("SELECT COUNT(*) FROM payload_words"))
    assert count == 0


def test_a_line_is_what_was_written(tmp_path):
    [line] = [msgspec.json.encode(made("req_1", "x"))]
    assert line.startswith(b'{"id":"req_1"'), "what is torn is named by it"
