"""How well simple and complex prompts are told apart: measured on prompts that the weights were not fitted to."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.stages.rules.complexity import COMPLEX, LOOKED_AT, features, score

SHARED = Path(__file__).parents[4] / "shared" / "datasets"
MT_BENCH = ["mt_bench:math", "mt_bench:coding", "mt_bench:reasoning", "mt_bench:stem", "mt_bench:humanities"]
FOLDER = Path(__file__).parent / "prompts"
PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "route-by-content.md").read_text("utf-8")


def lines(name):
    return [line.replace("\\n", "\n") for line in (FOLDER / name).read_text("utf-8").splitlines()]


def right(prompts, kind):
    return sum((score(prompt) >= COMPLEX) == (kind == "complex") for prompt in prompts)


def test_prompts_of_our_own_that_were_held_out():
    held = {kind: lines(f"{kind}.txt")[1::2] for kind in ("simple", "complex")}
    assert min(map(len, held.values())) > 50
    hits = sum(right(prompts, kind) for kind, prompts in held.items())
    count = sum(map(len, held.values()))
    assert hits / count > 0.95
    assert f"{hits} of {count}" in PAGE


@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled prompts are not beside the checkout (../shared/datasets)")
@pytest.mark.parametrize(
    ("path", "field", "names", "kind", "least"),
    [
        ("routing/routellm_gsm8k.jsonl", "task", ["gsm8k"], "complex", 0.9),
        ("routing/routellm_mtbench.jsonl", "task", MT_BENCH, "complex", 0.65),
        ("prompt_injection/benign_easy_traffic.jsonl", "category", ["clinc150"], "simple", 0.9),
        ("prompt_injection/benign_easy_traffic.jsonl", "category", ["banking77"], "simple", 0.9),
    ],
)
def test_prompts_of_others(path, field, names, kind, least):
    lines = map(json.loads, (SHARED / path).read_text("utf-8").splitlines())
    prompts = list(dict.fromkeys(each["text"] for each in lines if each[field] in names))
    hits = right(prompts, kind)
    assert hits / len(prompts) >= least
    assert f"{hits} of {len(prompts)}" in PAGE, f"{names[0]}: {hits} of {len(prompts)}"


def test_tools_and_a_long_conversation_count_a_little():
    prompt = "Find the cheapest flight and book it."
    assert score(prompt) < score(prompt, turns=8) < score(prompt, turns=8, tools=6)
    assert score("Thanks!", turns=30, tools=15) < COMPLEX


def test_only_both_ends_of_a_long_text_are_looked_at():
    filling = "a word and another one " * (LOOKED_AT // 10)
    within = filling + "prove, design, analyse! " + filling
    assert abs(features(within)["length"] - features(filling * 2)["length"]) < 0.01
    assert features(within)["hard"] == 0
    assert features(within + "Prove it.")["hard"] == features("Prove it. " + within)["hard"] == 1


@given(st.text(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_score_is_a_share(text, turns, tools):
    assert 0.0 <= score(text, turns, tools) <= 1.0
