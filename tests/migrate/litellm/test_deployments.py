"""Deployments become targets of providers: whom they ask, with what, under which names."""

import pytest

from migrations import converted


def one(params, name="x", info=""):
    return f"model_list:\n  - model_name: {name}\n    litellm_params: {params}\n" + (
        f"    model_info: {info}\n" if info else ""
    )


@pytest.mark.parametrize(
    ("params", "target", "provider"),
    [
        ("{model: openai/gpt-4o}", "openai/gpt-4o", {"api_key": "${OPENAI_API_KEY}"}),
        ("{model: gpt-4o, api_key: os.environ/K}", "openai/gpt-4o", {"api_key": "${K}"}),
        ("{model: claude-sonnet-4-5}", "anthropic/claude-sonnet-4-5", {"api_key": "${ANTHROPIC_API_KEY}"}),
        ("{model: x/y, custom_llm_provider: groq, api_key: k}", "groq/x/y", {"api_key": "k"}),
        (
            "{model: azure/dep, api_base: 'https://a.openai.azure.com/openai/deployments/dep', api_key: k}",
            "azure/dep",
            {"base_url": "https://a.openai.azure.com", "api_key": "k"},
        ),
        (
            "{model: azure/o_series/dep, api_base: os.environ/B, tenant_id: t, client_id: c, "
            "client_secret: os.environ/S}",
            "azure/dep",
            {"base_url": "${B}", "tenant_id": "t", "client_id": "c", "client_secret": "${S}"},
        ),
        (
            "{model: openai/my-model, api_base: 'http://host:8000/v1/chat/completions'}",
            "openai_compatible/my-model",
            {"base_url": "http://host:8000/v1"},
        ),
        (
            "{model: openai/gpt-4o, api_base: 'https://proxy.example/v1', api_key: k}",
            "openai_compatible/gpt-4o",
            {"base_url": "https://proxy.example/v1", "api_key": "k", "catalogue": "openai"},
        ),
        (
            "{model: bedrock/us-west-2/anthropic.claude-v2, aws_role_name: arn, aws_session_name: s}",
            "bedrock/anthropic.claude-v2",
            {"role_arn": "arn", "role_session_name": "s", "region": "us-west-2"},
        ),
        (
            "{model: bedrock/converse/x, model_id: 'arn:aws:bedrock:eu-west-1:1:p/y', aws_region_name: eu-west-1}",
            "bedrock/arn:aws:bedrock:eu-west-1:1:p/y",
            {"region": "eu-west-1"},
        ),
        (
            "{model: vertex_ai/gemini-2.5-pro}",
            "vertex/gemini-2.5-pro",
            {"project": "${VERTEXAI_PROJECT}", "location": "${VERTEXAI_LOCATION}"},
        ),
        ("{model: gemini/gemini-2.5-pro}", "google/gemini-2.5-pro", {"api_key": "${GEMINI_API_KEY}"}),
        ("{model: together_ai/meta/llama}", "together/meta/llama", {"api_key": "${TOGETHERAI_API_KEY}"}),
        (
            "{model: fireworks_ai/llama}",
            "fireworks/accounts/fireworks/models/llama",
            {"api_key": "${FIREWORKS_API_KEY}"},
        ),
        ("{model: ollama/llama3, api_base: 'http://h:11434'}", "ollama/llama3", {"base_url": "http://h:11434"}),
        ("{model: hosted_vllm/m}", "vllm/m", {"base_url": "${HOSTED_VLLM_API_BASE}"}),
        ("{model: huggingface/m, api_base: 'http://h:80'}", "tgi/m", {"base_url": "http://h:80/v1"}),
        (
            "{model: wandb/m}",
            "openai_compatible/m",
            {"api_key": "${WANDB_API_KEY}", "base_url": "https://api.inference.wandb.ai/v1"},
        ),
        (
            "{model: openai/m, api_key: 'a$b', extra_headers: {x-team: 'a ${b}', x-key: os.environ/H}}",
            "openai/m",
            {"api_key": "a$$b", "headers": {"x-team": "a $${b}", "x-key": "${H}"}},
        ),
    ],
)
def test_whom_a_deployment_asks(tmp_path, params, target, provider):
    found = converted(tmp_path, one(params))
    assert found["models"] == {"x": target}
    name = target.partition("/")[0]
    assert found["providers"] == {name: provider}
    assert not found.told(), found.told()


