"""Groups, fallbacks, retries and cooldowns."""

import pytest

from migrations import converted

MODELS = """
model_list:
  - {model_name: a, litellm_params: {model: openai/a1}, model_info: {id: first}}
  - {model_name: a, litellm_params: {model: groq/a2}}
  - {model_name: b, litellm_params: {model: mistral/b}}
  - {model_name: c, litellm_params: {model: xai/c}}
  - {model_name: openai/*, litellm_params: {model: openai/*}}
"""


def group(*params):
    return "model_list:\n" + "".join(
        f"  - {{model_name: a, litellm_params: {{model: openai/m{number}, {each}}}}}\n"
        for number, each in enumerate(params)
    )


@pytest.mark.parametrize(
    ("params", "weights"),
    [
        (("weight: 2", "weight: 1"), [2, 1]),
        (("weight: 2, rpm: 1", "rpm: 100"), [2, 0]),
        (("rpm: 10", "rpm: 30"), [10, 30]),
        (("tpm: 5000000", "tpm: 10000000"), [0.5, 1]),
        (("rpm: 10", "rpm: 10"), [None, None]),
        (("weight: os.environ/W", "weight: 1"), ["${W}", 1]),
    ],
)
def test_shares_are_those_of_the_simple_shuffle(tmp_path, params, weights):
    entry = converted(tmp_path, group(*params))["models"]["a"]
    assert entry["policy"] == "weighted"
    assert [target.get("weight") if isinstance(target, dict) else None for target in entry["targets"]] == weights


@pytest.mark.parametrize(("params", "weights"), [(("rpm: 10", "rpm: 30"), [10, 30]), (("rpm: 10", ""), [None, None])])
def test_by_use_nobody_is_left_out_who_says_no_rate(tmp_path, params, weights):
    text = group(*params) + "router_settings: {routing_strategy: usage-based-routing-v2}\n"
    targets = converted(tmp_path, text)["models"]["a"]["targets"]
    assert [target.get("weight") if isinstance(target, dict) else None for target in targets] == weights


def test_later_orders_are_fallbacks(tmp_path):
    entry = converted(tmp_path, group("order: 2", "order: 1", "order: 3"))["models"]["a"]
    assert entry == {"targets": ["openai/m1"], "fallbacks": ["openai/m0", "openai/m2"]}


@pytest.mark.parametrize(
    ("strategy", "policy", "told"),
    [
        ("simple-shuffle", "weighted", None),
        ("least-busy", "least_busy", None),
        ("latency-based-routing", "fastest", None),
        ("cost-based-routing", "cheapest", None),
        ("usage-based-routing-v2", "weighted", "otherwise"),
        ("mine", "weighted", "lost"),
    ],
)
def test_strategies(tmp_path, strategy, policy, told):
    found = converted(tmp_path, f"{MODELS}router_settings: {{routing_strategy: {strategy}}}\n")
    assert found["models"]["a"]["policy"] == policy
    for kind in ("otherwise", "lost"):
        assert ("router_settings.routing_strategy" in found.told(kind)) == (kind == told)


def test_groups_have_strategies_of_their_own(tmp_path):
    settings = "router_settings: {routing_groups: [{group_name: g, models: [a], routing_strategy: least-busy}]}\n"
    assert converted(tmp_path, MODELS + settings)["models"]["a"]["policy"] == "least_busy"


def test_fallbacks_become_the_targets_of_the_names(tmp_path):
    found = converted(
        tmp_path,
        MODELS + "litellm_settings:\n"
        "  fallbacks: [{b: [a, c, openai/gpt-4o, first, nobody]}, {gone: [a]}]\n"
        "  default_fallbacks: [c]\n"
        "  context_window_fallbacks: [{b: [c]}]\n"
        "  content_policy_fallbacks: [{'*': [b]}]\n"
        "  num_retries: 3\n",
    )
    assert found["models"]["b"]["fallbacks"] == ["openai/a1", "groq/a2", "xai/c", "openai/gpt-4o"]
    assert found["models"]["b"]["fallbacks_on"] == {"context_overflow": ["xai/c"]}
    assert found["models"]["a"]["fallbacks"] == ["xai/c"]
    assert found["models"]["a"]["fallbacks_on"] == {"refusal": ["mistral/b"]}
    assert found["models"]["c"] == {"targets": ["xai/c"], "fallbacks_on": {"refusal": ["mistral/b"]}}
    assert found["retry"] == {"attempts": 4}
    assert set(found.told()) == {
        "model_list[4]", "litellm_settings.fallbacks[0].b[4]", "litellm_settings.fallbacks[1].gone",
    }  # fmt: skip


def test_what_router_settings_say_counts_more(tmp_path):
    sections = (
        "router_settings: {num_retries: 1, timeout: 20}\nlitellm_settings: {num_retries: 9, request_timeout: 99}\n"
    )
    found = converted(tmp_path, MODELS + sections)
    assert found["retry"] == {"attempts": 2}
    assert {name: entry["timeouts"]["first_byte"] for name, entry in found["providers"].items()} == dict.fromkeys(
        found["providers"], 20
    )


def test_aliases_of_groups(tmp_path):
    found = converted(
        tmp_path,
        MODELS + "router_settings:\n"
        "  model_group_alias: {x: b, y: {model: c, hidden: true}, z: nobody}\n"
        "  fallbacks: [{x: [c]}, {c: [x]}]\n",
    )
    assert found["models"]["x"] == {"targets": ["mistral/b"], "fallbacks": ["xai/c"]}
    assert found["models"]["y"] == {"targets": ["xai/c"], "fallbacks": ["mistral/b"]}
    place = "router_settings.model_group_alias"
    assert set(found.told()) == {f"{place}.y.hidden", f"{place}.z"}


def test_stream_timeouts(tmp_path):
    found = converted(tmp_path, group("stream_timeout: 5", "stream_timeout: 9"))
    assert found["models"]["a"]["first_token"] == 9
    assert list(found.told("otherwise")) == ["model_list[0]"]


@pytest.mark.parametrize(
    ("settings", "section", "value"),
    [
        ("allowed_fails: 2, cooldown_time: 300", "breaker", {"failures": 3, "rest": 300, "most_rest": 300}),
        ("disable_cooldowns: true", "breaker", {"enabled": False}),
        ("cooldown_time: 0", "breaker", {"enabled": False}),
        (
            "retry_policy: {RateLimitErrorRetries: 5, InternalServerErrorRetries: 0}",
            "retry",
            {"ways": {"429": "again", "5xx": "next"}, "attempts": 6},
        ),
        ("redis_url: os.environ/R", "state", {"url": "${R}"}),
        (
            "redis_host: h, redis_port: 1234, redis_password: 'a@b', redis_db: 2",
            "state",
            {"url": "redis://:a%40b@h:1234/2"},
        ),
        ("redis_host: os.environ/H, redis_password: os.environ/P", "state", {"url": "redis://:${P}@${H}:6379"}),
        ("redis_host: ''", "state", None),
    ],
)
def test_resilience(tmp_path, settings, section, value):
    assert converted(tmp_path, f"{MODELS}router_settings: {{{settings}}}\n")[section] == value


def test_the_rest_is_listed(tmp_path):
    settings = "{enable_pre_call_checks: true, enable_tag_filtering: true, provider_budget_config: {}, surprise: 1}"
    found = converted(tmp_path, f"router_settings: {settings}\n")
    assert set(found.told()) == {
        f"router_settings.{name}" for name in ("enable_tag_filtering", "provider_budget_config", "surprise")
    }
    assert list(found.told("needless")) == ["router_settings.enable_pre_call_checks"]
