"""Of an answer that is encrypted nothing is to be read, and none is taken for another, whatever is done to it."""

import asyncio
import base64
import logging
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.cached import Which
from headgate.server.answer_keys import AnswerKeys
from headgate.state.connection import connect
from headgate.state.file_answers import FileAnswers
from headgate.state.sealed_answers import Plain, Sealed
from headgate.state.shared_answers import SharedAnswers
from headgate.store.sealing import VARIABLE, Keyring
from state.test_answers import entry
from state.test_file_answers import ROOM, written
from state.test_file_answers import entry as lasting
from valkeys import valkey

SECRETS = {"name": "alias-in-clear", "key": "key-in-clear", "team": "team-in-clear", "tags": ("tag-in-clear",)}
BODY = b"an answer in clear, long enough to be found"
OLD, NEW, OTHER = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(3))


@pytest.fixture(scope="module")
def server():
    with valkey() as started:
        yield started


def keys(folder, *said):
    return AnswerKeys(Keyring(folder, {VARIABLE: " ".join(said)}, None).seal)


@given(
    st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=40), st.integers(0, 10_000), st.integers(1, 255)
)
def test_it_is_read_under_its_own_name_and_unchanged_or_not_at_all(key, other, place, change):
    form, kept = Sealed(b"k" * 32), entry(50)
    name = form.name(key)
    data = form.write(name, kept)
    assert form.read(name, data) == kept
    assert form.write(name, kept) != data
    assert (form.name(other) == name) == (other == key)
    if other != key:
        assert form.read(form.name(other), data) is None
    place %= len(data)
    changed = data[:place] + bytes([data[place] ^ change]) + data[place + 1 :]
    assert form.read(name, changed) is None
    assert form.read(name, data[:place]) is None
    assert Sealed(b"j" * 32).read(name, data) is None
    assert Sealed(b"j" * 32).name(key) != name
    assert form.read(name, Plain().write(name, kept)) is None


def test_what_is_no_answer_is_none():
    assert Plain().read(b"a", b"\x93poison") is None
    assert Plain().read(b"a", Plain().write(b"a", entry())) == entry()


async def there(answers, key):
    """What it gets, once it is connected to."""
    async with asyncio.timeout(10):
        while getattr(answers, "_connection", True) is None:
            await answers.get(key)
            await asyncio.sleep(0.01)
    if isinstance(answers, FileAnswers):
        await written(answers)
    return await answers.get(key)


async def holding(make, folder):
    """Where answers are, whose key is changed, and lost."""
    kept, key = lasting(body=BODY, **SECRETS), b"key of the prompt in clear"
    one, other = make(keys(folder, OLD)), make(keys(folder, OLD))
    await there(one, key)
    one.put(key, kept)
    assert await there(one, key) == await there(other, key) == kept
    both, new = make(keys(folder, NEW, OLD)), make(keys(folder, NEW))
    assert await there(both, key) == kept  # which has sealed the key of the answers anew
    assert await there(new, key) == kept
    stranger = make(keys(folder, OTHER))
    assert await there(stranger, key) is None
    stranger.put(key, lasting(body=b"another"))
    assert (await there(stranger, key)).body == b"another"
    assert await there(one, key) == kept
    assert await stranger.clear(Which(tag="tag-in-clear")) == 0
    assert await one.clear(Which(tag="tag-in-clear")) == 1
    assert await one.clear(Which(id=key.hex())) == 0
    one.put(key, kept)
    await there(one, key)
    assert await one.clear(Which(id=key.hex(), key="key-in-clear")) == 1
    one.put(key, kept)
    await there(one, key)
    for each in (one, other, both, new, stranger):
        each.close()


def unreadable(data):
    words = [BODY, b"key of the prompt in clear", *(word.encode() for word in ("alias", "key", "team", "tag"))]
    return [word for word in words if (word if b" " in word else word + b"-in-clear") in data] == []


def test_in_a_file_nothing_is_in_clear_and_keys_are_changed(tmp_path, caplog):
    path = tmp_path / "answers.db"
    with caplog.at_level(logging.WARNING):
        asyncio.run(holding(lambda choose: FileAnswers(path, ROOM, patience=2.0, choose=choose), tmp_path))
    assert unreadable(path.read_bytes())
    assert caplog.text.count("as if they were not kept") == 2  # of the two that the stranger could not open
    plain = FileAnswers(tmp_path / "plain.db", ROOM, patience=2.0)

    async def put():
        plain.put(b"a", lasting(body=BODY, **SECRETS))
        await written(plain)
        plain.close()

    asyncio.run(put())
    assert not unreadable((tmp_path / "plain.db").read_bytes())


def test_in_a_state_nothing_is_in_clear_and_keys_are_changed(server, tmp_path):
    async def walk():
        await holding(lambda choose: SharedAnswers(server.url, "s", patience=2.0, choose=choose), tmp_path)
        beside = await connect(SharedAnswers(server.url, "s")._address, None)
        names = await beside.ask("KEYS", "*")
        values = [await beside.ask("GET", name) for name in names if name.startswith(b"s:answer:")]
        said = await beside.ask("HGETALL", "s:answer-keys")
        beside.close()
        assert len(values) == 2
        assert unreadable(b"".join([*names, *values, *said]))
        assert OLD.encode() not in b"".join(said)

    asyncio.run(walk())


def test_where_the_gateways_key_is_not_to_be_had_nothing_is_kept_and_it_is_told(tmp_path, caplog):
    async def walk():
        one = FileAnswers(tmp_path / "answers.db", ROOM, patience=2.0, choose=keys(tmp_path, "short"))
        one.put(b"a", lasting())
        await written(one)
        assert await one.get(b"a") is None
        assert "answers cannot be encrypted" in one.why
        one.close()

    asyncio.run(walk())
    assert caplog.text.count("answers are not kept for now") == 1