@pytest.mark.parametrize(
    ("params", "target"),
    [
        (
            "rpm: 5, tpm: 10, max_parallel_requests: 3",
            {"requests_per_minute": 5, "tokens_per_minute": 10, "concurrency": 3},
        ),
        ("rpm: os.environ/RPM", {"requests_per_minute": "${RPM}"}),
        ("rpm: '7'", {"requests_per_minute": 7}),
        ("rpm: 0", {}),
        ("timeout: 30", {"with": {"timeouts": {"first_byte": 30, "idle": 30}}}),
        ("timeout: 1200", {"with": {"timeouts": {"first_byte": 1200, "idle": 1200, "total": 1200}}}),
        ("temperature: 0.5, seed: 3", {"defaults": {"temperature": 0.5, "seed": 3}}),
        ("reasoning_effort: low", {"effort": "low"}),
        ("additional_drop_params: [user, logit_bias]", {"drop": ["user", "logit_bias"]}),
        ("extra_body: {provider: {order: [a]}}", {"set": {"provider": {"order": ["a"]}}}),
    ],
)
def test_what_a_deployment_says_besides(tmp_path, params, target):
    found = converted(tmp_path, one(f"{{model: openai/gpt-4o, {params}}}"))
    assert found["models"]["x"] == ({"targets": [{"model": "openai/gpt-4o", **target}]} if target else "openai/gpt-4o")
    assert not found.told()


@pytest.mark.parametrize(
    ("model", "defaults"),
    [
        (
            "gemini/gemini-2.5-pro",
            {"generationConfig": {"temperature": 1, "maxOutputTokens": 9, "stopSequences": ["x"]}},
        ),
        ("bedrock/m", {"inferenceConfig": {"temperature": 1, "maxTokens": 9, "stopSequences": ["x"]}}),
        ("anthropic/claude-x", {"temperature": 1, "max_tokens": 9, "stop_sequences": ["x"]}),
        ("vertex_ai/claude-x", {"temperature": 1, "max_tokens": 9, "stop_sequences": ["x"]}),
        ("cohere/command-x", {"temperature": 1, "max_tokens": 9, "stop_sequences": ["x"]}),
        ("ollama/m", {"options": {"temperature": 1, "num_predict": 9, "stop": ["x"]}}),
        ("mistral/m", {"temperature": 1, "max_tokens": 9, "stop": "x"}),
    ],
)
def test_defaults_are_said_in_the_providers_words(tmp_path, model, defaults):
    found = converted(tmp_path, one(f"{{model: {model}, temperature: 1, max_tokens: 9, stop: x}}"))
    assert found["models"]["x"]["targets"][0]["defaults"] == defaults


def test_facts_of_models(tmp_path):
    info = "{base_model: azure/gpt-4o, max_input_tokens: 1000, mode: chat, supports_vision: false, note: x}"
    params = (
        "{model: azure/d, api_base: 'https://a.openai.azure.com', input_cost_per_token: 0.0000025, "
        "output_cost_per_token: 1e-5, input_cost_per_token_batches: 0.00000125, cost_per_second: 3}"
    )
    found = converted(tmp_path, one(params, info=info))
    assert found["catalogue"] == {
        "models": {
            "azure/d": {
                "prices": {"input": 2.5, "output": 10, "batch.input": 1.25},
                "max_input": 1000,
                "operations": ["chat"],
                "cannot": ["image"],
                "base_model": "gpt-4o",
            }
        }
    }
    assert list(found.told()) == ["model_list[0].litellm_params.cost_per_second", "model_list[0].model_info.note"]


def test_deployments_of_one_address_and_key_share_a_provider(tmp_path):
    key = "api_key: os.environ/K"
    found = converted(
        tmp_path,
        "model_list:\n"
        f"  - {{model_name: a, litellm_params: {{model: openai/gpt-4o, {key}}}}}\n"
        f"  - {{model_name: b, litellm_params: {{model: openai/gpt-4o-mini, {key}}}}}\n"
        "  - {model_name: c, litellm_params: {model: openai/gpt-4o, api_key: os.environ/L}}\n",
    )
    assert found["models"] == {"a": "openai/gpt-4o", "b": "openai/gpt-4o-mini", "c": "openai-2/gpt-4o"}
    assert found["providers"]["openai-2"] == {"kind": "openai", "api_key": "${L}"}


