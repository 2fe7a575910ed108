"""The keeper signs and purges, says once what keeps it from doing so, and sends again what was not taken."""

import json
import logging
import random
import types

import pytest

from headgate.config.load import load
from headgate.records.drain import Drain, opened
from headgate.server.keeper import Keeper
from headgate.store.database import connect
from headgate.upstream.client import Client
from made_records import made, written
from upstreams import ScriptedUpstream

OK, BUSY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
def records(tmp_path):
    written(tmp_path / "data" / "journal", [made(number, random.Random(number)) for number in range(5)])
    drain = Drain(tmp_path / "data", opened(f"sqlite:///{tmp_path}/data/records.db"), print, now=0.0)
    while drain.turn(0.0):
        pass
    drain.database.close()


async def test_what_was_not_taken_is_sent_again(tmp_path, records, caplog):
    with ScriptedUpstream([BUSY, BUSY, OK]) as hook:
        path = tmp_path / "headgate.yaml"
        said = f"audit: {{checkpoint_url: '{hook.url}/', checkpoint_file: kept}}"
        path.write_text(f"data_dir: data\nproviders: {{simulator: }}\n{said}\n")
        upstream, loaded = Client(), load(path, {})
        keeper = Keeper(lambda: loaded, upstream)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                await keeper.turn(1_800_000_000.0)
        await keeper._databases.close()
        await upstream.close()
    assert len([each for each in caplog.records if "answers 503" in each.message]) == 1
    [kept] = [json.loads(line) for line in (tmp_path / "kept").read_text().splitlines()]
    assert [json.loads(request.body) for request in hook.requests] == [kept] * 3


async def test_what_did_not_fit_into_the_file_is_written_later(tmp_path, records, caplog):
    path, kept = tmp_path / "headgate.yaml", tmp_path / "away" / "kept"
    path.write_text(f"data_dir: data\nproviders: {{simulator: }}\naudit: {{checkpoint_file: {kept}}}\n")
    loaded = load(path, {})
    keeper = Keeper(lambda: loaded, types.SimpleNamespace())
    await keeper.turn(1_800_000_000.0)
    assert "No such file" in caplog.text
    kept.parent.mkdir()
    for _ in range(2):
        await keeper.turn(1_800_000_001.0)
    await keeper._databases.close()
    [written] = [json.loads(line) for line in kept.read_text().splitlines()]
    assert (written["chain"], written["time"]) == ("records", 1_800_000_000_000_000)


async def test_where_nothing_was_written_there_is_nothing_to_sign_with(tmp_path):
    """A store would be made for the key, and 10 MB of memory taken for what signs."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "records.db").touch()
    path = tmp_path / "headgate.yaml"
    path.write_text("data_dir: data\nproviders: {simulator: }\n")
    loaded = load(path, {})
    keeper = Keeper(lambda: loaded, types.SimpleNamespace())
    await keeper.turn(1_800_000_000.0)
    await keeper._databases.close()
    assert (tmp_path / "data" / "records.db").stat().st_size > 0
    assert not (tmp_path / "data" / "headgate.db").exists()


async def test_it_purges_what_is_old(tmp_path, records, caplog):
    path = tmp_path / "headgate.yaml"
    path.write_text("data_dir: data\nproviders: {simulator: }\nretention: {records_days: 1}\n")
    loaded = load(path, {})
    keeper = Keeper(lambda: loaded, types.SimpleNamespace())
    with caplog.at_level(logging.INFO):
        await keeper.purge(4e9)
    await keeper._databases.close()
    assert "purged 5 records (general)" in caplog.text
    database = connect(f"sqlite:///{tmp_path}/data/records.db")
    assert await database.rows("SELECT COUNT(*) FROM requests") == [(0,)]
    await database.close()
