"""`litellm_jwtauth`: whose signed tokens are taken in place of a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.migrate.litellm.draft import Draft
from headgate.migrate.litellm.report import Report
from headgate.migrate.litellm.source import Part, Source, Variables, literal

CLAIMS = {
    "user_id_jwt_field": "user",
    "team_id_jwt_field": "team",
    "team_ids_jwt_field": "team",
    "team_alias_jwt_field": "team",
    "org_id_jwt_field": "organisation",
    "org_alias_jwt_field": "organisation",
    "user_email_jwt_field": "user",
}
"""Fields of LiteLLM_JWTAuth, and which claim each names; the first that is said counts."""
SECTIONS = {"team": "teams", "organisation": "organisations"}
BY_ID = ("team_id_jwt_field", "team_ids_jwt_field", "org_id_jwt_field")
SECONDS = {"public_key_ttl": "public keys are looked for anew when a token has an unknown one"}
LOST = {
    "admin_jwt_scope": "an administrator is a user with a role: `claims.role`",
    "user_allowed_email_domain": "`known_users: true` lets in only who stands in `users`",
    "user_allowed_roles": "`claims.role` with a `table`",
    "user_roles_jwt_field": "`claims.role` with a `table`",
    "roles_jwt_field": "`claims.role` with a `table`",
    "role_mappings": "`claims.role` with a `table`",
    "scope_mappings": "`claims.models` names the claim with the models",
    "team_id_default": "`claims.team` with a `default`",
    "end_user_id_jwt_field": "the request names the end user: `x-headgate-user`, or the body's `user`",
    "team_id_upsert": "a team has to be there",
    "user_id_upsert": "who has no entry in `users` is let in without one, unless `known_users: true`",
    "enforce_team_based_model_access": "a team's `models` hold for all its members",
    "custom_validate": "write a class: `authentication.custom`",
    "team_allowed_routes": "`paths` or `operations` of the issuer",
    "public_allowed_routes": "`/livez` and `/readyz` need no key",
    "oidc_userinfo_endpoint": "claims are read from the token",
}


Names = Mapping[str, Mapping[str, str]]


def write(source: Source, draft: Draft, report: Report, variables: Variables, names: Names) -> None:
    """`names`: of each section, what is called how here, by LiteLLM's id."""
    general = source.section("general_settings")
    enabled = general.at("enable_jwt_auth") if general is not None else None
    settings = general.at("litellm_jwtauth") if general is not None else None
    if enabled is None or not enabled.true():
        if settings is not None:
            report.needless(settings, "enable_jwt_auth is not on")
        return
    claims: dict[str, Any] = {}
    for part in settings.each() if settings is not None else ():
        _setting(part, claims, report, names)
    issuer: dict[str, Any] = {
        "name": "jwt",
        "issuer": variables.named("JWT_ISSUER", "https://placeholder.invalid"),
        "audiences": [variables.named("JWT_AUDIENCE")],
        "keys_url": variables.named("JWT_PUBLIC_KEY_URL", "https://placeholder.invalid/keys"),
    }
    if claims:
        issuer["claims"] = claims
    issuer["models"] = ["*"]
    upsert = settings.at("user_id_upsert") if settings is not None else None
    if "user" in claims and names.get("users") and not (upsert is not None and upsert.true()):
        issuer["known_users"] = True
    elif "team" not in claims:
        what = "whoever has a token of the issuer may ask for every model"
        report.todo(enabled, what, "narrow its `models`, or set `known_users: true`")
    draft.put("authentication", {"issuers": [issuer]}, "general_settings.litellm_jwtauth")
    what = "an issuer and an audience have to be said here: JWT_ISSUER and JWT_AUDIENCE"
    report.todo(enabled, what, "of several key addresses in JWT_PUBLIC_KEY_URL, make an issuer each")
    report.otherwise(enabled, "a token has to say the name or the e-mail address of a user here", "see `claims.user`")


def _setting(part: Part, claims: dict[str, Any], report: Report, names: Names) -> None:
    claim = CLAIMS.get(part.name)
    if claim is not None and part.text():
        if claim in claims:
            report.lost(part, f"one claim says the {claim}, and another is said already", "see `claims`")
        else:
            here = names.get(SECTIONS.get(claim, ""), {}) if part.name in BY_ID else {}
            table = {id: literal(name) for id, name in here.items()}
            said = literal(part.text())
            claims[claim] = {"claim": said, "table": table} if table else said
    elif part.name in SECONDS:
        report.needless(part, SECONDS[part.name])
    elif part.value is not False:
        report.lost(part, "it has no counterpart", LOST.get(part.name, "see docs/how-to/who-may-do-what.md"))
