"""Claims become names of ours, by tables or as they are."""

import pytest

from headgate.core.errors import Unauthenticated
from headgate.identity.mapping import Mapped, Rule, Rules, look_up
from together import together


@together(
    ("claims", "path", "found"),
    [
        ({"groups": ["a"]}, "groups", ["a"]),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"https://acme.example/roles": ["a"]}, "https://acme.example/roles", ["a"]),
        ({"https://acme.example/claims": {"roles": "a"}}, "https://acme.example/claims.roles", "a"),
        ({"resource_access": {"head.gate": {"roles": "a"}}}, "resource_access.head.gate.roles", "a"),
        ({"a": {"b": 1}, "a.b": 2}, "a.b", 2),
        ({"a": {"x": 1}, "a.b": {"c": 2}}, "a.b.c", 2),
        ({"a": "text"}, "a.b", None),
        ({"a": ["b"]}, "a.b", None),
        ({}, "a.b.c", None),
    ],
)
def test_claims_are_found_at_their_path(claims, path, found):
    assert look_up(claims, path) == found


def test_the_first_of_the_table_counts_whatever_the_order_of_the_groups():
    rule = Rule("groups", {"admins": "platform", "eng": "engineering", "dev": "engineering"}, "guests")
    assert rule.values({"groups": ["dev", "eng", "admins"]}) == ("platform", "engineering")
    assert rule.values({"groups": ["Admins", "admins "]}) == ("guests",)
    assert rule.values({"groups": []}) == rule.values({}) == ("guests",)
    assert rule.values({"groups": {"admins": True}}) == ("guests",)
    assert Rule("groups", {"a": "b"}).value({}) is None


def test_scopes_are_split_and_numbers_are_names():
    assert Rule("scope").values({"scope": "read write"}) == ("read", "write")
    assert Rule("scp").values({"scp": ["read", "write"]}) == ("read", "write")
    assert Rule("id").values({"id": 42}) == ("42",)
    for value in (True, 1.5, None, "", [None, 1, ""]):
        assert Rule("id").values({"id": value}) == ()


def test_a_role_that_there_is_not_is_none():
    assert Rules(role=Rule("role")).read({"sub": "a", "role": "superuser"}).role is None
    assert Rules(role=Rule("role")).read({"sub": "a", "role": "auditor"}).role == "auditor"
    for rule in (Rule("role", {"boss": "superuser"}), Rule("role", default="superuser")):
        with pytest.raises(ValueError, match="there is no role 'superuser'"):
            Rules(role=rule)


def test_models_are_none_of_where_the_claim_is_missing():
    assert Rules().read({"sub": "a"}) == Mapped("a")
    assert Rules(models=Rule("models")).read({"sub": "a"}).models == ()
    assert Rules(models=Rule("models")).read({"sub": "a", "models": ["chat", "smart"]}).models == ("chat", "smart")


def test_an_address_that_nobody_has_verified_is_nobodys():
    rules = Rules(user=Rule("email"))
    assert rules.read({"email": "a@b.example", "email_verified": True}).user == "a@b.example"
    assert rules.read({"email": "a@b.example"}).user == "a@b.example"
    for doubt in (False, "false"):
        with pytest.raises(Unauthenticated):
            rules.read({"email": "a@b.example", "email_verified": doubt})
        assert Rules().read({"sub": "a", "email": "a@b.example", "email_verified": doubt}).email is None


def test_what_is_held_of_claims_says_the_same_when_it_is_read_again():
    rules = Rules(team=Rule("groups", {"eng": "engineering"}), role=Rule("groups", {"ops": "admin", "eng": "member"}))
    held = rules.held({"sub": "a", "groups": ["other", "eng", "ops"], "email": "a@b.example"})
    assert held == {"groups": ["eng", "ops"]}
    assert (rules.role_of(held), rules.team.values(held)) == ("admin", ("engineering",))
    assert Rules(role=Rule("groups", {"other": "owner"})).role_of(held) is None
    assert Rules(role=Rule("realm.roles")).held({"realm": {"roles": "billing"}}) == {"realm.roles": ["billing"]}
    assert Rules(role=Rule("realm.roles")).role_of({"realm.roles": ["billing"]}) == "billing"
    assert Rules().held({"sub": "a"}) == {}
