import msgspec
import pytest

from headgate.catalog.entry import Entry
from headgate.catalog.shelf import REMEMBERED, Shelf, bundled, kinds, layer

LOW = layer(
    b"""{
"":{"provider":"x","sources":{"g":{"version":"1","read":"2026-01-01"},"l":{"version":"2","read":"2026-02-02"}},
    "by":{"prices":"g","*":"l"},"firm":"context","host":{"cannot":"choices"},"pages":["https://x.example/prices"]},
"alpha":{"context":1000,"ops":"chat","prices":[{"input":"1","batch.input":"0.5"}],"page":0,"by":{"l":"batch.input"}},
"alpha-2024-08-06":"alpha",
"Beta/Model":{"context":2000}
}"""
)
HIGH = layer(b'{"":{"sources":{"l":{"version":"3","read":"2026-03-03"}},"by":{"*":"l"}},"alpha":{"context":5000}}')


def test_a_model_is_found_by_its_id_and_its_other_ids():
    shelf = Shelf("mine", [LOW])
    alpha = shelf.find("alpha")
    assert (alpha.provider, alpha.id, alpha.context) == ("mine", "alpha", 1000)
    assert shelf.find("alpha-2024-08-06") == alpha
    assert shelf.find("alpha-2099-01-01") == alpha
    assert shelf.find("alpha") is alpha
    assert shelf.find("beta/model").id == "Beta/Model"
    assert shelf.find("gamma") is None
    assert shelf.find("") is None


def test_a_higher_layer_counts_and_the_lower_one_fills_in():
    shelf = Shelf("mine", [LOW, HIGH])
    assert shelf.find("alpha").context == 5000
    assert shelf.find("alpha-2024-08-06").context == 5000
    assert shelf.find("Beta/Model").context == 2000


def test_what_the_operator_says_counts_most():
    own = {"alpha": Entry(id="alpha", context=1), "new": Entry(id="new")}
    shelf = Shelf("mine", [LOW, HIGH], own)
    assert shelf.find("alpha").context == 1
    assert [entry.id for entry in shelf.models()] == ["Beta/Model", "alpha", "new"]


def test_every_fact_has_its_source():
    shelf = Shelf("mine", [LOW])
    alpha = shelf.find("alpha")
    assert shelf.source(alpha, "context") == "l 2 (2026-02-02)"
    assert shelf.source(alpha, "input") == "g 1 (2026-01-01)"
    assert shelf.source(alpha, "prices") == "g 1 (2026-01-01)"
    assert shelf.source(alpha, "cache_read") == "g 1 (2026-01-01)"
    assert shelf.source(alpha, "batch.input") == "l 2 (2026-02-02)"
    assert shelf.page(alpha) == "https://x.example/prices"
    refreshed = Shelf("mine", [LOW, HIGH])
    assert refreshed.source(refreshed.find("alpha"), "context") == "l 3 (2026-03-03)"
    assert refreshed.page(refreshed.find("alpha")) is None


def test_aliases_are_no_models_of_their_own():
    shelf = Shelf("mine", [LOW])
    assert [entry.id for entry in shelf.models()] == ["Beta/Model", "alpha"]
    assert shelf.aliases("alpha") == ["alpha-2024-08-06"]


def test_names_without_end_do_not_fill_the_memory():
    shelf = Shelf("mine", [LOW])
    for number in range(REMEMBERED + 10):
        shelf.find(f"nothing {number}")
    assert len(shelf._found) <= REMEMBERED
    assert shelf.find("alpha").context == 1000


def test_an_alias_that_leads_to_itself_is_nothing():
    assert Shelf("x", [layer(b'{"a":"a"}')]).find("a") is None


def test_only_a_plain_name_is_looked_for_among_the_files():
    assert bundled("openai") is not None
    for kind in ("nobody", "../data/openai", "a.b:C", "", "/etc/passwd"):
        assert bundled(kind) is None
    assert {"openai", "anthropic", "google", "bedrock"} <= set(kinds())


def test_data_of_the_wrong_shape_is_an_error():
    with pytest.raises(msgspec.DecodeError):
        layer(b"[1]")
    with pytest.raises(msgspec.DecodeError):
        layer(b'{"":{"sources":3}}')
