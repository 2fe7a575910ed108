"""The audit is a chain of hashes that nothing but a purge takes anything from."""

import pytest

from headgate.core.chain import Link
from headgate.store import chain
from headgate.store.database import StoreAway, Taken
from headgate.store.objects import Actor, Change, Objects

ANN = Actor("ann", "10.0.0.1", "req_1")


async def links(database):
    return [Link._make(row) for row in await database.rows(f"SELECT {chain.COLUMNS} FROM audit_chain ORDER BY number")]


async def test_each_entry_is_a_link_of_the_chain(database):
    objects = Objects(database)
    await objects.apply([Change("create", "teams", "a", {}), Change("create", "teams", "b", {})], ANN)
    await objects.note("login", "sessions", "ann", ANN, {"way": "password"})
    found = await links(database)
    assert [(each.number, each.first, each.last) for each in found] == [(1, 1, 0), (2, 1, 1), (3, 1, 2)]
    assert all(each.fits(before) for each, before in zip(found, ["", *(each.hash for each in found)], strict=False))


async def test_entries_from_before_there_was_a_chain_are_in_it(database):
    objects = Objects(database)
    await objects.apply([Change("create", "teams", "a", {})], ANN)
    await database.run("INSERT INTO audit_purging (number) VALUES (1)")
    await database.run("DELETE FROM audit_chain")
    await database.run("DELETE FROM audit_purging")
    await objects.apply([Change("create", "teams", "b", {})], ANN)
    assert [(each.first, each.last) for each in await links(database)] == [(1, 0), (2, 0)]


@pytest.mark.parametrize("table", ["audit", "audit_chain", "audit_checkpoints"])
async def test_no_entry_is_changed_or_removed_by_mistake(database, table):
    await Objects(database).apply([Change("create", "teams", "a", {})], ANN)
    await database.run("INSERT INTO audit_checkpoints VALUES (1, 1, 1, 'h', 'k', 's')")
    for statement in (f"UPDATE {table} SET time = 1", f"DELETE FROM {table}"):
        with pytest.raises((StoreAway, Taken)):
            await database.run(statement)
    assert await database.rows(f"SELECT COUNT(*) FROM {table}") == [(1,)]


async def test_a_purge_is_told_in_chain_and_audit(database):
    moment = 1000.0
    objects = Objects(database, clock=lambda: moment)
    await objects.apply([Change("create", "teams", "a", {})], ANN)
    await objects.note("login_failed", "sessions", "", ANN, {})
    moment = 2000.0
    assert await objects.forget(1500.0, Actor("the gateway")) == 2
    assert await objects.forget(1500.0, Actor("the gateway")) == 0
    [entry] = await objects.audit()
    assert (entry.action, entry.after) == ("purge", {"before": 1500.0, "entries": 2})
    purge = (await links(database))[2]
    assert (purge.kind, purge.body) == ("purge", '{"before":1500.0,"ranges":[[1,2]]}')
    await objects.note("login", "sessions", "ann", ANN, {})
    assert [(each.revision, each.number) for each in await objects.audit()] == [(1, 3), (1, 2)]
