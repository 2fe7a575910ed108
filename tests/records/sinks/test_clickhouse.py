"""ClickHouse: against its own engine. A row for each record, one though it is sent twice, and columns that are new."""

import json
import urllib.request
from urllib.parse import urlencode

import pytest

from catchers import HTTPCatcher
from clickhouses import PASSWORD, clickhouse
from headgate.records.row import kinds, read
from headgate.records.sinks.sink import Away, Unfit


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with clickhouse(tmp_path_factory.mktemp("clickhouse")) as url:
        yield url


@pytest.fixture
def made(sink, server):
    return lambda table, **told: sink(kind="clickhouse", url=server, password=PASSWORD, table=table, **told)


@pytest.fixture
def asked(server):
    def rows(text):
        request = urllib.request.Request(
            f"{server}/?{urlencode({'query': text})}", b"", {"x-clickhouse-key": PASSWORD}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    return rows


def test_each_record_is_a_row(made, batch, asked):
    some = batch(150)
    made("whole").send(some)
    rows = {row["id"]: row for row in asked("SELECT *, moment FROM whole FORMAT JSONEachRow")}
    assert rows.keys() == {item.id for item in some.items}
    for item in some.items:
        row, entry = rows[item.id], read(item.line)
        assert row["line"] == entry.line
        assert row["tags"] == list(entry.tags)
        for name, (kind, _) in kinds().items():
            found, wanted = row[name], getattr(entry.row, name)
            assert (kind(found) if found is not None else None) == wanted, name  # whole numbers come as texts


def test_what_comes_twice_is_one_row(made, batch, asked):
    for _ in range(2):
        made("twice").send(batch(40))
    assert asked("SELECT count() FROM twice FINAL FORMAT JSONCompactEachRow") == [[40]]
    asked("OPTIMIZE TABLE twice FINAL")
    assert asked("SELECT count() FROM twice FORMAT JSONCompactEachRow") == [[40]]


def test_a_table_of_an_older_version_gets_the_columns_that_are_new(made, batch, asked):
    asked("CREATE TABLE older (id String, time Float64) ENGINE = ReplacingMergeTree ORDER BY (time, id)")
    made("older").send(batch(3))
    assert len(asked("SELECT model, cost, line FROM older FORMAT JSONEachRow")) == 3


def test_a_table_that_somebody_dropped_is_made_anew(made, batch, asked):
    sending = made("dropped")
    sending.send(batch(2))
    asked("DROP TABLE dropped")
    with pytest.raises(Away, match="Code: 60"):
        sending.send(batch(2))
    sending.send(batch(2))
    assert asked("SELECT count() FROM dropped FORMAT JSONCompactEachRow") == [[2]]


def test_without_the_right_to_make_it_somebody_else_has_to(made, batch):
    with pytest.raises(Away, match="Code: 60"):
        made("missing", create=False).send(batch())


def test_a_wrong_password_is_told_and_not_shown(sink, server, batch):
    with pytest.raises(Away, match="Authentication failed") as caught:
        sink(kind="clickhouse", url=server, password="wrong-password-of-mine").send(batch())
    assert "wrong-password" not in str(caught.value)


def test_a_batch_says_which_it_is_and_one_that_is_refused_is_unfit(sink, batch):
    with HTTPCatcher(lambda caught: 400 if "INSERT" in caught.path else 200) as catcher:
        with pytest.raises(Unfit):
            sink(kind="clickhouse", url=catcher.url).send(batch())
        assert "insert_deduplication_token=batch-1" in catcher.caught[-1].path
