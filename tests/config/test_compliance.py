"""Presets set what nobody has said, and refuse what says less."""

import pytest

from headgate.config.compliance import LAWS, PRESETS, together
from headgate.config.load import load
from headgate.config.problems import ConfigError

PLAIN = "providers: {simulator: }\n"


def loaded(folder, text):
    path = folder / "headgate.yaml"
    path.write_text(PLAIN + text)
    return load(path, {}).config


def test_what_nobody_has_said_is_set(tmp_path):
    config = loaded(tmp_path, "compliance: [gdpr]\nretention: {payloads_days: 7}\n")
    assert (config.retention.records_days, config.retention.payloads_days) == (365, 7)
    assert (config.payloads.keep, config.payloads.encrypt) == ("off", True)
    assert config.cache.encrypt
    assert config.key_policy.max_days == 365
    assert loaded(tmp_path, "").retention.records_days is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("compliance: [gdpr]\npayloads: {keep: full}", "payloads.keep: it must be at most `redacted`"),
        ("compliance: [gdpr]\npayloads: {encrypt: false}", "payloads.encrypt: it must be true"),
        ("compliance: [ccpa]\ncache: {encrypt: false}", "cache.encrypt: it must be true"),
        ("compliance: [gdpr]\nretention: {records_days: null}", "retention.records_days: it must be said"),
        ("compliance: [hipaa]\nretention: {audit_days: 100}", "retention.audit_days: it must be at least 2192"),
        ("compliance: [hipaa]\nlogin: {idle: 1800}", "login.idle: it must be at most 900"),
        (
            "compliance: [hipaa]\nteams: {red: {retention: {records_days: 30}}}",
            "teams.red.retention.records_days: it must be at least 2192",
        ),
        ("compliance: [ccpa]\nretention: {audit_days: 365}", "retention.audit_days: it must be at least 731"),
        ("compliance: [gdpr]\nteams: {red: {payloads: full}}", "teams.red.payloads: it must be at most `redacted`"),
        (
            "compliance: [hipaa]\nkeys: [{name: k, key: sk-0123456789abcdef, payloads: full}]",
            "keys[0].payloads: it must be at most `redacted`",
        ),
        (
            "compliance: [ccpa]\nmodels: {m: {targets: [simulator/x], payloads: full}}",
            "models.m.payloads: it must be at most `redacted`",
        ),
        (
            "compliance: [gdpr]\npayloads: {classes: {a: off, health: full}}",
            "payloads.classes.health: it must be at most `redacted`",
        ),
        ("compliance: [hippa]", "compliance[0]: there is no preset `hippa`; did you mean `hipaa`?"),
    ],
)
def test_what_says_less_is_refused_where_it_stands(tmp_path, said, problem):
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, said)
    [told] = str(raised.value).splitlines()
    assert told.partition(": ")[2].startswith(problem)
    assert told.partition(": ")[0].rpartition(":")[2] == str(PLAIN.count("\n") + said.count("\n") + 1)


def test_what_says_more_is_taken(tmp_path):
    config = loaded(
        tmp_path, "compliance: [hipaa]\nretention: {audit_days: null, records_days: 4000}\nlogin: {idle: 60}\n"
    )
    assert (config.retention.audit_days, config.retention.records_days, config.login.idle) == (None, 4000, 60)


def test_presets_of_several_laws_do_what_all_ask(tmp_path):
    config = loaded(tmp_path, f"compliance: [{', '.join(LAWS)}]\n")
    for setting in together(LAWS).values():
        assert not [demand for _, demand in setting.demands if demand.wrong(setting.preset)]
    assert (config.retention.audit_days, config.retention.payloads_days) == (2192, 30)


def test_each_demand_is_of_a_setting_that_there_is(tmp_path):
    config = loaded(tmp_path, "")
    for demand in (demand for demands in PRESETS.values() for demand in demands):
        section, name = demand.place
        assert name in type(getattr(config, section)).model_fields


@pytest.mark.parametrize(
    ("said", "policies"),
    [
        ("", {"compliance-personal", "compliance-secrets"}),
        ("guards: {mine: {use: personal, with: {also: [age, date, url, username]}}}", {"mine", "compliance-secrets"}),
        ("guards: {mine: {use: personal}}", {"mine", "compliance-personal", "compliance-secrets"}),
        ("guards: {mine: {use: secrets, then: block}}", {"mine", "compliance-personal"}),
        ("guards: {mine: {use: secrets, mode: monitor}}", {"mine", "compliance-personal", "compliance-secrets"}),
        ("guards: {mine: {use: secrets, for: {model: m}}}", {"mine", "compliance-personal", "compliance-secrets"}),
        (
            "guards: {mine: {use: secrets, with: {kinds: [token]}}}",
            {"mine", "compliance-personal", "compliance-secrets"},
        ),
        ("guards: {mine: {use: secrets, then: {token: pass}}}", {"mine", "compliance-personal", "compliance-secrets"}),
    ],
)
def test_guards_that_a_law_asks_for_are_set_where_none_does_as_much(tmp_path, said, policies):
    guards = loaded(tmp_path, f"compliance: [hipaa]\nmodels: {{m: simulator/x}}\n{said}\n").guards
    assert set(guards) == policies
    if "compliance-personal" in guards:
        policy = guards["compliance-personal"]
        assert (policy.external_only, policy.then, policy.sides) == (True, {"*": "redact"}, {"before"})
        assert policy.settings["also"] == ["age", "date", "url", "username"]


def test_no_guard_is_set_where_all_providers_are_ones_own(tmp_path):
    (tmp_path / "headgate.yaml").write_text(
        "compliance: [gdpr]\n"
        "providers: {home: {kind: openai_compatible, base_url: 'http://127.0.0.1:1/v1', internal: true}}\n"
    )
    assert load(tmp_path / "headgate.yaml", {}).config.guards == {}
