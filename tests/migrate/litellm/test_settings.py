"""`general_settings`, `litellm_settings` and the other sections."""

import pytest

from migrations import converted


@pytest.mark.parametrize(
    ("source", "section", "value"),
    [
        ("litellm_settings: {json_logs: true}", "log", {"format": "json"}),
        ("litellm_settings: {json_logs: false}", "log", None),
        ("litellm_settings: {ssl_verify: ca.pem}", "upstream", {"ca_file": "ca.pem"}),
        (
            "litellm_settings: {upperbound_key_generate_params: {duration: 2w}}",
            "key_policy",
            {"max_days": 14},
        ),
        (
            "litellm_settings: {max_budget: 100, budget_duration: 30d}",
            "limits",
            [{"name": "the whole gateway", "money": 100, "every": "month"}],
        ),
        (
            "general_settings: {max_parallel_requests: 3}",
            "limits",
            [{"name": "requests at a time of each key", "per": ["key"], "concurrency": 3}],
        ),
        ("general_settings: {max_request_size_mb: 2}", "server", {"max_body_bytes": 2 << 20}),
        ("general_settings: {max_response_size_mb: 3}", "server", {"max_reply_bytes": 3 << 20}),
        ("general_settings: {allowed_ips: [10.0.0.0/8]}", "server", {"addresses": {"allow": ["10.0.0.0/8"]}}),
    ],
)
def test_what_is_something_here(tmp_path, source, section, value):
    (tmp_path / "ca.pem").touch()
    found = converted(tmp_path, source)
    assert found[section] == value
    assert not found.told()


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("general_settings: {alerting: [slack], surprise: 1}", ["alerting", "surprise"]),
        ("general_settings: {pass_through_endpoints: [{path: /x, target: y}]}", ["pass_through_endpoints"]),
        ("general_settings: {user_header_name: x-user}", ["user_header_name"]),
        ("general_settings: {allowed_ips: [nowhere]}", ["allowed_ips[0]"]),
        ("litellm_settings: {cache: true, callbacks: [langfuse]}", ["cache", "callbacks"]),
        ("litellm_settings: {callbacks: [prometheus], cache: false, success_callback: []}", []),
        ("litellm_settings: {ssl_verify: false}", ["ssl_verify"]),
        ("litellm_settings: {max_end_user_budget: 1}", ["max_end_user_budget"]),
        ("litellm_settings: {default_team_settings: [{team_id: x}]}", ["default_team_settings"]),
        (
            "litellm_settings: {upperbound_key_generate_params: {tpm_limit: 1}}",
            ["upperbound_key_generate_params.tpm_limit"],
        ),
    ],
)
def test_what_is_not_is_listed(tmp_path, source, places):
    section = source.partition(":")[0]
    assert list(converted(tmp_path, source).told()) == [f"{section}.{place}" for place in places]


def test_other_sections(tmp_path):
    found = converted(tmp_path, "guardrails: [{guardrail_name: x}]\nmcp_servers: {}\nsurprise: 1\n")
    assert list(found.told()) == ["guardrails", "mcp_servers", "surprise"]


def test_the_master_key_is_not_written(tmp_path):
    found = converted(tmp_path, "general_settings: {master_key: sk-master-0123456789}\n")
    assert "sk-master" not in found.text + str(found.report)
    assert "HEADGATE_ADMIN_KEY" in found.told("todo")["general_settings.master_key"]
    assert "everybody is let in" in converted(tmp_path, "model_list: []").told("todo")[""]


def test_the_database_is_not_read_but_said(tmp_path):
    source = "general_settings: {master_key: os.environ/M, database_url: x, store_model_in_db: true}\n"
    todo = converted(tmp_path, source).told("todo")
    assert "--keys" in todo["general_settings.database_url"]
    assert "general_settings.store_model_in_db" in todo
    assert "general_settings.database_url" not in converted(tmp_path, source, {"keys": []}).told("todo")


def test_variables_of_the_source(tmp_path):
    found = converted(
        tmp_path,
        "environment_variables: {OPENAI_API_KEY: sk-x-0123456789, OTHER: y}\n"
        "model_list: [{model_name: a, litellm_params: {model: openai/a}}]\n",
    )
    assert "environment_variables.OPENAI_API_KEY" in found.told("todo")
    assert "environment_variables.OTHER" in found.told("needless")
    assert list(found.variables) == ["OPENAI_API_KEY"]


def test_files_that_are_included(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "models.yaml").write_text(
        "include: [deeper.yaml]\nmodel_list: [{model_name: b, litellm_params: {model: openai/b}}]\n"
    )
    (tmp_path / "more" / "deeper.yaml").write_text("litellm_settings: {json_logs: true}\n")
    found = converted(
        tmp_path,
        "include: [more/models.yaml]\nlitellm_settings: {num_retries: 5}\n"
        "model_list: [{model_name: a, litellm_params: {model: openai/a}}]\n",
    )
    assert found["models"] == {"a": "openai/a", "b": "openai/b"}
    assert (found["retry"], found["log"]) == (None, {"format": "json"}), "a mapping takes the place of another"


def test_signed_tokens(tmp_path):
    found = converted(
        tmp_path,
        "general_settings:\n  enable_jwt_auth: true\n"
        "  litellm_jwtauth: {team_ids_jwt_field: groups, user_id_jwt_field: sub, custom_validate: x}\n",
        {"teams": [{"team_id": "t-1", "team_alias": "Search"}]},
    )
    [issuer] = found["authentication"]["issuers"]
    assert (issuer["issuer"], issuer["audiences"]) == ("${JWT_ISSUER}", ["${JWT_AUDIENCE}"])
    assert issuer["claims"] == {"team": {"claim": "groups", "table": {"t-1": "Search"}}, "user": "sub"}
    assert "known_users" not in issuer
    assert list(found.told()) == ["general_settings.litellm_jwtauth.custom_validate"]
    jwt = "general_settings: {master_key: x, enable_jwt_auth: true, litellm_jwtauth: {user_id_jwt_field: sub}}"
    assert any("may ask for every model" in todo.message for todo in converted(tmp_path, jwt).report.of("todo"))
    [issuer] = converted(tmp_path, jwt, {"users": [{"user_id": "ann"}]})["authentication"]["issuers"]
    assert issuer["known_users"] is True
    assert (
        converted(tmp_path, "general_settings: {litellm_jwtauth: {user_id_jwt_field: sub}}")["authentication"] is None
    )
