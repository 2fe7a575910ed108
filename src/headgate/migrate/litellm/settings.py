"""`general_settings`, `litellm_settings` and other sections: what of them is something here, and what is not."""

from __future__ import annotations

import ipaddress
from typing import Any

from headgate.config.limits import MOST
from headgate.migrate.litellm import resilience
from headgate.migrate.litellm.amounts import in_seconds, money, window
from headgate.migrate.litellm.draft import Draft
from headgate.migrate.litellm.report import Report
from headgate.migrate.litellm.source import Part, Source, Variables, within

READ = frozenset(
    {"model_list", "router_settings", "general_settings", "litellm_settings", "credential_list",
     "environment_variables"}
)  # fmt: skip
SECTIONS = {
    "guardrails": "there are no guardrails yet",
    "mcp_servers": "there is no MCP gateway yet",
    "mcp_tools": "there is no MCP gateway yet",
    "prompts": "`system` of a target",
    "policies": "there are no guardrails yet",
    "policy_attachments": "there are no guardrails yet",
    "vector_store_registry": "there is no such API",
    "search_tools": "there is no such API",
    "files_settings": "files are reached under `/<provider>/v1/files`",
    "finetune_settings": "fine-tuning is reached under `/<provider>/v1`",
    "assistant_settings": "assistants are reached under `/<provider>/v1`",
    "callback_settings": "records are in the journal, figures at `/metrics`: docs/how-to/read-records.md",
    "agent_list": "there are no agents",
}
GENERAL_LOST = {
    "alerting": "alert on the metrics: docs/how-to/monitor.md",
    "alert_types": "alert on the metrics: docs/how-to/monitor.md",
    "alerting_args": "alert on the metrics: docs/how-to/monitor.md",
    "alerting_threshold": "alert on the metrics: docs/how-to/monitor.md",
    "alert_to_webhook_url": "alert on the metrics: docs/how-to/monitor.md",
    "spend_report_frequency": "sum up `cost` of the records: docs/how-to/read-records.md",
    "pass_through_endpoints": "every provider's own API is served under `/<provider>/…`; make a provider of the host",
    "user_header_name": "clients name their user in `x-headgate-user`, or in the body's `user`",
    "user_header_mappings": "clients name their user in `x-headgate-user`, or in the body's `user`",
    "litellm_key_header_name": "keys come as `Authorization: Bearer`, `x-api-key`, `api-key` or `x-goog-api-key`",
    "custom_auth": "write a class: docs/how-to/who-may-do-what.md, and name it in `authentication.custom`",
    "custom_sso": "docs/how-to/log-in.md says how administrators come in",
    "custom_key_generate": "keys are made through the admin API: docs/how-to/administer.md",
    "enable_oauth2_auth": "`authentication.introspection`: docs/how-to/who-may-do-what.md",
    "enable_oauth2_proxy_auth": "`authentication.certificates`, or a class of yours",
    "oauth2_config_mappings": "`authentication.introspection`: docs/how-to/who-may-do-what.md",
    "use_x_forwarded_for": "name the proxies in front in `server.trusted_proxies`",
    "enforce_user_param": "limit end users: `limits` with `per: [end_user]`",
    "enforced_params": "write a stage: docs/how-to/write-a-plugin.md",
    "completion_model": "clients say which model; a rule may give another",
    "embedding_model": "clients say which model; a rule may give another",
    "image_generation_model": "clients say which model; a rule may give another",
    "moderation_model": "clients say which model; a rule may give another",
    "allowed_routes": "`paths` or `operations` of keys, teams or organisations",
    "admin_only_routes": "`operations` of keys",
    "public_routes": "`/livez` and `/readyz` need no key, and nothing else does",
    "key_management_system": "docs/how-to/keep-secrets.md says where secrets may be",
    "key_management_settings": "docs/how-to/keep-secrets.md says where secrets may be",
    "use_azure_key_vault": "docs/how-to/keep-secrets.md says where secrets may be",
    "use_google_kms": "docs/how-to/keep-secrets.md says where secrets may be",
    "background_health_checks": "`breaker.check: true` asks targets that have rested a small question",
    "health_check_interval": "`breaker.rest` is when a target is asked again",
    "allow_client_side_credentials": "no client chooses where a request goes, nor with which key",
    "forward_client_headers_to_llm_api": "only headers that an API knows go to providers; `headers` of a provider adds",
    "reject_clientside_metadata_tags": "`tags` of a key are added to those of its requests",
    "store_prompts_in_spend_logs": "records hold no prompts",
    "service_account_settings": "`paths` or `limits` of keys",
    "default_team_disabled": "members make keys as their role says: docs/how-to/administer.md",
    "upperbound_key_generate_params": "`key_policy.max_days`",
    "max_in_flight_requests_per_worker": "`server.max_requests`",
}
NEEDLESS = {
    "allow_requests_on_db_unavailable": "no request waits for a database",
    "disable_spend_logs": "every request has one record in the journal",
    "disable_spend_updates": "every request has one record in the journal",
    "user_api_key_cache_ttl": "keys are in memory, and changed everywhere within a second",
    "infer_model_from_keys": "providers without a file are found by their variables",
    "disable_master_key_return": "the admin key is kept as its hash, and shown nowhere",
    "disable_adding_master_key_hash_to_db": "the admin key is kept as its hash, and shown nowhere",
    "cancel_on_disconnect": "what a client no longer waits for is cancelled",
    "ui_access_mode": "what each role may do is fixed: docs/how-to/administer.md",
    "litellm_license": "all of it is free",
    "drop_params": "what a crossing cannot carry is named in `x-headgate-lost`; to leave more out: `drop` of a target",
    "modify_params": "what a provider needs is said as it needs it",
    "turn_off_message_logging": "records hold no prompts",
    "redact_messages_in_exceptions": "errors hold no prompts",
    "redact_user_api_key_info": "records hold a key's name, never the key",
    "set_verbose": "`log.level` says how much is logged",
    "suppress_debug_info": "`log.level` says how much is logged",
    "telemetry": "nothing is sent to anybody",
    "token": "nothing is sent to anybody",
    "enable_preview_features": "leave it out",
    "disable_hf_tokenizer_download": "nothing is downloaded",
    "aiohttp_trust_env": "proxies are taken from HTTPS_PROXY and NO_PROXY",
}
DATABASE = (
    "database_", "disable_prisma", "proxy_batch_", "proxy_budget_rescheduler", "disable_reset_budget",
    "maximum_spend_logs", "scheduled_job", "use_redis_transaction",
)  # fmt: skip
LITELLM_LOST = {
    "cache": "`cache` of a name, or `cache.others`; `docs/how-to/cache-answers.md`",
    "cache_params": "there is no cache of answers yet",
    "success_callback": "records are in the journal, figures at `/metrics`: docs/how-to/read-records.md",
    "failure_callback": "records are in the journal, figures at `/metrics`: docs/how-to/read-records.md",
    "callbacks": "records are in the journal, figures at `/metrics`; a stage may do more",
    "service_callback": "figures are at `/metrics`",
    "default_team_settings": "records name the team; filter them: docs/how-to/read-records.md",
    "default_team_params": "give each team its `models` and `limits`",
    "default_key_generate_params": "give keys their `models` and `limits` when they are made",
    "default_internal_user_params": "give each user its `role` and `limits`",
    "key_generation_settings": "who may make keys follows from the role: docs/how-to/administer.md",
    "max_internal_user_budget": "`limits` with `per: [user]`",
    "internal_user_budget_duration": "see `max_internal_user_budget`",
    "max_user_budget": "`limits` with `per: [user]`",
    "max_ui_session_budget": "leave it out",
    "guardrails": "there are no guardrails yet",
    "mcp_aliases": "there is no MCP gateway yet",
    "model_alias_map": "a name of `models` for each",
    "ssl_certificate": "a certificate of its own for providers has no setting",
    "forward_traceparent_to_llm_provider": "only headers that an API knows go to providers",
    "tag_budget_config": "`limits` with `for: {tag: …}, money: …`",
    "custom_provider_map": "write a provider: docs/how-to/add-a-provider.md",
    "budget_reset_time": "windows begin at midnight, in `time_zone` of each limit",
    "timezone": "`time_zone` of each limit",
    "force_ipv4": "leave it out",
    "public_model_groups": "`/v1/models` shows what a key may use",
}


