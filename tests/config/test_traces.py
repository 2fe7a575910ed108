"""What may stand under `traces`, and what is told of the rest."""

import math

import pytest

from headgate.config.load import load
from headgate.config.problems import ConfigError

BEGINNING = "providers: {simulator: {}}\nmodels: {sim: simulator/sim}\n"


def loaded(tmp_path, traces, environ=None):
    path = tmp_path / "headgate.yaml"
    path.write_text(f"{BEGINNING}traces: {traces}\n")
    return load(path, environ or {})


def test_left_out_there_are_none(tmp_path):
    assert loaded(tmp_path, "{ratio: 1}").config.traces.sampling is None


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://otel.example/tenant/", "https://otel.example/tenant/v1/traces"),
        ("https://otel.example/v1/traces", "https://otel.example/v1/traces"),
    ],
)
def test_where_they_go(tmp_path, endpoint, address):
    traces = loaded(tmp_path, f"{{endpoint: '{endpoint}', slower_than: 3}}").config.traces
    assert traces.address == address
    assert (traces.sampling.slower_than, traces.sampling.failed) == (3, True)
    assert loaded(tmp_path, f"{{endpoint: '{endpoint}'}}").config.traces.sampling.slower_than == math.inf


def test_headers_are_secrets(tmp_path):
    secret = "secret-of-the-collector"
    found = loaded(tmp_path, "{endpoint: http://x, headers: {x-team: env:TOKEN}}", {"TOKEN": secret})
    assert found.config.traces.headers["x-team"].get_secret_value() == secret
    assert secret in found.secrets
    assert secret not in repr(found.config)


@pytest.mark.parametrize(
    ("traces", "told"),
    [
        ("{endpoint: 127.0.0.1:4318}", "traces.endpoint: not the address of a receiver"),
        ("{endpoint: 'http://h:99999'}", "traces.endpoint: not the address of a receiver"),
        ("{endpoint: 'http://user:hidden-word@h'}", "traces.endpoint: there is a secret in it"),
        ("{endpoint: http://h, ratio: 2}", "traces.ratio"),
        ("{endpoint: http://h, headers: {a: env:GONE}}", "the environment variable GONE is not set"),
        ("{endpoint: http://h, ca_file: gone.pem}", "traces.ca_file"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, traces, told):
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, traces)
    assert told in str(raised.value)
    assert "hidden-word" not in str(raised.value)
