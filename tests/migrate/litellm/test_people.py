"""Keys, teams, users and organisations, from their tables."""

import hashlib

import pytest

from headgate.config.problems import ConfigError
from migrations import converted

CONFIG = """
model_list:
  - {model_name: gpt, litellm_params: {model: openai/gpt-4o}, model_info: {access_groups: [all of them]}}
  - {model_name: claude, litellm_params: {model: anthropic/claude}, model_info: {access_groups: [all of them]}}
  - {model_name: openai/*, litellm_params: {model: openai/*}}
general_settings: {master_key: os.environ/M}
"""
TOKEN = hashlib.sha256(b"sk-one").hexdigest()


def key_of(tmp_path, row, **tables):
    found = converted(tmp_path, CONFIG, {"keys": [{"token": TOKEN, "key_alias": "one", **row}], **tables})
    [key] = found["keys"]
    return key, found


def test_a_key_goes_on_working(tmp_path):
    key, found = key_of(tmp_path, {})
    assert key == {"name": "one", "key_hash": f"sha256:{TOKEN}", "models": ["*"]}
    assert not found.told()


@pytest.mark.parametrize(
    ("listed", "models", "told"),
    [
        ([], ["*"], False),
        (["gpt"], ["gpt"], False),
        (["all-team-models"], ["*"], False),
        (["all-proxy-models"], ["*"], False),
        (["no-default-models"], [], False),
        (["all of them"], ["gpt", "claude"], False),
        (["openai/*", "openai/gpt-4o"], ["openai/*", "openai/gpt-4o"], False),
        (["gone"], [], True),
    ],
)
def test_models_of_a_key(tmp_path, listed, models, told):
    key, found = key_of(tmp_path, {"models": listed})
    assert key["models"] == models
    assert bool(found.told()) == told


def test_a_pattern_of_models(tmp_path):
    key, found = key_of(tmp_path, {"models": ["cl*"]})
    assert key["models"] == ["claude"]
    assert list(found.told("otherwise")) == ["LiteLLM_VerificationToken.models"]


@pytest.mark.parametrize(
    ("row", "limits"),
    [
        ({"max_budget": 5, "budget_duration": "1d", "soft_budget": 4}, [{"money": 5, "every": "day", "warn_at": 0.8}]),
        ({"max_budget": 0.1, "budget_duration": "1mo"}, [{"money": 0.1, "every": "month"}]),
        ({"max_budget": 5, "budget_duration": "14d"}, [{"money": 5, "every": "month"}]),
        ({"max_budget": 12, "budget_duration": "90d"}, [{"money": 4, "every": "month"}]),
        ({"tpm_limit": 9, "rpm_limit": 3}, [{"requests": 3, "every": "minute"}, {"tokens": 9, "every": "minute"}]),
        ({"max_parallel_requests": 2}, [{"concurrency": 2}]),
        (
            {"budget_limits": [{"budget_duration": "1h", "max_budget": 1}, {"budget_duration": "7d", "max_budget": 2}]},
            [{"money": 1, "every": "hour"}, {"money": 2, "every": "week"}],
        ),
        ({"budget_id": "b"}, [{"money": 3, "every": "hour"}, {"requests": 8, "every": "minute"}]),
        ({"budget_id": "b", "rpm_limit": 2}, [{"money": 3, "every": "hour"}, {"requests": 2, "every": "minute"}]),
    ],
)
def test_budgets_and_rates(tmp_path, row, limits):
    budget = {"budget_id": "b", "max_budget": 3, "budget_duration": "1h", "rpm_limit": 8}
    key, found = key_of(tmp_path, row, budgets=[budget])
    assert key["limits"] == limits
    assert not found.told()


def test_a_budget_that_never_begins_anew_is_listed(tmp_path):
    key, found = key_of(tmp_path, {"max_budget": 5})
    assert key["limits"] == [{"money": 5, "every": "month"}]
    assert "never begins anew" in found.told()["LiteLLM_VerificationToken.max_budget"]