NOTHING: tuple[Any, ...] = (False, [], ["prometheus"])
"""Of callbacks and the cache: none is wanted, or what `/metrics` says anyway."""


class Settings:
    """Reads both sections."""

    def __init__(self, source: Source, report: Report, variables: Variables, draft: Draft, with_keys: bool) -> None:
        self.source = source
        self.report = report
        self.variables = variables
        self.draft = draft
        self.with_keys = with_keys

    def write(self) -> None:
        for name in self.source.sections:
            section = self.source.section(name)
            assert section is not None
            if name not in READ:
                self.report.lost(section, "a section that has no counterpart", SECTIONS.get(name, "leave it out"))
        general, litellm = self.source.section("general_settings"), self.source.section("litellm_settings")
        if general is None or general.at("master_key") is None:
            place = general or self.source.root
            what = "without a master key everybody is let in there; here nobody is without a key"
            self.report.todo(place, what, "give clients keys: `headgate key new`")
        for part in general.each() if general is not None else ():
            self._general(part)
        for part in litellm.each() if litellm is not None else ():
            self._litellm(part)
        self._budgets(litellm)

    def environment(self) -> None:
        """Told when all is written: what of `environment_variables` the result asks for."""
        section = self.source.section("environment_variables")
        for part in section.each() if section is not None else ():
            if part.name in self.variables.samples:
                self.report.todo(part, f"set {part.name} before the start", "its value is not copied")
            else:
                self.report.needless(part, "nothing that was carried over asks for it")

    def _general(self, part: Part) -> None:
        name, number = part.name, part.number()
        match name:
            case "master_key":
                self._master_key(part)
            case "database_url":
                if not self.with_keys:
                    hint = "export its tables, and give them with --keys: docs/how-to/come-from-litellm.md"
                    self.report.todo(part, "keys, teams, users and budgets in the database are not read", hint)
            case "store_model_in_db":
                hint = "write those made in its console into `model_list`, with their keys, and import again"
                if part.true():
                    self.report.todo(part, "models in the database are not read", hint)
            case "max_parallel_requests" if number is not None:
                most = int(within(number, 0, MOST))
                self._limit({"name": "requests at a time of each key", "per": ["key"], "concurrency": most}, name)
            case "global_max_parallel_requests" if number is not None:
                self._limit({"name": "requests at a time", "concurrency": int(within(number, 0, MOST))}, name)
            case "max_request_size_mb" if number:
                self._size("max_body_bytes", number, name)
            case "max_response_size_mb" if number:
                self._size("max_reply_bytes", number, name)
            case "allowed_ips":
                self._addresses(part)
            case "enable_jwt_auth" | "litellm_jwtauth":
                pass  # tokens.py
            case _:
                self._otherwise(part, GENERAL_LOST)

    def _litellm(self, part: Part) -> None:
        match part.name:
            case "json_logs":
                if part.true():
                    self.draft.put("log", {"format": "json"}, "litellm_settings.json_logs")
            case "ssl_verify" if part.text().lower() not in ("true", "false"):
                self.draft.put("upstream", {"ca_file": self.variables.written(part)}, "litellm_settings.ssl_verify")
            case "ssl_verify":
                if not part.true():
                    self.report.lost(part, "certificates are always checked", "`upstream.ca_file` names who to trust")
            case "cache" | "success_callback" | "failure_callback" | "callbacks" if part.value in NOTHING:
                pass
            case "upperbound_key_generate_params":
                self._upper_bounds(part)
            case "max_budget" | "budget_duration" | "max_end_user_budget":
                pass  # _budgets
            case name if name in resilience.READ:
                pass  # routing.py, resilience.py
            case _:
                self._otherwise(part, LITELLM_LOST)

    def _otherwise(self, part: Part, lost: dict[str, str]) -> None:
        if part.value is False and part.name not in lost:
            return
        if part.name in NEEDLESS:
            self.report.needless(part, NEEDLESS[part.name])
        elif part.name.startswith(DATABASE):
            self.report.needless(part, "there is no such database here")
        else:
            what = "it has no counterpart" if part.name in lost else "it is not known here"
            self.report.lost(part, what, lost.get(part.name, "leave it out"))

    def _master_key(self, part: Part) -> None:
        where = f"put what is in {part.variable} there" if part.variable else "put it there, and nowhere else"
        self.report.todo(part, "the master key is the admin key here: HEADGATE_ADMIN_KEY", where)

    def _limit(self, limit: dict[str, Any], name: str) -> None:
        self.draft.append("limits", limit, f"general_settings.{name}")

    def _size(self, setting: str, megabytes: float, name: str) -> None:
        self.draft.put("server", {setting: int(within(megabytes * (1 << 20), 1024, MOST))}, f"general_settings.{name}")

    def _addresses(self, part: Part) -> None:
        allowed = []
        for each in part.each():
            try:
                ipaddress.ip_network(each.text(), strict=False)
            except ValueError:
                self.report.lost(each, "not an address or network", "write it like 10.0.0.0/8")
            else:
                allowed.append(each.text())
        if allowed:
            self.draft.put("server", {"addresses": {"allow": allowed}}, "general_settings.allowed_ips")

    def _upper_bounds(self, part: Part) -> None:
        for each in part.each():
            seconds = in_seconds(each.text()) if each.name == "duration" else None
            if seconds:
                days = min(max(seconds // 86400, 1), 3650)
                self.draft.put("key_policy", {"max_days": days}, "upperbound_key_generate_params.duration")
            else:
                self.report.lost(each, "only how long keys live is bounded for all", "`limits` with `per: [key]`")

    def _budgets(self, litellm: Part | None) -> None:
        """Budgets for all, and for each end user."""
        if litellm is None:
            return
        duration = litellm.at("budget_duration")
        everybody: tuple[tuple[str, str, list[str]], ...] = (
            ("max_budget", "the whole gateway", []),
            ("max_end_user_budget", "each end user", ["end_user"]),
        )
        for name, title, per in everybody:
            part = litellm.at(name)
            if part is None:
                continue
            found = window(duration.text() if duration is not None and name == "max_budget" else None)
            amount = money(part.value, found.share)
            if amount is None:
                self.report.lost(part, "a budget that is not a plain number", "write it under `limits`")
                continue
            limit = {"name": title, **({"per": per} if per else {}), "money": amount, "every": found.every}
            self.draft.append("limits", limit, f"litellm_settings.{name}")
            if found.laxer:
                self.report.lost(part, found.otherwise, "look at the records now and then")
            elif found.otherwise:
                self.report.otherwise(part, found.otherwise, "see `limits`")
