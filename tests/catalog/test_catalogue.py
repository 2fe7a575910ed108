from datetime import UTC, datetime
from decimal import Decimal

from headgate.catalog.catalogue import assemble
from headgate.catalog.refreshed import parse


def test_a_provider_has_the_models_of_its_kind_under_its_own_name():
    catalogue = assemble({"mine": "openai", "local": "openai_compatible"}, {})
    assert catalogue.find("mine", "gpt-4o").provider == "mine"
    assert catalogue.find("local", "gpt-4o") is None
    assert catalogue.find("openai", "gpt-4o") is None


def test_the_operator_adds_a_model():
    own = {"openai/my-ft": {"base_model": "gpt-4o", "prices": [{"input": "9"}]}}
    entry = assemble({"openai": "openai"}, own).find("openai", "my-ft")
    assert (entry.id, entry.context, entry.prices) == ("my-ft", 128000, [{"input": "9"}])
    assert entry.by["configuration"] == "prices"


def test_a_deployment_is_like_a_model_of_another_provider():
    own = {"azure/prod": {"base_model": "openai/gpt-4o-mini"}}
    entry = assemble({"azure": "azure"}, own).find("azure", "prod")
    assert (entry.provider, entry.id, entry.max_output) == ("azure", "prod", 16384)


def test_the_operator_corrects_a_model():
    own = {"openai/gpt-4o": {"context": 64000, "takes": "text image audio", "cannot": "schema"}}
    entry = assemble({"openai": "openai"}, own).find("openai", "gpt-4o")
    assert entry.context == 64000
    assert entry.known_to("audio") is True
    assert entry.known_to("schema") is False
    assert entry.known_to("video") is False
    assert entry.max_output == 16384
    assert assemble({"openai": "openai"}, own).find("openai", "gpt-4o-2024-08-06").context == 64000


def test_a_name_of_the_configuration_counts_more_than_a_kind():
    own = {"openai/new": {"context": 1}, "work/new": {"context": 2}}
    catalogue = assemble({"work": "openai", "home": "openai"}, own)
    assert catalogue.find("work", "new").context == 2
    assert catalogue.find("home", "new").context == 1


def test_a_base_model_that_is_not_there_is_told_and_the_rest_counts():
    catalogue = assemble({"openai": "openai"}, {"openai/x": {"base_model": "gpt-99", "context": 3}})
    assert catalogue.find("openai", "x").context == 3
    assert catalogue.missing == ["the catalogue has no model 'gpt-99', which openai/x is to be like"]


def test_a_refreshed_catalogue_lies_between():
    data = b'{"openai":{"gpt-4o":{"context":7},"brand-new":{"context":8}}}'
    own = {"openai/brand-new": {"max_output": 9}}
    catalogue = assemble({"openai": "openai"}, own, parse(data, "test"))
    assert catalogue.find("openai", "gpt-4o").context == 7
    assert catalogue.find("openai", "gpt-4o-mini").context == 128000
    assert (catalogue.find("openai", "brand-new").context, catalogue.find("openai", "brand-new").max_output) == (8, 9)


def test_a_factor_holds_for_a_provider_or_a_model_and_not_for_prices_of_ones_own():
    own = {"work/mine": {"prices": [{"input": "3"}]}, "work/deployment": {"base_model": "openai/gpt-4o"}}
    factors = {"openai": Decimal("0.9"), "work": Decimal("0.8"), "work/gpt-4.1": Decimal("1.1")}
    catalogue = assemble({"work": "openai", "home": "openai"}, own, factors=factors)

    def paid(provider, model):
        return catalogue.find(provider, model).rates(datetime(2026, 11, 1, tzinfo=UTC))["input"]

    assert Decimal(paid("work", "gpt-4o-2024-08-06")) == Decimal("2.5") * Decimal("0.8")
    assert Decimal(paid("work", "deployment")) == Decimal("2.5") * Decimal("0.8")
    assert Decimal(paid("work", "gpt-4.1")) == Decimal("2") * Decimal("1.1")
    assert Decimal(paid("home", "gpt-4o")) == Decimal("2.5") * Decimal("0.9")
    assert paid("work", "mine") == "3"
