"""Objects and their history, on both engines: versions, conflicts, all or nothing, the same as a plain dictionary."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.config import stored
from headgate.store.database import connect
from headgate.store.objects import Actor, Change, Conflict, Moved, Objects
from headgate.store.sealing import OwnKey, Seal

ANN = Actor("ann", "10.0.0.1", "req_1")


@pytest.fixture
def objects(database):
    return Objects(database, clock=lambda: 1000.0)


async def test_an_object_and_its_history(objects):
    assert await objects.apply([Change("create", "teams", "research", {"models": ["a"]})], ANN) == 1
    assert await objects.apply([Change("replace", "teams", "research", {"models": []}, 1)], Actor("bob")) == 2
    found = await objects.get("teams", "research")
    assert (found.body, found.version, found.changed_by) == ({"models": []}, 2, "bob")
    assert await objects.apply([Change("delete", "teams", "research", version=2)], ANN) == 3
    assert await objects.get("teams", "research") is None
    history = await objects.audit(kind="teams")
    assert [(each.action, each.actor, each.before, each.after) for each in history] == [
        ("delete", "ann", {"models": []}, None),
        ("replace", "bob", {"models": ["a"]}, {"models": []}),
        ("create", "ann", None, {"models": ["a"]}),
    ]
    assert (history[0].address, history[0].request, history[0].time) == ("10.0.0.1", "req_1", 1000.0)
    assert [each.revision for each in await objects.audit(actor="ann", limit=1)] == [3]
    assert [each.revision for each in await objects.audit(before=(3, 0))] == [2, 1]
    assert await objects.audit(since=1001.0) == []


async def test_what_changes_no_object_has_its_place_in_the_audit(objects):
    await objects.note("login_failed", "sessions", "", Actor("", "10.0.0.9"), {"way": "password"})
    await objects.apply([Change("create", "teams", "a", {}), Change("create", "teams", "b", {})], ANN)
    await asyncio.gather(*(objects.note("login", "sessions", "ann", ANN, {"n": n}) for n in range(5)))
    assert await objects.revision() == 1
    await objects.apply([Change("delete", "teams", "a")], ANN)
    history = await objects.audit()
    assert [each.action for each in history] == ["delete", *["login"] * 5, "create", "create", "login_failed"]
    assert {each.after["n"] for each in history if each.action == "login"} == set(range(5))
    assert [(each.revision, each.number) for each in await objects.audit(before=(1, 5), limit=2)] == [(1, 4), (1, 3)]
    assert await objects.forget(1000.5, ANN, action="login_failed") == 1
    assert await objects.audit(action="login_failed") == []


async def test_what_a_user_is_known_by_is_no_part_of_the_history(objects):
    body = {"role": "owner", "password_hash": "$argon2id$secret", "totp": "sealed:v1:x"}
    await objects.apply([Change("create", "users", "ann", body)], ANN)
    await objects.apply([Change("replace", "users", "ann", {**body, "totp": "other"}, called="second_factor")], ANN)
    assert (await objects.get("users", "ann")).body["totp"] == "other"
    assert [(each.action, each.before, each.after) for each in await objects.audit()] == [
        ("second_factor", {"role": "owner"}, {"role": "owner"}),
        ("create", None, {"role": "owner"}),
    ]


@pytest.mark.parametrize(
    "change",
    [
        Change("create", "teams", "there", {}),
        Change("replace", "teams", "there", {}, 7),
        Change("delete", "teams", "there", version=7),
        Change("replace", "teams", "missing", {}),
        Change("delete", "teams", "missing"),
    ],
)
async def test_what_is_not_as_it_was_taken_for_changes_nothing(objects, change):
    await objects.apply([Change("create", "teams", "there", {"a": 1})], ANN)
    with pytest.raises(Conflict):
        await objects.apply([Change("create", "teams", "other", {}), change], ANN)
    assert await objects.revision() == 1
    assert [(each.name, each.body) for each in (await objects.all())[1]] == [("there", {"a": 1})]
    assert len(await objects.audit()) == 1


async def test_a_plan_made_of_another_revision_is_refused(objects):
    await objects.apply([Change("create", "teams", "a", {})], ANN, at=0)
    with pytest.raises(Moved):
        await objects.apply([Change("create", "teams", "b", {})], ANN, at=0)


async def test_of_many_who_change_the_same_version_one_succeeds(objects):
    await objects.apply([Change("create", "keys", "k", {"n": 0})], ANN)
    changes = [objects.apply([Change("replace", "keys", "k", {"n": number}, 1)], ANN) for number in range(10)]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 9 + ["int"]
    assert (await objects.get("keys", "k")).version == 2


async def test_places_are_in_the_order_of_making_but_of_those_put_last(objects):
    await objects.apply([Change("create", "rules", name, {}) for name in "cab"], ANN)
    await objects.apply([Change("delete", "rules", "a"), Change("create", "rules", "d", {})], ANN)
    await objects.apply([Change("replace", "rules", "c", {}, last=True), Change("replace", "rules", "b", {})], ANN)
    found = (await objects.all())[1]
    assert [each.name for each in sorted(found, key=lambda each: each.place)] == ["b", "d", "c"]


NASTY = ["'; DROP TABLE objects; --", '" OR 1=1', "%", "\\", "ä\u2028\U0001f600", "?", "$1", "../../etc", " "]


@pytest.mark.parametrize("name", NASTY)
async def test_a_name_is_a_name_whatever_stands_in_it(objects, name):
    await objects.apply([Change("create", "teams", name, {"text": name})], Actor(name, name, name))
    assert (await objects.get("teams", name)).body == {"text": name}
    assert len(await objects.audit(kind="teams", name=name, actor=name)) == 1
    assert await objects.get(name, "teams") is None


async def test_it_is_what_a_dictionary_would_be(objects):
    chance, model = random.Random(7), {}
    for _ in range(120):
        kind, name = chance.choice(["teams", "keys"]), chance.choice("abcd")
        action, there = chance.choice(["create", "replace", "delete"]), (kind, name) in model
        change = Change(action, kind, name, {"n": chance.random()} if action != "delete" else None)
        try:
            await objects.apply([change], ANN)
        except Conflict:
            assert there == (action == "create")
            continue
        assert there != (action == "create")
        if action == "delete":
            del model[kind, name]
        else:
            model[kind, name] = change.body
    assert {(each.kind, each.name): each.body for each in (await objects.all())[1]} == model


WRITER = """
import asyncio, sys
from headgate.store.database import connect
from headgate.store.migrations import migrate
from headgate.store.objects import Actor, Change, Objects

