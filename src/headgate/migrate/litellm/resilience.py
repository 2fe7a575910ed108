"""Retries, cooldowns and the shared state: the rest of `router_settings`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from headgate.config.interpolate import fill
from headgate.migrate.litellm.draft import Draft
from headgate.migrate.litellm.report import Report
from headgate.migrate.litellm.routing import CAUSES, Routing
from headgate.migrate.litellm.source import Part, Variables, within
from headgate.state.address import address

ERRORS = {
    "BadRequestErrorRetries": ("400",),
    "AuthenticationErrorRetries": ("401",),
    "NotFoundErrorRetries": ("404",),
    "TimeoutErrorRetries": ("timeout", "408"),
    "RateLimitErrorRetries": ("429",),
    "InternalServerErrorRetries": ("5xx",),
    "ServiceUnavailableErrorRetries": ("503",),
}
"""litellm/types/router.py, RetryPolicy: the errors here."""
MOST_REST = 120
"""What `breaker.most_rest` is where nothing is said."""
MOST_RETRIES, MOST_FAILURES = 99, 999_999
SHORTEST, DAY = 0.001, 86400
"""Bounds of what is said here."""
READ = frozenset(
    {"routing_strategy", "routing_groups", "model_group_alias", "fallbacks", "default_fallbacks", "num_retries",
     "timeout", "stream_timeout", "request_timeout", "allowed_fails", "cooldown_time", "disable_cooldowns",
     "retry_policy", "redis_url", "redis_host", "redis_port", "redis_password", "redis_db", "redis_ssl",
     *CAUSES}
)  # fmt: skip
NEEDLESS = {
    "enable_pre_call_checks": "what a model is known not to take is never sent to it (`catalogue.enforce`)",
    "set_verbose": "`log.level` says how much is logged",
    "debug_level": "`log.level` says how much is logged",
    "client_ttl": "connections are kept and closed by themselves",
    "ignore_invalid_deployments": "`headgate check` tells of them",
    "max_fallbacks": "every target is asked once",
    "enable_weighted_failover": "every target of a name is asked before its fallbacks",
    "polling_interval": "a request that waits for a limit is woken when there is room",
    "cache_kwargs": "`cache` says where answers are kept",
}
LOST = {
    "routing_strategy_args": "see the policy's settings: `policy: {use: …, with: {…}}`",
    "allowed_fails_policy": "`breaker.failures` counts all errors that a target is to blame for",
    "model_group_retry_policy": "`retry` holds for all names",
    "retry_after": "`retry.backoff` is the most that is waited before the second attempt, and doubles",
    "enable_tag_filtering": "give targets `traits`, and keys `requires`; or write rules that go by `tags`",
    "tag_filtering_match_any": "see `enable_tag_filtering`",
    "optional_pre_call_checks": "the policy `sticky` keeps sessions, users, keys or prompts at one target",
    "deployment_affinity_ttl_seconds": "the policy `sticky` needs no time",
    "model_group_affinity_config": "the policy `sticky`, by name",
    "provider_budget_config": "limit the names that clients ask for: `limits` with `for: {model: …}, money: …`",
    "default_litellm_params": "`defaults` of each provider",
    "default_max_parallel_requests": "`concurrency` of each target",
    "default_priority": "clients say `x-headgate-priority`",
    "caching_groups": "`cache` stands with each name",
    "cache_responses": "`cache` of a name, or `cache.others`",
    "alerting_config": "alert on the metrics: docs/how-to/monitor.md",
    "assistants_config": "OpenAI's assistants are reached under `/<provider>/v1`",
    "search_tools": "there is no such API",
    "guardrail_list": "there are no guardrails yet",
    "enable_mid_stream_fallback_continuation": "`resume: true` of the name",
    "plugins": "write a stage or a policy: docs/how-to/write-a-plugin.md",
}


def write(draft: Draft, routing: Routing, report: Report, variables: Variables) -> None:
    """Puts `retry`, `breaker` and `state` in, and tells what else stands in `router_settings`."""
    _retry(draft, routing, report, variables)
    _breaker(draft, routing, report, variables)
    _state(draft, routing, report, variables)
    section = routing.source.section("router_settings")
    for part in section.each() if section is not None else ():
        if part.name in NEEDLESS:
            report.needless(part, NEEDLESS[part.name])
        elif part.name not in READ:
            report.lost(part, "not known here", LOST.get(part.name, "leave it out"))


def _retry(draft: Draft, routing: Routing, report: Report, variables: Variables) -> None:
    said: dict[str, Any] = {}
    part = routing.said("num_retries")
    retries = variables.number(part) if part is not None else None
    policy = routing.said("retry_policy")
    counts: list[int] = []
    for error in policy.each() if policy is not None else ():
        count = error.number()
        if error.name not in ERRORS or count is None:
            report.lost(error, "no such error is told from others", "see `retry.ways`")
            continue
        counts.append(int(within(count, 0, MOST_RETRIES)))
        said.setdefault("ways", {}).update(dict.fromkeys(ERRORS[error.name], "again" if count else "next"))
    if isinstance(retries, int | float):
        counts.append(int(within(retries, 0, MOST_RETRIES)))
    if counts:
        said["attempts"] = max(counts) + 1
    elif isinstance(retries, str) and part is not None:
        report.lost(part, "a number of retries from a variable", "set `retry.attempts`, which is one more")
    if policy is not None and "ways" in said:
        report.otherwise(policy, "whether an error is retried is by error, how often is for all: `retry.attempts`")
    draft.put("retry", said, "num_retries and retry_policy: attempts at all targets together, the first one counts")


def _breaker(draft: Draft, routing: Routing, report: Report, variables: Variables) -> None:
    said: dict[str, Any] = {}
    fails, rest = routing.said("allowed_fails"), routing.said("cooldown_time")
    off = routing.said("disable_cooldowns")
    seconds = variables.number(rest) if rest is not None else None
    if (off is not None and off.true()) or seconds == 0:
        draft.put("breaker", {"enabled": False}, "disable_cooldowns, or a cooldown_time of 0")
        return
    count = fails.number() if fails is not None else None
    if fails is not None and count is not None:
        said["failures"] = int(within(count, 0, MOST_FAILURES)) + 1
        report.otherwise(fails, "failures are counted in a row, not in a minute", "see `breaker`")
    seconds = within(seconds, SHORTEST, DAY)
    if seconds is not None:
        said["rest"] = seconds
        if isinstance(seconds, int | float) and seconds > MOST_REST:
            said["most_rest"] = seconds
    draft.put("breaker", said, "allowed_fails and cooldown_time")


def _state(draft: Draft, routing: Routing, report: Report, variables: Variables) -> None:
    """The Redis that LiteLLM's instances share."""
    router = routing.source.section("router_settings")
    litellm = routing.source.section("litellm_settings")
    cache = litellm.at("cache_params") if litellm is not None else None
    url, place = None, router
    if router is not None:
        names = {name: f"redis_{name}" for name in ("url", "host", "port", "password", "db", "ssl")}
        url = _url(router, names, report, variables)
    kind = cache.at("type") if cache is not None else None
    if url is None and cache is not None and (kind is None or kind.text() == "redis"):
        names = {name: name for name in ("url", "host", "port", "username", "password", "db", "ssl")}
        url, place = _url(cache, names, report, variables), cache
    if url is not None and place is not None and not _is_address(url, variables):
        report.lost(place, "no address of a Redis", "write it under `state.url`")
    elif url is not None:
        draft.put("state", {"url": url}, "where LiteLLM counts together, too; the names of keys differ")


