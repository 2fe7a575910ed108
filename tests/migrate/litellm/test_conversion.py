"""Whatever a source says, the result is in order."""

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways import rounds
from headgate.migrate.litellm.providers import rules
from migrations import converted

NAMES = st.sampled_from(
    ["gpt-4o", "a b", "openai/gpt-4o", "openai/*", "*", "claude-*", "v1/x", "models/*", "$x", "ünï", "x" * 201]
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**18), st.floats(allow_nan=False), st.text(max_size=8),
    st.sampled_from(["os.environ/A_KEY", "os.environ/2-b", "https://host.example/v1/chat/completions", "${X}", "$$"]),
    st.lists(st.text(max_size=3), max_size=2),
)  # fmt: skip
PARAMS = (
    "api_key", "api_base", "api_version", "rpm", "tpm", "weight", "order", "timeout", "stream_timeout", "temperature",
    "max_tokens", "stop", "max_parallel_requests", "input_cost_per_token", "aws_region_name", "vertex_project", "tags",
    "extra_headers", "reasoning_effort", "additional_drop_params", "model_id", "default_api_key_rpm_limit",
)  # fmt: skip
NUMBERS = {
    "rpm", "tpm", "weight", "order", "timeout", "stream_timeout", "max_parallel_requests", "input_cost_per_token",
    "default_api_key_rpm_limit",
}  # fmt: skip
URLS = st.sampled_from(
    ["http://host.example", "https://host.example/v1/", "os.environ/BASE", "http://10.0.0.1:8000/v1/chat/completions"]
)


@st.composite
def deployments(draw):
    prefix = draw(st.sampled_from([*rules(), "nobody", ""]))
    model = draw(st.sampled_from(["gpt-4o", "claude-sonnet-4-5", "*", "a/b", "us-east-1/x", "$id"]))
    params = {"model": f"{prefix}/{model}" if prefix else model}
    for name in draw(st.lists(st.sampled_from(PARAMS), unique=True, max_size=5)):
        if name == "api_base":
            params[name] = draw(URLS)
        elif name in NUMBERS:
            params[name] = draw(st.one_of(st.integers(-5, 10**18), st.floats(allow_nan=False), st.just("os.environ/N")))
        elif name == "extra_headers":
            params[name] = {"x-a": "b"}
        else:
            params[name] = draw(VALUES)
    info = draw(st.dictionaries(st.sampled_from(["mode", "base_model", "max_tokens", "id", "access_groups"]), VALUES))
    return {"model_name": draw(NAMES), "litellm_params": params, "model_info": info}


GENERAL = st.sampled_from(["master_key", "allowed_ips", "max_request_size_mb", "enable_jwt_auth"])
SETTINGS = st.dictionaries(
    st.sampled_from(["routing_strategy", "num_retries", "timeout", "allowed_fails", "cooldown_time", "fallbacks",
        "default_fallbacks", "context_window_fallbacks", "model_group_alias", "retry_policy", "redis_host",
        "surprise"]),
    st.one_of(VALUES, st.lists(st.dictionaries(NAMES, st.lists(NAMES)), max_size=2), st.dictionaries(NAMES, NAMES)),
    max_size=4,
)  # fmt: skip
SOURCES = st.fixed_dictionaries(
    {
        "model_list": st.lists(deployments(), max_size=4),
        "router_settings": SETTINGS,
        "litellm_settings": SETTINGS,
        "general_settings": st.dictionaries(GENERAL, VALUES),
    }
)
ROWS = st.lists(
    st.dictionaries(
        st.sampled_from(["token", "key_alias", "models", "team_id", "user_id", "max_budget", "budget_duration",
            "rpm_limit", "expires", "blocked", "metadata", "model_max_budget", "allowed_routes",
            "organization_id", "budget_id"]),
        st.one_of(VALUES, st.sampled_from(["a" * 64, "b" * 64, "30d", "2026-01-01T00:00:00"]), st.lists(NAMES)),
    ),
    max_size=3,
)  # fmt: skip
TABLES = st.fixed_dictionaries({"keys": ROWS, "teams": ROWS, "users": ROWS, "budgets": ROWS})


@settings(max_examples=rounds(15, 1000), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(SOURCES, TABLES)
def test_the_result_of_anything_is_in_order(tmp_path, source, tables):
    converted(tmp_path, yaml.safe_dump(source), tables)
