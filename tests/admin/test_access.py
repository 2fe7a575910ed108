"""Whatever a team's administrator or a member writes into a key: it may nothing that they do not (S6)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.admin.access import Who, why_not
from headgate.config.identities import Application, Key, Organisation, People, Team, User
from headgate.core.caller import ADMIN_OPERATION, Belongs

MODELS = ("mine/a", "mine/b", "theirs/a")
PEOPLE = People(
    {"acme": Organisation(models=["mine/*", "theirs/*"]), "globex": Organisation()},
    {
        "mine": Team(organisation="acme", models=["mine/a"], operations=["chat"], requires=["eu"]),
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
    assert [model for model in MODELS if caller.may_use(model)] in ([], ["mine/a"])
    assert not caller.may_do("embeddings")
    assert "eu" in caller.requires
    if caller.may_do(ADMIN_OPERATION):
        assert key.user == who.user
        assert caller.role == who.role
    if key.user != who.user:
        assert caller.role in (None, "member")


def test_keys_that_they_may_make_are_made():
    me, lead = MAKERS
    assert why_not(me, PEOPLE, "keys", "made", {"user": "me"}) is None
    assert why_not(lead, PEOPLE, "keys", "made", {"team": "mine", "user": "colleague"}) is None
    assert why_not(lead, PEOPLE, "keys", "made", {"application": "app"}) is None
