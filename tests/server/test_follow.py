"""What was changed in the store is put in force, and tried again where it could not be."""

from headgate.server.follow import REFUSED, Follow
from headgate.store.database import connect
from headgate.store.migrations import migrate
from headgate.store.objects import Actor, Change, Objects


async def test_what_could_not_be_put_in_force_is_told_once_and_tried_again(tmp_path, caplog):
    url = f"sqlite:///{tmp_path / 'headgate.db'}"
    database = connect(url)
    await migrate(database)
    await Objects(database).apply([Change("create", "teams", "one", {})], Actor("test"))
    await database.close()
    known, away, tried = 0, True, 0

    async def reload():
        nonlocal known, tried
        tried += 1
        if away:
            raise ValueError("Vault is away")
        known = 1

    follow = Follow(tmp_path, url, lambda: known, reload)
    counts = []
    for now in (0.0, 1.0, REFUSED, REFUSED + 1):
        await follow.look(now)
        counts.append(tried)
    assert counts == [1, 1, 2, 2]
    assert caplog.text.count("is not in force: Vault is away") == 1
    away = False
    for now in (2 * REFUSED, 3 * REFUSED):
        await follow.look(now)
    assert (known, tried) == (1, 3)


async def test_a_store_that_is_just_being_made_is_not_away(tmp_path, caplog):
    (tmp_path / "headgate.db").touch()

    async def reload():
        raise AssertionError

    follow = Follow(tmp_path, None, lambda: 0, reload)
    await follow.look(0.0)
    assert (follow.why, caplog.text) == (None, "")
    database = connect(f"sqlite:///{tmp_path / 'headgate.db'}")
    await migrate(database)
    await database.close()
    await follow.look(1.0)
    (tmp_path / "headgate.db").write_bytes(b"no database" * 100)
    for name in ("headgate.db-wal", "headgate.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    follow = Follow(tmp_path, None, lambda: 0, reload)
    for now in (2.0, 3.0, 4.0):
        await follow.look(now)
    assert follow.why is not None
    assert caplog.text.count("the store is away") == 1