def _is_address(url: str, variables: Variables) -> bool:
    text = fill(url, variables.samples).text
    try:
        address(text)
    except ValueError:
        return False
    return text.isascii() and text.isprintable() and " " not in text


def _url(part: Part, names: dict[str, str], report: Report, variables: Variables) -> str | None:
    found = {name: said for name, word in names.items() if (said := part.at(word)) is not None}
    if "url" in found:
        text = found["url"].text()
        if "@" in text and found["url"].variable is None:
            report.secret(found["url"], "put it into a variable, and write ${NAME}")
        return variables.written(found["url"], "redis://placeholder.invalid:6379/0")
    if "host" not in found:
        return None
    samples = {"host": "placeholder.invalid", "port": "6379", "db": "0"}
    written = {name: variables.written(said, samples.get(name, "")) for name, said in found.items()}
    password = found.get("password")
    if password is not None and password.variable is None and password.text():
        report.secret(password, "put it into a variable, and write ${NAME}")
        written["password"] = quote(password.text(), safe="")
    elif password is not None and password.variable is not None:
        what = "the password becomes part of an address here: signs such as @ / : have to be written as %40 %2F %3A"
        report.otherwise(password, what, f"look at {password.variable}")
    who = f"{written.get('username', '')}:{written['password']}@" if written.get("password") else ""
    scheme = "rediss" if "ssl" in found and found["ssl"].true() else "redis"
    port, database = written.get("port", "6379"), f"/{written['db']}" if "db" in written else ""
    return f"{scheme}://{who}{written['host']}:{port}{database}"
