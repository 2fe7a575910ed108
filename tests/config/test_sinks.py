"""What is told of `records.sinks`, each by its kind, and that what is secret of one stays so."""

import pytest

from headgate.config.export import export
from headgate.config.load import load, places
from headgate.config.problems import ConfigError
from headgate.config.sinks import sending

TOKEN = "a-token-of-good-length"


@pytest.mark.parametrize(
    ("sink", "said"),
    [
        ({"kind": "fiel"}, "records.sinks[0]: there is no sink `fiel`; did you mean `file`?"),
        ({"kind": "file"}, "records.sinks[0].path: `path` is missing"),
        ({"kind": "http", "url": "ftp://x"}, "records.sinks[0].url: not an address to send to: write it like https"),
        (
            {"kind": "http", "url": "https://a:b@x"},
            "records.sinks[0].url: no user name or password in the address: use `headers`",
        ),
        (
            {"kind": "syslog", "address": "x:514"},
            "records.sinks[0].address: not a place to send to: write it like tls://logs.example.com:6514",
        ),
        (
            {"kind": "file", "path": "x", "fields": ["keyy"]},
            "records.sinks[0].fields[0]: records have no field `keyy`; did you mean `key`?",
        ),
        (
            {"kind": "file", "path": "x", "where": {"status": "5x"}},
            "records.sinks[0].where: `5x` is no status: write 429, or 5xx for a class",
        ),
        (
            {"kind": "http", "url": "https://x", "ca_file": "none.pem"},
            "none.pem cannot be read: No such file",
        ),
        (
            {"kind": "http", "url": "https://x", "secret": "env:UNSET_OF_MINE"},
            "records.sinks[0].secret: the environment variable UNSET_OF_MINE is not set",
        ),
    ],
)
def test_what_is_wrong_with_a_sink_is_said_with_its_place(told, sink, said):
    [(path, message)] = told(f"records: {{sinks: [{sink}]}}")
    assert said in f"{path}: {message}"


def test_names_are_not_taken_twice(told):
    [(path, message)] = told("records: {sinks: [{kind: file, path: a}, {kind: file, path: b}]}")
    assert path == "records.sinks[1].name"
    assert message == "another sink has the same name; give each a `name` of its own"


def test_secrets_are_followed_and_given_to_nobody_but_the_process_that_sends(tmp_path):
    (tmp_path / "secret.txt").write_text(f"{TOKEN}-of-a-file\n")
    (tmp_path / "headgate.yaml").write_text("""
records:
  sinks:
  - kind: http
    url: https://logs.example.com/in
    headers: {authorization: "env:SINK_TOKEN", x-tenant: acme one}
    secret: file:secret.txt
  - {kind: file, path: out/r.jsonl}
""")
    environ = {"SINK_TOKEN": f"Bearer {TOKEN}"}
    loaded = load(tmp_path / "headgate.yaml", environ)
    assert loaded.secrets == {f"Bearer {TOKEN}", f"{TOKEN}-of-a-file"}
    assert TOKEN not in repr(loaded.config)
    assert TOKEN not in export(loaded, environ).yaml()
    http, file = sending(tmp_path, loaded.config.records.sinks).sinks
    assert http.told["headers"] == {"authorization": f"Bearer {TOKEN}", "x-tenant": "acme one"}
    assert http.told["secret"] == f"{TOKEN}-of-a-file"
    assert (file.name, file.kind, file.told) == ("file", "file", {"path": str(tmp_path / "out" / "r.jsonl")})


SEARCHED = "records: {{search: {}, sinks: [{{kind: clickhouse, url: 'http://x:8123'{}}}, {{kind: file, path: a}}]}}"


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("clickhouse", "", []),
        ("mine", ", name: mine", []),
        ("file", "", ["it names no sink of the kind `clickhouse`"]),
        ("clickhouse", ", name: mine", ["it names no sink of the kind `clickhouse`"]),
        ("clickhouse", ", where: {team: red}", ["the sink does not get all of the records"]),
        ("clickhouse", ", without: [client]", ["the sink does not get all of the records"]),
    ],
)
def test_where_is_searched_must_have_all(told, name, more, said):
    found = told(SEARCHED.format(name, more))
    assert [message.partition(";")[0] for _, message in found] == said
    assert {path for path, _ in found} <= {"records.search"}


def test_commands_need_of_the_sinks_only_the_one_that_is_searched(tmp_path):
    (tmp_path / "headgate.yaml").write_text("""
records:
  search: clickhouse
  sinks:
  - {kind: http, url: "https://logs.example.com", secret: "env:NOT_SET_HERE"}
  - {kind: clickhouse, url: "http://x:8123", password: "env:READER"}
""")
    found = places(tmp_path / "headgate.yaml", {"READER": TOKEN})
    assert found.search.password.get_secret_value() == TOKEN
    (tmp_path / "headgate.yaml").write_text("records: {sinks: [{kind: nonsense}]}")
    assert places(tmp_path / "headgate.yaml", {}).search is None


def test_a_library_that_is_not_there_is_named_with_what_brings_it(tmp_path):
    (tmp_path / "needy.py").write_text("""
from headgate.records.sinks.sink import Sink

class Needy(Sink):
    needs = {"no_such_module_of_mine": "kafka"}

    def send(self, batch):
        return None
""")
    (tmp_path / "headgate.yaml").write_text("records: {sinks: [{kind: 'needy:Needy'}]}")
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "headgate.yaml", {}, here=True)
    [problem] = raised.value.problems
    assert problem.path == "records.sinks[0].kind"
    assert problem.message == "this sink needs no_such_module_of_mine, which is not installed"
    assert problem.hint == "pip install 'headgate[kafka]'"
