import json

import pytest

from headgate.config import show
from headgate.config.load import load
from headgate.core import plugin

CONFIG = """
providers:
  openai: {api_key: sk-secret-0123456789}
  mine: {kind: openai_compatible, base_url: 'http://host.example/v1?key=sk-secret-0123456789', speaks: [openai_chat]}
  bare: {kind: azure, base_url: 'https://acme.openai.azure.com'}
"""


@pytest.fixture
def configured(tmp_path):
    path = tmp_path / "headgate.yaml"
    path.write_text(CONFIG)
    return {one.name: one for one in show.configured(load(path, {}).config)}


def everybody():
    return {one.name: one for one in show.everybody()}


def test_everybody_is_there():
    assert list(everybody()) == plugin.names("providers")


def test_who_what_where_and_by_which_key():
    cohere = everybody()["cohere"]
    assert (cohere.who, cohere.address) == ("Cohere", "https://api.cohere.com")
    assert cohere.page.startswith("https://docs.cohere.com/")
    assert cohere.speaks["embeddings"] == ["cohere_embed", "cohere_embed_v1"]
    assert (cohere.key, cohere.variables) == ("CO_API_KEY", ["CO_API_KEY", "COHERE_API_KEY"])
    assert everybody()["azure"].settings["base_url"] == "AZURE_OPENAI_ENDPOINT"


def test_the_configuration_says_otherwise(configured):
    mine = configured["mine"]
    assert (mine.kind, mine.speaks, mine.key) == ("openai_compatible", {"chat": ["openai_chat"]}, "none")
    assert (configured["openai"].key, configured["bare"].key) == ("given", "tokens")
    assert configured["bare"].address == "https://acme.openai.azure.com"


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_is_shown(configured, capsys, as_json):
    assert show.show(list(configured.values()), as_json=as_json) == 0
    out = capsys.readouterr().out
    assert "secret" not in out
    assert "http://host.example/v1" in out


def test_the_table_is_for_people(configured, capsys):
    show.show(list(configured.values()), as_json=False)
    out, err = capsys.readouterr()
    head, first, second, _ = out.splitlines()
    assert head.split() == ["PROVIDER", "WHO", "SERVES", "KEY", "ADDRESS", "SPEAKS"]
    assert first.split()[:2] == ["openai", "OpenAI"]
    assert second.startswith("mine (openai_compatible)  Any host that speaks OpenAI's APIs")
    assert err == "3 providers\n"


def test_json_is_for_programs(configured, capsys):
    show.show([configured["mine"]], as_json=True)
    [mine] = json.loads(capsys.readouterr().out)
    assert mine["speaks"] == {"chat": ["openai_chat"]}
    assert (mine["name"], mine["kind"], mine["settings"]) == ("mine", "openai_compatible", {})


@pytest.mark.parametrize(
    ("operation", "search", "fits"),
    [
        ("rerank", None, True),
        ("speech", None, False),
        (None, "COHERE co_api", True),
        (None, "cohere nothing", False),
        ("rerank", "docs.cohere.com", True),
    ],
)
def test_what_is_wanted_is_listed(operation, search, fits):
    assert everybody()["cohere"].fits(operation, search) is fits


def test_the_simulator_serves_everything():
    simulator = everybody()["simulator"]
    assert simulator.fits("rerank", None)
    assert "everything" in simulator.row()
