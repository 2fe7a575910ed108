"""The `model_list` of a LiteLLM configuration: each deployment as a target of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from headgate.config.limits import MOST
from headgate.config.secrets import SECRET_NAME
from headgate.migrate.litellm.facts import IS_COST, Facts
from headgate.migrate.litellm.providers import SETTINGS, Asked, Book, Host, kinds, own_id
from headgate.migrate.litellm.report import Report
from headgate.migrate.litellm.source import Part, Source, Variables, literal, within

READ = frozenset(
    {"model", "custom_llm_provider", "rpm", "tpm", "weight", "order", "max_parallel_requests", "timeout",
     "stream_timeout", "additional_drop_params", "extra_headers", "headers", "litellm_credential_name", "extra_body",
     "reasoning_effort", "model_id", "default_api_key_rpm_limit", "default_api_key_tpm_limit", "model_info"}
)  # fmt: skip
NEEDLESS = {
    "drop_params": "what a crossing cannot carry is named in `x-headgate-lost`; to leave more out: `drop`",
    "use_in_pass_through": "every provider's own API is served under `/<provider>/…`",
    "allowed_openai_params": "unknown fields pass",
    "use_chat_completions_api": "each model is asked in the API that suits the client",
    "merge_reasoning_content_in_choices": "reasoning is given in its own field",
}
LOST = {
    "tags": "give targets `traits`, and keys `requires`; or write a rule that goes by `tags`",
    "tag_regex": "write a rule that goes by `headers`",
    "max_retries": "`retry.attempts` holds for all targets",
    "num_retries": "`retry.attempts` holds for all targets",
    "max_budget": "limit the name that clients ask for: `limits` with `for: {model: …}`",
    "budget_duration": "see `max_budget`",
    "cooldown_time": "`breaker.rest` holds for all targets",
    "itpm": "`tokens_per_minute` counts prompts and answers together",
    "otpm": "`tokens_per_minute` counts prompts and answers together",
    "mock_response": "a provider of kind `simulator` answers with its `text`",
    "configurable_clientside_auth_params": "no client chooses where a request goes; make a provider for each",
    "azure_ad_token": "give `tenant_id`, `client_id` and `client_secret`: tokens are renewed",
    "azure_username": "give `tenant_id`, `client_id` and `client_secret`",
    "azure_password": "give `tenant_id`, `client_id` and `client_secret`",
    "aws_web_identity_token": "set AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, as Amazon's SDKs read them",
    "aws_sts_endpoint": "the region's is used",
    "aws_bedrock_project_id": "leave it out",
    "keepalive_seconds": "leave it out",
    "allow_client_keepalive_override": "leave it out",
    "cache_control_injection_points": "`prompt_cache: auto` of a name; `docs/how-to/keep-prompt-caches-warm.md`",
    "guardrails": "there are none yet",
    "prompt_id": "put the prompt into `system` of the target",
    "ssl_verify": "`upstream.ca_file` names the authorities to trust; no certificate is taken unchecked",
    "model_config": "leave it out",
    "litellm_trace_id": "leave it out",
    "max_file_size_mb": "`server.max_body_bytes` holds for all",
    "provider_affinity_header": "leave it out",
    "base_model": "write it under `model_info`",
    "request_timeout": "write it as `timeout`",
    "fallbacks": "`fallbacks` of the name",
    "allowed_model_region": "give targets `traits`, and keys `requires`",
    "provider_specific_header": "`headers` of a provider",
    **dict.fromkeys(
        ("assistant_continue_message", "bos_token", "cache", "caching", "caching_groups", "ensure_alternating_roles",
         "eos_token", "fastest_response", "final_prompt_value", "force_timeout", "hf_model_name", "id", "logger_fn",
         "max_fallbacks", "metadata", "no-log", "retry_policy", "retry_strategy", "roles", "supports_system_message",
         "ttl", "turn_off_message_logging", "user_continue_message", "verbose"),
        "leave it out",
    ),
}  # fmt: skip
"""What of `litellm_params` steers LiteLLM itself; all it does not know it hands on to the provider."""
SHARES = ("weight", "rpm", "tpm")
"""By the first that any of a group has `simple-shuffle` shares requests."""
MOST_AT_ONCE = 10**6
SHORTEST, WEEK = 0.001, 86400 * 7
"""Bounds of what a target can be told."""
ROUTERS = ("auto_router_", "complexity_router_", "adaptive_router_", "quality_router_")
STEERING = (
    "arize_", "aws_", "azure_", "bedrock_", "bucket_name", "context_window_", "embedding_model", "gcs_", "humanloop_",
    "index_name", "langfuse_", "langsmith_", "litellm_", "milvus_", "mock_", "posthog_", "prompt_", "s3_", "use_",
    "valkey_", "vector_", "wandb_", "weave_",
)  # fmt: skip
"""How names begin that tell LiteLLM where things are, and are nothing a provider is told."""
EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
COMMON = {"temperature": "temperature", "top_p": "topP", "max_tokens": "maxTokens", "stop": "stopSequences"}
WORDS: dict[str, tuple[str, dict[str, str]]] = {
    "gemini_generate": (
        "generationConfig",
        {**COMMON, "max_tokens": "maxOutputTokens", "top_k": "topK", "seed": "seed", "n": "candidateCount",
         "presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty"},
    ),
    "bedrock_converse": ("inferenceConfig", COMMON),
    "ollama_chat": (
        "options",
        {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_tokens": "num_predict", "seed": "seed",
         "stop": "stop", "num_ctx": "num_ctx", "presence_penalty": "presence_penalty",
         "frequency_penalty": "frequency_penalty"},
    ),
    "cohere_chat": (
        "",
        {"temperature": "temperature", "max_tokens": "max_tokens", "top_p": "p", "top_k": "k", "stop": "stop_sequences",
         "seed": "seed", "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty"},
    ),
    "anthropic_messages": (
        "",
        {"temperature": "temperature", "max_tokens": "max_tokens", "top_p": "top_p", "top_k": "top_k",
         "stop": "stop_sequences", "thinking": "thinking"},
    ),
}  # fmt: skip
"""What OpenAI's fields are called in a dialect, and the field they stand in."""


