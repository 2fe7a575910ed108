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
