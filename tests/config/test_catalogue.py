"""The section `catalogue`: what the operator knows better, and where a newer one is."""

import pytest

from headgate.config.load import load
from headgate.config.problems import ConfigError
from headgate.runtime.build import catalogue

PROVIDERS = "providers: {openai: {api_key: sk-0123456789}, work: {kind: simulator, catalogue: openai}}\n"


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read(text):
        (tmp_path / "headgate.yaml").write_text(PROVIDERS + text)
        return load(tmp_path / "headgate.yaml", {})

    return read


@pytest.fixture
def told(read):
    def told(text):
        with pytest.raises(ConfigError) as refused:
            read(text)
        return [(problem.path, problem.message) for problem in refused.value.problems]

    return told


def test_prices_are_kept_as_they_were_written(read):
    config = read(
        "catalogue: {models: {openai/x: {base_model: gpt-4o, retires: 2030-01-01, takes: [text, image], "
        "cannot: [tools], prices: {input: 2.50, 'output>200000': '10.0', cache_read: 1e-7, images@low/1x1: 0}}}}"
    ).config
    entry = catalogue(config).find("openai", "x")
    assert entry.prices == [{"input": "2.5", "output>200000": "10.0", "cache_read": "0.0000001", "images@low/1x1": "0"}]
    assert (entry.takes, entry.known_to("tools"), entry.retires) == ("text image", False, "2030-01-01")
    assert entry.max_output == 16384


def test_a_provider_may_serve_anothers_models(read):
    config = read("catalogue: {models: {work/x: {base_model: anthropic/claude-sonnet-4-5}}}").config
    known = catalogue(config)
    assert known.find("work", "gpt-4o").context == 128000
    assert known.find("work", "x").max_output == 64000


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("{models: {x: {}}}", "catalogue.models.x", "is not a model of a provider"),
        ("{models: {nobody/x: {}}}", "catalogue.models.nobody/x", "there is no provider `nobody`"),
        ("{models: {openai/x: {base_model: gpt-99}}}", "catalogue.models.openai/x.base_model", "has no model `gpt-99`"),
        ("{models: {openai/x: {prices: {input: -1}}}}", "catalogue.models.openai/x.prices.input", "not a price"),
        ("{models: {openai/x: {prices: {input: yes}}}}", "catalogue.models.openai/x.prices.input", "not a price"),
        ("{models: {openai/x: {prices: {input: .nan}}}}", "catalogue.models.openai/x.prices.input", "not a price"),
        ("{models: {openai/x: {prices: {'in put': 1}}}}", "catalogue.models.openai/x.prices.in put", "not a class"),
        ("{models: {openai/x: {takes: [smell]}}}", "catalogue.models.openai/x.takes[0]", "expected"),
        ("{models: {openai/x: {context: 0}}}", "catalogue.models.openai/x.context", "at least 1"),
        ("{refresh: {}}", "catalogue.refresh", "needs `url` or `file`, one of them"),
        ("{refresh: {url: 'https://a.example', file: headgate.yaml}}", "catalogue.refresh", "one of them"),
        ("{refresh: {url: 'http://a.example/x'}}", "catalogue.refresh.url", "anybody on the way"),
        ("{refresh: {url: 'ftp://a.example/x'}}", "catalogue.refresh.url", "must begin with http"),
        ("{refresh: {url: 'https://a.example', every: 5}}", "catalogue.refresh.every", "at least 60"),
        ("{refresh: {url: 'https://a.example', sha256: abc}}", "catalogue.refresh.sha256", ""),
        ("{refresh: {file: nowhere.json}}", "catalogue.refresh.file", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(told, text, path, message):
    ((place, words),) = told(f"catalogue: {text}")
    assert place == path
    assert message in words


def test_a_url_over_http_is_taken_where_the_data_is_pinned_or_on_this_machine(read):
    assert read(f"catalogue: {{refresh: {{url: 'http://a.example/x', sha256: {'a' * 64}}}}}")
    assert read("catalogue: {refresh: {url: 'http://127.0.0.1:9/x'}}")


def test_a_base_model_may_be_in_the_newer_catalogue_only(read, tmp_path):
    (tmp_path / "newer.json").write_text('{"openai":{"gpt-99":{"context":99}}}')
    loaded = read("catalogue: {refresh: {file: newer.json}, models: {openai/x: {base_model: gpt-99}}}")
    assert (tmp_path / "newer.json") in loaded.files
