"""Objects of the store as part of the configuration: which counts, what is refused, what an outage changes."""

import asyncio

import pytest

from headgate.config import stored
from headgate.config.load import load
from headgate.config.problems import ConfigError
from headgate.store.database import connect
from headgate.store.migrations import migrate
from headgate.store.objects import Actor, Change, Objects
from headgate.store.sealing import Keyring, OwnKey, Seal, Unsealable

FILE = """
data_dir: data
providers: {simulator: }
models: {small: simulator/s}
keys: [{name: filed, key: client-key-of-good-length}]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "headgate.yaml").write_text(FILE)
    (tmp_path / "data").mkdir()
    return tmp_path


def put(folder, *objects):
    async def main():
        database = connect(stored.url(folder / "data", None))
        await migrate(database)
        await Objects(database).apply([Change("create", *each) for each in objects], Actor("test"))
        await database.close()

    asyncio.run(main())


def read(folder, environ=None):
    return load(folder / "headgate.yaml", environ or {})


def told(folder):
    with pytest.raises(ConfigError) as caught:
        read(folder)
    return [(problem.file, problem.path, problem.message) for problem in caught.value.problems]


def test_nothing_is_made_where_nothing_is_stored(folder):
    assert read(folder).held == stored.NOTHING
    assert list((folder / "data").iterdir()) == []


def test_the_store_adds_what_the_file_does_not_name(folder):
    put(
        folder,
        ("models", "large", {"targets": ["simulator/l"]}),
        ("models", "small", {"targets": ["simulator/other"]}),
        ("keys", "stored", {"key_hash": "sha256:" + "a" * 64, "models": ["large"]}),
        ("keys", "filed", {"key_hash": "sha256:" + "b" * 64}),
        ("limits", "few", {"requests": 5, "every": "day"}),
    )
    loaded = read(folder)
    config = loaded.config
    assert {name: model.targets[0].model for name, model in config.models.items()} == {
        "small": "simulator/s", "large": "simulator/l",
    }  # fmt: skip
    assert [key.name for key in config.keys] == ["filed", "stored"]
    assert [limit.name for limit in config.limits] == ["few"]
    assert loaded.merged.shadowed == {("models", "small"), ("keys", "filed")}
    assert "keys/filed of the store is not in force, as the file has it, too" in loaded.warnings
    assert loaded.held.revision == 1


def test_what_is_wrong_in_the_store_is_told_as_such(folder):
    put(folder, ("models", "bad", {"targets": ["nowhere/x"]}))
    assert told(folder) == [("store", "models.bad.targets[0]", "there is no provider `nowhere` in `providers`")]


@pytest.mark.parametrize(
    ("kind", "name", "body"),
    [
        ("providers", "mine", {"kind": "os.path:join"}),
        ("providers", "mine", {"kind": "openai_compatible", "base_url": "http://h/v1", "speaks": ["evil.module"]}),
        ("models", "m", {"targets": ["simulator/x"], "policy": "evil.module:Class"}),
        ("models", "m", {"targets": ["simulator/x"], "policy": {"use": "evil:Class"}}),
    ],
)
def test_nothing_in_the_store_names_code(folder, kind, name, body):
    put(folder, (kind, name, body))
    assert any("not a path to code" in message for _, _, message in told(folder))


def test_variables_are_not_put_into_what_is_stored(folder):
    put(folder, ("teams", "t", {"description": "${HOME} $$ ${SECRET}"}))
    assert read(folder, {"HOME": "x", "SECRET": "y"}).config.teams["t"].description == "${HOME} $$ ${SECRET}"


def test_secrets_are_opened_where_they_belong_and_nowhere_else(folder):
    seal = Keyring(folder / "data", {}, None).seal()
    sealed = seal.seal("sk-very-secret-0123", "providers/openai/api_key")
    put(folder, ("providers", "openai", {"api_key": sealed}))
    loaded = read(folder)
    assert loaded.config.providers["openai"].settings.api_key.get_secret_value() == "sk-very-secret-0123"
    assert "sk-very-secret-0123" in loaded.secrets
    put(folder, ("providers", "other", {"kind": "openai", "api_key": sealed}))
    assert [(path, "does not belong here" in message) for _, path, message in told(folder)] == [
        ("providers.other", True)
    ]


def test_in_an_outage_what_was_there_before_counts(folder):
    put(folder, ("teams", "t", {}))
    assert "t" in read(folder).config.teams
    (folder / "data" / "headgate.db").write_bytes(b"this is no database, and long enough to be seen as none" * 10)
    loaded = read(folder)
    assert "t" in loaded.config.teams
    assert any("the store is away" in warning for warning in loaded.warnings)
    (folder / "data" / stored.COPY).unlink()
    assert any("the store cannot be read" in message for _, _, message in told(folder))


def test_every_secret_of_a_body_is_sealed_anew_where_it_stands():
    old, new = OwnKey(b"o" * 32), OwnKey(b"n" * 32)
    before = {
        "kind": "openai",
        "api_keys": [
            {"name": each, "api_key": Seal([old]).seal(each, "providers/p/api_keys/api_key")} for each in "ab"
        ],
        "headers": {"x-token": Seal([new]).seal("c", "providers/p/headers/x-token"), "plain": "d"},
    }
    after, count = stored.resealed(before, "providers", "p", Seal([new, old]))
    assert count == 2
    assert after["headers"] == before["headers"]
    place = "providers/p/api_keys/api_key"
    assert [Seal([new]).open(each["api_key"], place) for each in after["api_keys"]] == ["a", "b"]
    assert stored.resealed(after, "providers", "p", Seal([new])) == (after, 0)
    with pytest.raises(Unsealable, match=r"providers/p/api_keys/api_key: .* is not there"):
        stored.resealed(before, "providers", "p", Seal([new]))