async def main():
    database = connect(sys.argv[1])
    await migrate(database)
    objects = Objects(database)
    for number in range(100000):
        await objects.apply([Change("create", "teams", str(number), {"n": number})], Actor("a"))
        print(number, flush=True)

asyncio.run(main())
"""


async def test_a_writer_that_is_killed_loses_nothing_it_had_been_told_of(url):
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    writer = subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, env=environ)
    for _ in range(20):
        last = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    told = [last, *(int(line) for line in writer.communicate()[0].split(b"\n") if line)]
    database = connect(url)
    objects = Objects(database)
    kept = {each.name for each in (await objects.all())[1]}
    assert {str(number) for number in range(told[-1] + 1)} <= kept
    assert len(await objects.audit(limit=10**6)) == len(kept) == await objects.revision()
    await database.close()


async def test_secrets_are_sealed_anew_in_one_change_and_only_where_nobody_came_before(objects):
    old, new = OwnKey(b"o" * 32), OwnKey(b"n" * 32)
    made = [{"api_key": Seal([old]).seal(name, f"providers/{name}/api_key")} for name in ("a", "b")]
    await objects.apply([Change("create", "providers", name, made[i]) for i, name in enumerate("ab")], ANN)
    revision, held = await objects.all()
    seal = Seal([new, old])
    changes = [
        Change("replace", *each[:2], stored.resealed(each.body, *each[:2], seal)[0], each.version) for each in held
    ]
    await objects.apply([Change("create", "teams", "meanwhile", {})], ANN)
    with pytest.raises(Moved):
        await objects.apply(changes, ANN, at=revision)
    assert [each.body for each in (await objects.all())[1] if each.kind == "providers"] == made
    assert await objects.apply(changes, ANN, at=revision + 1) == revision + 2
    found = [each for each in (await objects.all())[1] if each.kind == "providers"]
    opened = [Seal([new]).open(each.body["api_key"], f"providers/{each.name}/api_key") for each in found]
    assert opened == ["a", "b"]
    assert [each.version for each in found] == [2, 2]