def test_names_with_slashes_and_patterns(tmp_path):
    found = converted(
        tmp_path,
        "model_list:\n"
        "  - {model_name: openai/*, litellm_params: {model: openai/*}}\n"
        "  - {model_name: openai/gpt-4o, litellm_params: {model: openai/gpt-4o}}\n"
        "  - {model_name: mine/*, litellm_params: {model: anthropic/*}}\n"
        "  - {model_name: groq/llama, litellm_params: {model: groq/llama}}\n"
        "  - {model_name: 'claude-*', litellm_params: {model: 'mistral/*'}}\n"
        "  - {model_name: v1/*, litellm_params: {model: xai/*}}\n",
    )
    kinds = {name: entry.get("kind", name) for name, entry in found["providers"].items()}
    assert kinds == {"openai": "openai", "mine": "anthropic", "groq-2": "groq", "mistral": "mistral", "xai": "xai"}
    assert found["models"] == {"groq/llama": "groq-2/llama"}
    assert list(found.told()) == ["model_list[4]", "model_list[5]"]
    assert found.told()["model_list[4]"].endswith("ask for `mistral/MODEL`, or list the names in `models`")


def test_a_name_that_is_a_providers_own_model_keeps_nothing_else(tmp_path):
    found = converted(
        tmp_path,
        "model_list:\n"
        "  - {model_name: openai/*, litellm_params: {model: openai/*}}\n"
        "  - {model_name: openai/best, litellm_params: {model: azure/d, api_base: 'https://a.openai.azure.com'}}\n",
    )
    assert found["models"] is None
    assert found.told()["model_list[1]"].startswith("`openai/best` asks the provider `openai` for `best`")


def test_credentials_by_name(tmp_path):
    found = converted(
        tmp_path,
        "credential_list:\n"
        "  - {credential_name: eu, credential_values: {api_key: os.environ/EU, api_base: 'https://a.openai.azure.com'}}\n"
        "model_list:\n"
        "  - {model_name: a, litellm_params: {model: azure/d, litellm_credential_name: eu}}\n"
        "  - {model_name: b, litellm_params: {model: azure/d, litellm_credential_name: us, api_base: 'https://b.azure.com'}}\n",
    )
    assert found["providers"]["azure"] == {"api_key": "${EU}", "base_url": "https://a.openai.azure.com"}
    assert list(found.told()) == ["model_list[1].litellm_params.litellm_credential_name"]


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ("{model: oci/x}", "model"),
        ("{model: what-is-this}", "model"),
        ("{model: openai/x, tags: [free]}", "tags"),
        ("{model: openai/x, aws_region_name: us-east-1}", "aws_region_name"),
        ("{model: openai/x, auto_router_config: x}", "auto_router_config"),
        ("{model: openai/x, s3_bucket_name: b}", "s3_bucket_name"),
        ("{model: openai/x, base_model: gpt-4o}", "base_model"),
        ("{model: openai/x, request_timeout: 9}", "request_timeout"),
        ("{model: openai/x, langfuse_host: h}", "langfuse_host"),
        ("{model: openai/x, use_litellm_proxy: true}", "use_litellm_proxy"),
        ("{model: openai/x, s3_secret_access_key: hidden-0123456789}", "s3_secret_access_key"),
        ("{model: azure/x, api_base: 'https://a.azure.com', api_version: 'no such'}", "api_version"),
        ('{model: vertex_ai/gemini-x, vertex_credentials: \'{"type": "service_account"}\'}', "vertex_credentials"),
    ],
)
def test_what_a_deployment_cannot_be_told_is_listed(tmp_path, params, place):
    found = converted(tmp_path, one(params))
    assert list(found.told()) == [f"model_list[0].litellm_params.{place}"]
    assert "hidden" not in found.text


def test_a_model_of_one_team_is_listed(tmp_path):
    told = converted(tmp_path, one("{model: openai/x}", info="{team_id: t, blocked: false}")).told()
    assert list(told) == ["model_list[0].model_info.team_id"]
    assert "list the `models` of the others" in told["model_list[0].model_info.team_id"]


def test_what_stands_beside_the_parameters_is_listed(tmp_path):
    found = converted(tmp_path, "model_list:\n  - {model_name: a, litellm_params: {model: openai/x}, rpm: 5}\n")
    assert found["models"] == {"a": "openai/x"}
    assert "model_list[0].rpm" in found.told()


def test_limits_of_each_key_by_default(tmp_path):
    found = converted(tmp_path, one("{model: openai/x, default_api_key_rpm_limit: 5}", name="chat"))
    limit = {"name": "chat, requests of each key", "for": {"model": "chat"}, "per": ["key"], "requests": 5}
    assert found["limits"] == [{**limit, "every": "minute"}]
