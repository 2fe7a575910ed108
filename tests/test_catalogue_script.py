"""The rules by which scripts/catalogue.py weighs its sources, on small tables of its own."""

import sys
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "scripts"))

import catalogue
import catalogue_litellm
from catalogue_model import GENAI, LITELLM, Model, differ, exact, released

TODAY = "2026-11-26"


def built(table, providers, name="openai"):
    builder = catalogue.Builder(table, providers, TODAY)
    builder.build()
    return builder, builder.models[name]


def chat(**more):
    return {"litellm_provider": "openai", "mode": "chat", **more}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2.5e-06", "0.0000025"),
        ("3.0000000000000004e-07", "0.0000003"),
        ("1E+1", "10"),
        ("0.0", "0"),
        ("12345678901", "12345678901"),
    ],
)
def test_prices_are_exact_and_plain(value, text):
    assert exact(Decimal(value)) == text


def test_more_than_one_percent_is_a_difference():
    assert not differ("1", "1.01")
    assert differ("1", "1.0102")
    assert not differ("0", "0")


def test_the_date_in_an_id_is_that_of_the_version():
    assert released("gpt-4o-2024-08-06") == "2024-08-06"
    assert released("claude-sonnet-4-5@20250929") == "2025-09-29"
    assert released("gemini-2.5-pro") is None
    assert released("model-20249999") is None


def test_prices_of_both_are_joined_where_they_agree():
    table = {
        "gpt-4o": chat(
            input_cost_per_token=Decimal("2.5e-6"),
            output_cost_per_token=Decimal("1e-5"),
            input_cost_per_audio_token=Decimal("7e-6"),
        )
    }
    _, models = built(table, {"openai": {"genai": ["openai"], "litellm": ["openai"]}})
    period = catalogue.rates_now(models["gpt-4o"].prices, TODAY)
    assert (period["input"], period["input_audio"]) == ("2.5", "7")
    assert models["gpt-4o"].by["prices"] == GENAI
    assert models["gpt-4o"].by["input_audio"] == LITELLM


def test_a_disagreement_is_reported_and_the_authority_believed():
    table = {
        "gpt-4o": chat(
            input_cost_per_token=Decimal("9e-6"),
            output_cost_per_token=Decimal("1e-5"),
            input_cost_per_audio_token=Decimal("7e-6"),
        )
    }
    builder, models = built(table, {"openai": {"genai": ["openai"], "litellm": ["openai"]}})
    row = next(row for row in builder.report.rows if row.model == "gpt-4o" and row.what == "input")
    assert (row.genai, row.litellm, row.taken) == ("2.5", "9", GENAI)
    period = catalogue.rates_now(models["gpt-4o"].prices, TODAY)
    assert "input_audio" not in period
    assert "2.5" in builder.report.page(["here"])


def test_who_names_the_very_id_is_believed_over_a_pattern():
    # genai-prices has one entry for every id that contains claude-3-5-haiku
    table = {
        "vertex_ai/claude-3-5-haiku@20991231": {
            "litellm_provider": "vertex_ai",
            "mode": "chat",
            "input_cost_per_token": Decimal("1e-6"),
        }
    }
    _, models = built(table, {"vertex": {"genai": ["google"], "litellm": ["vertex_ai"]}}, "vertex")
    assert models["claude-3-5-haiku@20991231"].prices == [{"input": "1"}]


def test_what_is_left_out_is_a_no_only_where_every_able_model_is_marked():
    table = {
        "seeing": chat(supports_function_calling=True, supports_vision=True),
        "blind": chat(supports_function_calling=True),
        "unlooked-at": chat(),
        "said": chat(supports_function_calling=False),
    }
    _, models = built(table, {"openai": {"litellm": ["openai"], "plain": ["image"]}})
    assert "image" in models["seeing"].words("takes")
    assert models["blind"].words("cannot") == {"image"}
    assert "tools" in models["said"].words("cannot")
    _, models = built({"m": chat()}, {"openai": {"litellm": ["openai"], "plain": ["image"]}})
    assert models["m"].words("cannot") == set()


def test_what_all_hosts_of_a_model_agree_on_holds_for_a_host_that_says_nothing():
    table = {
        "vendor/m-1": chat(supports_vision=False),
        "groq/m-1": {"litellm_provider": "groq", "mode": "chat"},
    }
    providers = {"openai": {"litellm": ["openai"]}, "groq": {"litellm": ["groq"]}}
    _, models = built(table, providers, "groq")
    assert models["m-1"].words("cannot") == {"image"}
    table["other/m-1"] = chat(supports_vision=True)
    _, models = built(table, providers, "groq")
    assert models["m-1"].words("cannot") == set()


def test_models_that_differ_in_nothing_but_the_id_become_one():
    table = {id: chat(max_input_tokens=5) for id in ("m-2024-01-02", "m", "other")}
    builder, models = built(table, {"openai": {"litellm": ["openai"]}})
    assert set(models) == {"m", "other"}
    assert builder.aliases["openai"] == {"m-2024-01-02": "m"}
    assert models["m"].facts["released"] == "2024-01-02"


def test_tiers_thresholds_and_units_have_names_of_their_own():
    left_out = set()
    entry = {
        "input_cost_per_token_above_200k_tokens_batches": Decimal("1e-6"),
        "output_cost_per_token_priority": Decimal("2e-6"),
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": Decimal("3e-6"),
        "output_cost_per_image": Decimal("0.04"),
        "input_cost_per_second": Decimal("0.0001"),
        "output_cost_per_second": Decimal("0.0001"),
        "code_interpreter_cost_per_session": Decimal("0.03"),
        "tiered_pricing": [
            {"range": [32000, 64000], "input_cost_per_token": Decimal("5e-6")},
            {"range": [0, 32000], "input_cost_per_token": Decimal("4e-6")},
        ],
    }
    assert catalogue_litellm.rates(entry, left_out) == {
        "batch.input>200000": "1",
        "priority.output": "2",
        "cache_write_1h>200000": "3",
        "images": "0.04",
        "seconds": "0.0001",
        "input": "4",
        "input>32000": "5",
    }
    assert left_out == {"code_interpreter_cost_per_session"}


def test_prices_by_hour_and_date_keep_their_order():
    builder = catalogue.Builder({}, {}, TODAY)
    (found,) = [model for model in builder.prices.providers["deepseek"].models if model.id == "deepseek-chat"]
    model = Model("deepseek-chat")
    builder.prices.describe(found, model)
    assert [period.get("daily") for period in model.prices] == [None, "00:30-16:30"]


def test_the_overlay_has_the_last_word():
    builder, models = built({"m": chat(supports_vision=False, max_input_tokens=5)}, {"openai": {"litellm": ["openai"]}})
    hosts = catalogue.overlay(
        builder,
        [
            {"provider": "openai", "model": "m", "set": {"takes": "image text", "context": 9}, "page": "https://a.example",
             "checked": TODAY},
            {"provider": "openai", "cannot": "choices", "page": "https://b.example", "checked": TODAY},
        ],
    )  # fmt: skip
    assert (models["m"].facts["context"], models["m"].words("cannot")) == (9, set())
    assert models["m"].by["context"] == "overlay"
    assert hosts["openai"]["cannot"] == "choices"