def test_budgets_by_model(tmp_path):
    row = {
        "model_max_budget": {"gpt": {"budget_limit": 1, "time_period": "1d"}, "gone": 2},
        "metadata": {"model_rpm_limit": {"claude": 4}, "note": "x"},
    }
    _, found = key_of(tmp_path, row)
    assert [(limit["for"], limit.get("money"), limit.get("requests"), limit["every"]) for limit in found["limits"]] == [
        ({"key": "one", "model": "claude"}, None, 4, "minute"),
        ({"key": "one", "model": "gpt"}, 1, None, "day"),
    ]
    assert set(found.told()) == {f"LiteLLM_VerificationToken.{name}" for name in ("model_max_budget", "metadata")}


@pytest.mark.parametrize(
    ("row", "more"),
    [
        ({"expires": "2031-01-01T10:00:00"}, {"expires": "2031-01-01T10:00:00Z"}),
        ({"expires": "2031-01-01 12:00:00+02:00"}, {"expires": "2031-01-01T10:00:00Z"}),
        ({"blocked": True}, {"enabled": False}),
        ({"metadata": {"tags": ["a", "b"]}}, {"tags": ["a", "b"]}),
        ({"allowed_routes": ["llm_api_routes"]}, {}),
        (
            {"allowed_routes": ["/chat/completions", "/v1/embeddings"]},
            {"paths": ["/chat/completions", "/v1/chat/completions", "/v1/embeddings"]},
        ),
        ({"key_alias": "admin"}, {"name": f"key {TOKEN[:8]}"}),
    ],
)
def test_what_else_a_key_has(tmp_path, row, more):
    key, found = key_of(tmp_path, row)
    assert key == {"name": "one", "key_hash": f"sha256:{TOKEN}", "models": ["*"], **more}
    assert not found.told()


@pytest.mark.parametrize("end", ["01/31/2031", "infinity", 1924992000, "0001-01-01T00:00:00+14:00"])
def test_a_key_whose_end_cannot_be_read_is_off(tmp_path, end):
    key, found = key_of(tmp_path, {"expires": end})
    assert key["enabled"] is False
    assert list(found.told()) == ["LiteLLM_VerificationToken.expires"]


def test_what_narrows_a_member_or_an_end_user_and_has_no_counterpart_is_listed(tmp_path):
    budget = {"budget_id": "b", "rpm_limit": 3, "allowed_models": ["gpt"], "model_max_budget": {"gpt": 1}}
    tables = {
        "teams": [{"team_id": "t", "model_id": 4}], "users": [{"user_id": "u"}], "budgets": [budget],
        "team_memberships": [{"team_id": "t", "user_id": "u", "budget_id": "b"}],
        "customers": [{"user_id": "c", "allowed_model_region": "eu", "default_model": "gpt"}],
    }  # fmt: skip
    found = converted(tmp_path, CONFIG, tables)
    assert [limit["requests"] for limit in found["limits"]] == [3]
    assert set(found.told()) == {
        "LiteLLM_BudgetTable.allowed_models", "LiteLLM_BudgetTable.model_max_budget",
        "LiteLLM_EndUserTable.allowed_model_region", "LiteLLM_EndUserTable.default_model",
        "LiteLLM_TeamTable.model_id",
    }  # fmt: skip


def test_a_key_for_management_alone_may_ask_for_nothing(tmp_path):
    key, found = key_of(tmp_path, {"allowed_routes": ["management_routes"]})
    assert key["operations"] == []
    assert list(found.told()) == ["LiteLLM_VerificationToken.allowed_routes"]


def test_what_of_a_key_has_no_counterpart(tmp_path):
    row = {"spend": 2.5, "permissions": {"x": 1}, "aliases": {"a": "gpt"}, "auto_rotate": True, "config": {}}
    _, found = key_of(tmp_path, row)
    assert set(found.told()) == {
        f"LiteLLM_VerificationToken.{name}" for name in ("spend", "permissions", "aliases", "auto_rotate")
    }


@pytest.mark.parametrize("token", [hashlib.sha256(b"sk-1234").hexdigest(), "nonsense", ""])
def test_keys_that_are_left_out(tmp_path, token):
    found = converted(tmp_path, CONFIG, {"keys": [{"token": token}]})
    assert found["keys"] is None
    assert list(found.told()) == ["LiteLLM_VerificationToken.token"]


