"""The reference and the schema for editors are made from the types, and the schema means what the loader means."""

import json

import jsonschema
import pytest

from headgate.config.document import parse
from headgate.config.load import load
from headgate.config.problems import ConfigError
from headgate.config.reference import json_schema, page
from headgate.core.plugin import names

RIGHT = [
    "{}",
    "server: {host: 0.0.0.0, port: 1, workers: '${W:-2}', metrics: key, admin: {port: 2}, tls: null}",
    "providers: {simulator: , local: {kind: openai_compatible, base_url: 'http://127.0.0.1:9100/v1', api_key: none}}",
    "providers: {openai: {api_key: sk-x1, organization: o, timeouts: {idle: 3}}}",
    "providers: {simulator: {}}\nmodels: {a: simulator/x, b: {targets: [simulator/y, {model: simulator/z}]}}",
    "providers: {simulator: }\nmodels: {a: [simulator/x, {model: simulator/y}]}",
    "providers: {simulator: }\nmodels: {a: {targets: simulator/x, fallbacks: simulator/y}}",
    "keys: [{name: a, key: client-key-of-good-length, models: []}]",
    "retry: {attempts: 1}\njournal: {max_bytes: null}\nlog: {format: null}\ndata_dir: x",
]
WRONG = [
    "sever: {}",
    "server: {prot: 1}",
    "server: {port: 70000}",
    "server: {metrics: maybe}",
    "providers: {openai: {api_kye: x}}",
    "providers: {mine: {kind: openia, api_key: x}}",
    "providers: {mine: {kind: openai, api_key: x, base: y}}",
    "providers: {mine: {kind: openai_compatible}}",
    "models: {a: {targets: []}}",
    "models: {a: 3}",
    "models: {a: []}",
    "models: {a: [noslash]}",
    "models: {a: {targets: noslash}}",
    "keys: [{key: client-key-of-good-length}]",
    "keys: {a: b}",
    "stages: [{with: {}}]",
    "journal: {fsync: perhaps}",
]


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def loads(tmp_path, text):
    path = tmp_path / "headgate.yaml"
    path.write_text(text)
    try:
        load(path, {})
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("text", RIGHT)
def test_what_loads_is_valid(tmp_path, validator, text):
    assert loads(tmp_path, text)
    assert [error.message for error in validator.iter_errors(parse(text.encode(), "f").plain())] == []


@pytest.mark.parametrize("text", WRONG)
def test_what_is_invalid_does_not_load(tmp_path, validator, text):
    assert not loads(tmp_path, text)
    assert not validator.is_valid(parse(text.encode(), "f").plain())


def test_the_schema_describes_for_editors():
    schema = json.loads(json_schema())
    assert schema["$defs"]["Server"]["description"]
    assert schema["$defs"]["Server"]["properties"]["port"]["default"] == 4000
    assert not schema["$defs"]["Server"]["additionalProperties"]


def test_the_page_names_every_provider_and_key():
    text = page()
    for name in names("providers"):
        assert f"\n### {name}\n" in text
    for key in ("server.port", "server.tls.cert", "models.<name>.targets", "keys[].key_hash", "stages[].with"):
        assert f"| `{key}` |" in text
    assert "OPENAI_API_KEY" in text


def test_both_are_the_same_every_time():
    assert page() == page()
    assert json_schema() == json_schema()
