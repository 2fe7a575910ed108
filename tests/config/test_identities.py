"""Whose a key is, what it may do by that, and what is said of a configuration that contradicts itself."""

import pytest

from headgate.config.identities import callers
from headgate.config.load import load
from headgate.core.caller import Belongs

KEY = "client-key-of-good-length"
BASE = """
providers: {simulator: }
models: {small: simulator/s, large: simulator/l}
organisations:
  acme: {models: [small, large, 'simulator/*'], requires: [eu], tags: [acme]}
  other:
teams:
  research: {organisation: acme, models: ['*'], operations: [chat, embeddings]}
  sales: {organisation: acme}
applications:
  shop: {team: research, models: [small], paths: [/v1/chat/completions]}
  alone: {organisation: other}
users:
  ann: {teams: [research, sales], role: team_admin, addresses: {allow: [10.0.0.0/8]}}
  bob: {}
"""


def read(tmp_path, text):
    (tmp_path / "headgate.yaml").write_text(BASE + text)
    return load(tmp_path / "headgate.yaml", {}).config


@pytest.fixture
def caller(tmp_path):
    """The caller of a key with these words in its entry."""

    def make(words):
        config = read(tmp_path, f"keys: [{{name: k, key: {KEY}, {words}}}]")
        ((_, made),) = callers(config.keys, config.people)
        return made

    return make


@pytest.mark.parametrize(
    ("words", "belongs"),
    [
        ("", (None, None, None, None)),
        ("organisation: acme", ("acme", None, None, None)),
        ("team: sales", ("acme", "sales", None, None)),
        ("application: shop", ("acme", "research", "shop", None)),
        ("application: alone", ("other", None, "alone", None)),
        ("user: ann", ("acme", "research", None, "ann")),
        ("user: ann, team: sales", ("acme", "sales", None, "ann")),
        ("user: bob, application: shop", ("acme", "research", "shop", "bob")),
    ],
)
def test_whose_a_key_is(caller, words, belongs):
    assert caller(words).belongs == Belongs(*belongs)


def test_all_have_to_allow_what_a_key_may(caller):
    made = caller("application: shop, models: [small, large]")
    assert [made.may_use(name) for name in ("small", "large", "simulator/s")] == [True, False, False]
    assert made.operations == {"chat", "embeddings"}
    assert made.paths == (("/v1/chat/completions",),)
    assert (made.requires, made.tags) == ({"eu"}, ("acme",))
    assert not caller("team: research, models: [large]").may_use("small")
    assert caller("team: research").may_use("simulator/anything")
    assert caller("models: ['*']").models is None
    assert not caller("team: research, models: []").may_use("small")


def test_only_the_key_itself_says_that_it_is_for_the_admin_api(caller):
    made = caller("user: ann, operations: [admin, chat, images]")
    assert (made.operations, made.role) == ({"admin", "chat"}, "team_admin")
    assert not caller("user: ann").may_do("admin")


def test_addresses_of_all_count(caller):
    made = caller("user: ann, addresses: {deny: [10.9.0.0/16]}")
    assert [made.may_come_from(each) for each in ("10.1.1.1", "10.9.1.1", "11.1.1.1")] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("keys: [{name: k, key: KEY, enabled: false}]", "is disabled"),
        ("teams: {t: {enabled: false}}\nkeys: [{name: k, key: KEY, team: t}]", "belongs to the team 't', which is"),
        ("organisations: {o: {enabled: false}}\nteams: {t: {organisation: o}}\nusers: {u: {teams: [t]}}\n"
         "keys: [{name: k, key: KEY, user: u}]", "belongs to the organisation 'o'"),
    ],
)  # fmt: skip
def test_who_belongs_to_somebody_disabled_is_let_in_no_more(tmp_path, text, why):
    (tmp_path / "headgate.yaml").write_text(text.replace("KEY", KEY))
    config = load(tmp_path / "headgate.yaml", {}).config
    ((_, made),) = callers(config.keys, config.people)
    assert why in made.barred


def test_a_key_and_the_one_before_it_each_have_their_time(caller, tmp_path):
    assert caller("expires: 2027-01-31").expires == 1801353600
    assert caller("expires: 2027-01-31T12:00").expires == caller("expires: '2027-01-31T13:00+01:00'").expires
    config = read(
        tmp_path,
        f"keys: [{{name: k, key: {KEY}, expires: 2027-01-31, previous: [{{key_hash: 'sha256:{'a' * 64}', "
        "expires: 2027-01-10}]}]",
    )
    made = dict(callers(config.keys, config.people))
    assert [each.expires for each in made.values()] == [1801353600, 1799539200]


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("keys: [{name: k, key: KEY, team: nobody}]", "keys[0].team", "there is no team of this name in `teams`"),
        ("keys: [{name: k, key: KEY, application: shopp}]", "keys[0].application", "did you mean `shop`?"),
        ("keys: [{name: k, key: KEY, application: shop, team: sales}]", "keys[0].team", "belongs to the team research"),
        ("keys: [{name: k, key: KEY, user: bob, team: sales}]", "keys[0].team", "the user is not in this team"),
        ("keys: [{name: k, key: KEY, team: sales, organisation: other}]", "keys[0].organisation", "organisation acme"),
        ("keys: [{name: k, key: KEY, operations: [admin]}]", "keys[0].operations", "needs a `user`"),
        ("keys: [{name: k, key: KEY, operations: [chats]}]", "keys[0].operations[0]", "'chat'"),
        ("keys: [{name: k, key: KEY, paths: [v1/chat]}]", "keys[0].paths[0]", "a path that begins with `/`"),
        ("keys: [{name: k, key: KEY, expires: soon}]", "keys[0].expires", "a time (2027-01-31T12:00Z)"),
        ("keys: [{name: k, key: KEY, models: [lage]}]", "keys[0].models[0]", "did you mean `large`?"),
        ("keys: [{name: k, key: KEY, addresses: {allow: [10.0.0.0/99]}}]", "keys[0].addresses.allow[0]", "network"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(told, text, path, words):
    ((place, said),) = told(BASE + text.replace("KEY", KEY))
    assert place == path
    assert words in said


def test_what_is_wrong_with_owners_is_told(told):
    text = "teams: {t: {organisation: none, models: [nothing]}}\nusers: {u: {teams: [x]}}"
    assert {path for path, _ in told(text)} == {
        "teams.t.organisation", "teams.t.models[0]", "users.u.teams[0]",
    }  # fmt: skip