@dataclass(slots=True)
class Deployment:
    """One entry of `model_list`."""

    group: str
    part: Part
    host: Host
    model: str
    target: dict[str, Any]
    facts: dict[str, Any]
    order: float
    shares: dict[str, Any]
    """What it has of SHARES."""
    first_token: Any = None
    id: str | None = None
    access: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.host.name}/{self.model}"

    def written(self, weight: Any = None) -> Any:
        """As a target, in its short form where that says all."""
        said = {"model": literal(self.name), **self.target, **({"weight": weight} if weight is not None else {})}
        return said if len(said) > 1 else said["model"]


class Reader:
    """Reads the list."""

    def __init__(self, source: Source, report: Report, variables: Variables, book: Book) -> None:
        self.source = source
        self.report = report
        self.variables = variables
        self.book = book
        self.limits: list[dict[str, Any]] = []
        """On what any key may ask of a name."""
        self.credentials = {
            name.text(): part for part in source.entries("credential_list") if (name := part.at("credential_name"))
        }

    def read(self) -> Iterator[Deployment]:
        for part in self.source.entries("model_list"):
            name, params = part.at("model_name"), part.at("litellm_params")
            if name is None or params is None or not params.is_mapping:
                what = "a deployment without `model_name` or `litellm_params`"
                self.report.lost(part, what, "LiteLLM does not take it either")
                continue
            for other in part.each():
                if other.name not in ("model_name", "litellm_params", "model_info"):
                    hint = "write it under `litellm_params`, and import again"
                    self.report.lost(other, "beside `litellm_params` it is not read", hint)
            params = self._with_credential(params)
            asked = self.book.asked(params)
            if asked is not None:
                yield self._deployment(name.text(), part, params, asked)

    def _deployment(self, group: str, part: Part, params: Part, asked: Asked) -> Deployment:
        prefix, slash, rest = group.partition("/")
        wanted = prefix if slash and rest == asked.model == "*" and self.book.nameable(prefix) else None
        host = self.book.host(params, asked, wanted)
        host.used.append(group)
        model_id, info = params.at("model_id"), part.at("model_info")
        model = (model_id.text() if model_id is not None else "") or own_id(host.kind, asked.model)
        facts = Facts(self.report, host.kind, asked).read(params, info)
        id_part, access = (info.at("id"), info.at("access_groups")) if info is not None else (None, None)
        order = params.at("order")
        self._per_key(group, params)
        stream_timeout = params.at("stream_timeout")
        return Deployment(
            group, part, host, model, self._target(params, host, model), facts,
            order=(order.number() if order is not None else None) or 0,
            shares={name: self.variables.number(said) for name in SHARES if (said := params.at(name))},
            first_token=self.variables.number(stream_timeout) if stream_timeout is not None else None,
            id=id_part.text() if id_part is not None else None,
            access=access.texts() if access is not None else [],
        )  # fmt: skip

    def _with_credential(self, params: Part) -> Part:
        """`litellm_credential_name`: what stands in `credential_list` under that name."""
        named = params.at("litellm_credential_name")
        if named is None:
            return params
        found = self.credentials.get(named.text())
        values = found.at("credential_values") if found is not None else None
        if values is None:
            self.report.lost(named, "it is not in `credential_list`", "say its address and key in `providers`")
            return params
        node = type(params.node)({**values.node.value, **params.node.value}, params.node.line, params.node.column)
        return Part(params.file, node, params.path)

    def _target(self, params: Part, host: Host, model: str) -> dict[str, Any]:
        target: dict[str, Any] = {}
        names = {
            "max_parallel_requests": "concurrency", "rpm": "requests_per_minute", "tpm": "tokens_per_minute",
        }  # fmt: skip
        for part in params.each():
            if part.name in names:
                number = self.variables.number(part)
                if isinstance(number, str) or (number or 0) >= 1:
                    most = MOST_AT_ONCE if part.name == "max_parallel_requests" else MOST
                    target[names[part.name]] = number if isinstance(number, str) else int(min(number, most))
            elif part.name == "timeout" and (seconds := self.variables.number(part)):
                target["with"] = {"timeouts": timeouts(seconds)}
            elif part.name == "additional_drop_params":
                target["drop"] = [literal(name) for name in part.texts()]
            elif part.name == "reasoning_effort" and part.text() in EFFORTS:
                target["effort"] = part.text()
            elif part.name == "extra_body" and part.is_mapping:
                target["set"] = literal(part.value)
            else:
                self._other(part, target, host, model)
        return target

    def _other(self, part: Part, target: dict[str, Any], host: Host, model: str) -> None:
        name = part.name
        if name in READ or name in SETTINGS or IS_COST.match(name):
            return
        if name in NEEDLESS:
            self.report.needless(part, NEEDLESS[name])
        elif name in LOST or name.startswith((*ROUTERS, *STEERING)):
            self.report.lost(
                part,
                "a deployment cannot be told this",
                LOST.get(name) or ("write rules: `rules`" if name.startswith(ROUTERS) else "leave it out"),
            )
        elif SECRET_NAME.search(name) and not name.endswith("tokens"):
            self.report.lost(part, "not known, and perhaps a secret", "see the provider's page for a setting like it")
        else:
            self._default(part, target, _dialect(host.kind, model))

    def _default(self, part: Part, target: dict[str, Any], dialect: str) -> None:
        """A field of requests that the deployment sets where the client does not, in the provider's own words."""
        value: Any = self.variables.number(part) if part.variable is not None else literal(part.value)
        if dialect not in WORDS:
            target.setdefault("defaults", {})[part.name] = value
            return
        inside, words = WORDS[dialect]
        word = words.get("max_tokens" if part.name == "max_completion_tokens" else part.name)
        if word is None:
            what = f"what `{part.name}` is in {dialect} is not known"
            self.report.lost(part, what, "put its own field into `defaults`")
            return
        value = [value] if part.name == "stop" and not isinstance(value, list) else value
        defaults = target.setdefault("defaults", {})
        (defaults.setdefault(inside, {}) if inside else defaults)[word] = value

    def _per_key(self, group: str, params: Part) -> None:
        for name, what in (("default_api_key_rpm_limit", "requests"), ("default_api_key_tpm_limit", "tokens")):
            part = params.at(name)
            number = part.number() if part is not None else None
            if number is not None:
                title = f"{group}, {what} of each key"
                limit = {"name": literal(title[:100]), "for": {"model": literal(group)}, "per": ["key"]}
                if all(other["name"] != limit["name"] for other in self.limits):
                    self.limits.append({**limit, what: int(within(number, 0, MOST)), "every": "minute"})


def timeouts(seconds: Any) -> dict[str, Any]:
    """LiteLLM's timeout, which is how long nothing may come, whole answers being one piece."""
    seconds = within(seconds, SHORTEST, WEEK)
    longest = {"total": seconds} if isinstance(seconds, int | float) and seconds > 900 else {}
    return {"first_byte": seconds, "idle": seconds, **longest}


def _dialect(kind: str, model: str) -> str:
    """What a chat with this model is asked in."""
    names = [dialect.name for dialect in kinds()[kind].dialects]
    if "openai_chat" in names and "gemini_generate" not in names and not model.startswith("claude"):
        return "ollama_chat" if names[0] == "ollama_chat" else "openai_chat"
    if "gemini_generate" in names and model.startswith("gemini"):
        return "gemini_generate"
    if "anthropic_messages" in names and "bedrock_converse" not in names:
        return "anthropic_messages" if model.startswith("claude") or "openai_chat" not in names else "openai_chat"
    return names[0]