def test_whose_keys_are(tmp_path):
    key, found = key_of(
        tmp_path,
        {"team_id": "t", "user_id": "u", "organization_id": "o"},
        organizations=[{"organization_id": "o", "organization_alias": "Contoso", "models": ["gpt"]}],
        teams=[
            {"team_id": "t", "team_alias": "Search", "organization_id": "o", "models": ["all-proxy-models"]},
            {"team_id": "t2", "team_alias": "Search", "blocked": True,
             "members_with_roles": [{"user_id": "u", "role": "admin"}, {"user_id": "u3", "role": "user"}]},
        ],
        users=[{"user_id": "u", "user_email": "ann@contoso.example", "user_role": "proxy_admin_viewer"}],
    )  # fmt: skip
    assert (key["team"], key["user"]) == ("Search", "ann@contoso.example")
    assert found["organisations"] == {"Contoso": {"models": ["gpt"]}}
    assert found["teams"] == {"Search": {"organisation": "Contoso"}, "t2": {"enabled": False}}
    assert found["users"] == {
        "ann@contoso.example": {"email": "ann@contoso.example", "role": "auditor", "teams": ["t2", "Search"]},
        "u3": {"teams": ["t2"]},
    }
    assert list(found.told()) == ["LiteLLM_TeamTable.members_with_roles"]


def test_a_users_models_hold_for_keys_of_no_team_alone(tmp_path):
    users = [{"user_id": "u", "models": ["gpt"]}, {"user_id": "none", "models": ["no-default-models"]}]
    for row, models in (
        ({"user_id": "u"}, ["gpt"]),
        ({"user_id": "u", "models": ["gpt", "claude"]}, ["gpt"]),
        ({"user_id": "u", "team_id": "t"}, ["*"]),
        ({"user_id": "none"}, []),
    ):
        key, found = key_of(tmp_path, row, users=users, teams=[{"team_id": "t"}])
        assert key["models"] == models, row
        assert "models" not in found["users"]["u"]


@pytest.mark.parametrize(("team", "told"), [({"models": ["gpt"]}, True), ({"blocked": True}, True), ({}, False)])
def test_what_bounds_a_users_teams_bounds_the_users_own_keys_and_is_told(tmp_path, team, told):
    members = {"teams": [{"team_id": "t", **team}], "users": [{"user_id": "u", "teams": ["t"]}]}
    key, found = key_of(tmp_path, {"user_id": "u"}, **members)
    assert key["user"] == "u"
    assert ("LiteLLM_VerificationToken.user_id" in found.told("otherwise")) == told


def test_a_team_that_is_not_in_the_export(tmp_path):
    key, found = key_of(tmp_path, {"team_id": "t"})
    assert (key["team"], found["teams"]) == ("t", {"t": {}})
    assert "LiteLLM_VerificationToken.team_id" in found.told("todo")


def test_many_alike_are_one_line(tmp_path):
    hashes = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(9)]
    rows = [{"token": token, "key_alias": f"k{number}", "spend": 1} for number, token in enumerate(hashes)]
    found = converted(tmp_path, CONFIG, {"keys": rows})
    assert "(9: k0, k1, k2, k3, k4 and 4 more)" in found.told()["LiteLLM_VerificationToken.spend"]


def test_keys_as_csv(tmp_path):
    text = (
        "token,key_alias,models,max_budget,budget_duration,blocked,metadata,spend\n"
        f'{TOKEN},one,"{{gpt,""openai/*""}}",5,30d,f,"{{""tags"": [""a""]}}",0\n'
        f"{'0' * 64},two,{{}},,,t,{{}},0\n"
    )
    found = converted(tmp_path, CONFIG, text)
    assert found["keys"] == [
        {"name": "one", "key_hash": f"sha256:{TOKEN}", "models": ["gpt", "openai/*"], "tags": ["a"],
         "limits": [{"money": 5, "every": "month"}]},
        {"name": "two", "key_hash": f"sha256:{'0' * 64}", "models": ["*"], "enabled": False},
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["nonsense", "a,b\n1,2\n", "{", '{"LiteLLM_VerificationToken": 1}', '{"x": []}'])
def test_what_is_no_export_is_refused(tmp_path, text):
    with pytest.raises(ConfigError):
        converted(tmp_path, CONFIG, text)


def test_a_table_that_is_not_read_is_listed(tmp_path):
    assert list(converted(tmp_path, CONFIG, {"keys": [], "LiteLLM_SpendLogs": []}).told()) == ["LiteLLM_SpendLogs"]
