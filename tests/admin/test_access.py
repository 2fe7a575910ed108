"""Whatever a team's administrator or a member writes into a key: it may nothing that they do not (S6)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.admin.access import VOUCHED, Who, why_not, why_not_class
from headgate.config.discover import kinds
from headgate.config.identities import Application, Key, Organisation, People, Team, User
from headgate.core.caller import ADMIN_OPERATION, Belongs
from together import together

MODELS = ("mine/a", "mine/b", "theirs/a")
PEOPLE = People(
    {"acme": Organisation(models=["mine/*", "theirs/*"]), "globex": Organisation()},
    {
        "mine": Team(organisation="acme", models=["mine/a"], operations=["chat"], requires=["eu"], data_class="health"),
        "theirs": Team(organisation="globex"),
    },
    {"app": Application(team="mine"), "other-app": Application(team="theirs"), "loose": Application()},
    {
        "me": User(teams=["mine"]),
        "lead": User(teams=["mine"], role="team_admin"),
        "colleague": User(teams=["mine"]),
        "both": User(teams=["theirs", "mine"]),
        "boss": User(teams=["mine"], role="owner"),
        "stranger": User(teams=["theirs"]),
    },
)
MAKERS = [
    Who("me", "member", "me", frozenset({"mine"})),
    Who("lead", "team_admin", "lead", frozenset({"mine"})),
]
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "organisation": st.sampled_from([None, "acme", "globex"]),
        "team": st.sampled_from([None, "mine", "theirs"]),
        "application": st.sampled_from([None, "app", "other-app", "loose"]),
        "user": st.sampled_from([None, *PEOPLE.users]),
        "models": st.lists(st.sampled_from(["*", "mine/*", "theirs/*", *MODELS]), max_size=3),
        "operations": st.lists(st.sampled_from(["chat", "embeddings", "admin"]), max_size=3),
        "enabled": st.booleans(),
        "data_class": st.sampled_from([None, "health", "Health", "public"]),
    },
)


@settings(max_examples=400)
@given(st.sampled_from(MAKERS), BODIES)
def test_what_a_made_key_may_is_within_what_its_makers_team_may(who, body):
    if why_not(who, PEOPLE, "keys", "made", body) is not None:
        return
    key = Key(name="made", **body)
    said = Belongs(key.organisation, key.team, key.application, key.user)
    caller = PEOPLE.caller("made", key, said)
    assert caller.belongs.team == "mine"
    assert caller.data_class == "health" or why_not_class(who, PEOPLE, "keys", "made", body, None) is not None
    assert [model for model in MODELS if caller.may_use(model)] in ([], ["mine/a"])
    assert not caller.may_do("embeddings")
    assert "eu" in caller.requires
    if caller.may_do(ADMIN_OPERATION):
        assert key.user == who.user
        assert caller.role == who.role
    if key.user != who.user:
        assert caller.role in (None, "member")


def test_of_which_class_data_are_those_say_whose_they_are():
    [member, lead] = MAKERS
    owner, own = Who("boss", "owner", "boss", frozenset()), {"user": "me", "data_class": "public"}
    assert "of the class 'health'" in why_not_class(member, PEOPLE, "keys", "k", own, None)
    assert why_not_class(lead, PEOPLE, "applications", "a", {"team": "mine", "data_class": "public"}, None)
    assert why_not_class(owner, PEOPLE, "keys", "k", own, None) is None
    assert why_not_class(member, PEOPLE, "keys", "k", {**own, "enabled": False}, own) is None
    assert why_not_class(lead, PEOPLE, "keys", "k", {**own, "team": "mine"}, {**own, "team": "theirs"})
    assert why_not_class(member, PEOPLE, "keys", "k", {"team": "theirs", "data_class": "x"}, None) is None


def test_keys_that_they_may_make_are_made():
    me, lead = MAKERS
    assert why_not(me, PEOPLE, "keys", "made", {"user": "me"}) is None
    assert why_not(lead, PEOPLE, "keys", "made", {"team": "mine", "user": "colleague"}) is None
    assert why_not(lead, PEOPLE, "keys", "made", {"application": "app"}) is None


PROVIDERS = [
    ("vertex", {"project": "p"}, True),
    ("vertex", {"base_url": "https://elsewhere.example"}, False),
    ("mine", {"kind": "vertex", "base_url": "https://elsewhere.example", "api_key": "none"}, False),
    ("mine", {"kind": "azure", "base_url": "https://elsewhere.example", "client_id": "a"}, False),
    ("mine", {"kind": "azure", "base_url": "https://a.openai.azure.com", "api_key": "sealed:v1:a:b:c"}, True),
    ("mine", {"kind": "azure", "base_url": "https://a", "api_keys": [{"api_key": "sealed:v1:a:b:c"}]}, True),
    ("mine", {"kind": "azure_foundry", "base_url": "https://a", "api_keys": [{"api_key": "sealed:v1:a:b:c"},
                                                                              {"api_key": ""}]}, False),
    ("mine", {"kind": "vertex", "credentials_file": "/etc/of-the-machine.json"}, False),
    ("mine", {"kind": "openai", "base_url": "https://elsewhere.example"}, True),
]  # fmt: skip


@together(("name", "body", "may"), PROVIDERS)
def test_only_an_owner_sends_tokens_of_the_machines_to_an_address(name, body, may):
    owner, admin = (Who("x", role, "x", frozenset()) for role in ("owner", "admin"))
    assert why_not(owner, PEOPLE, "providers", name, body) is None
    assert (why_not(admin, PEOPLE, "providers", name, body) is None) == may


def test_every_kind_that_is_sent_tokens_of_the_machines_is_known():
    named = {
        name for name, kind in kinds().items() if {"credentials_file", "tenant_id"} & kind.Settings.model_fields.keys()
    }
    assert named == VOUCHED
