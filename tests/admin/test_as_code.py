"""Any store is exported, written, read and applied again: nothing is changed, and nothing of its secrets told."""

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.admin.access import Who
from headgate.admin.as_code import apply_document
from headgate.admin.call import Call
from headgate.admin.control import Entry
from headgate.admin.plan import Step, plan
from headgate.admin.secrets import sealed
from headgate.config.document import parse
from headgate.config.export import Exported
from headgate.config.interpolate import fill
from headgate.config.sections import above, parts, written
from headgate.config.stored import KINDS
from headgate.store.objects import Actor, Stored
from headgate.store.sealing import OwnKey, Seal

SEAL = Seal([OwnKey(b"k" * 32)])
PLANTED = "planted-0123456789"
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8),
    st.sampled_from(
        ["$", "$$", "${X}", "$${X", "on", "1e3", "0o17", "~", "12:30", "2027-01-31", "(sealed)", "- a", "#"]
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.sampled_from([0.5, 1e20]) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
FIELDS = st.sampled_from(["models", "headers", "set", "description"])
BODIES = st.dictionaries(FIELDS, VALUES, max_size=3)
OBJECTS = st.dictionaries(st.tuples(st.sampled_from(KINDS), TEXTS.filter(bool)), BODIES, max_size=6)


class FakeControl:
    """A store that is only looked at."""

    def __init__(self, objects):
        self.objects = objects

    async def everything(self):
        found = {kind: {} for kind in KINDS}
        for each in self.objects:
            found[each.kind][each.name] = Entry(each.kind, each.name, each.body, each)
        return found

    def seal(self):
        return SEAL


def store(found, secret):
    bodies = {
        (kind, name): sealed(kind, name, {**body, **({"api_key": secret} if kind == "providers" else {})}, None, SEAL)
        for (kind, name), body in found.items()
    }
    return [Stored(*at, body, 1, 0.0, 0.0, "x", len(bodies) - i) for i, (at, body) in enumerate(bodies.items())]


def compare(objects, document):
    who, body = Who("x", "owner", None, frozenset()), {"document": document, "prune": True, "compare": True}
    call = Call(FakeControl(objects), who, Actor("x"), None, None, "", "", {}, body, None)
    return asyncio.run(apply_document(call))[1]["changes"]


def read(text, environ):
    root = parse(text.encode(), "export")
    for _, node in root.scalars():
        if isinstance(node.value, str):
            node.value = fill(node.value, environ).text
    return root.plain()


@settings(max_examples=60)
@given(OBJECTS)
def test_what_is_exported_and_applied_changes_nothing(found):
    objects = store(found, PLANTED)
    exported = written(parts(objects, Exported({})))
    for text in (above(exported) + exported.yaml(), exported.json()):
        assert PLANTED not in text
        assert compare(objects, read(text, {})) == []
        assert compare(objects, read(text, dict.fromkeys(exported.variables, PLANTED))) == []
    assert len(exported.variables) == sum(kind == "providers" for kind, _ in found)
    assert written(parts(reversed(objects), Exported({}))).yaml() == exported.yaml()


def test_rules_are_put_in_the_order_of_the_document():
    objects = [Stored("rules", name, {}, 1, 0.0, 0.0, "x", place) for place, name in enumerate("abc", 1)]
    same = {"rules": [{"name": name} for name in "abc"]}
    assert compare(objects, same) == []
    turned = compare(objects, {"rules": [{"name": name} for name in "cab"]})
    assert [(each["name"], each["fields"][0]["field"]) for each in turned] == [("a", "(order)"), ("b", "(order)")]
    between = compare(objects, {"rules": [{"name": name} for name in "axbc"]})
    assert [(each["action"], each["name"]) for each in between] == [("create", "x"), ("replace", "b"), ("replace", "c")]


def test_a_plan_tells_fields_and_no_secret():
    one, other = (sealed("providers", "p", {"api_key": f"{PLANTED}{n}"}, None, SEAL)["api_key"] for n in "12")
    before = {"api_key": one, "key_hash": "sha256:aa", "limits": [{"money": 5, "every": "day"}], "gone": 1}
    after = {
        "api_key": other,
        "key_hash": "sha256:bb",
        "limits": [{"money": 6, "every": "day"}, {"tokens": 1}],
        "a": {},
    }
    found = plan(
        [Step("replace", "keys", "k", before, after), Step("create", "keys", "n", None, {"key_hash": "sha256:cc"})]
    )
    assert found["counts"] == {"create": 1, "replace": 1, "delete": 0}
    assert found["changes"][0]["fields"] == [
        {"field": "a", "after": {}},
        {"field": "api_key", "before": "(sealed)", "after": "(another secret)"},
        {"field": "gone", "before": 1},
        {"field": "key_hash", "before": "(hash)", "after": "(another hash)"},
        {"field": "limits[0].money", "before": 5, "after": 6},
        {"field": "limits[1]", "after": {"tokens": 1}},
    ]
    assert found["changes"][1]["fields"] == [{"field": "key_hash", "after": "(hash)"}]
    assert "sealed:" not in json.dumps(found)
    nested = plan([Step("delete", "keys", "k", {"previous": [{"key_hash": "sha256:dd"}], "all": {"x": one}}, None)])
    assert "sealed:" not in json.dumps(nested)
    assert "sha256" not in json.dumps(nested)


def test_what_users_log_in_with_is_not_exported_and_stays():
    body = {"role": "admin", "password_hash": "$argon2id$x", "totp": "sealed:v1:x"}
    objects = [Stored("users", "ann", body, 1, 0.0, 0.0, "x", 1)]
    document = parts(objects, Exported({})).document
    assert document["users"] == {"ann": {"role": "admin"}}
    assert compare(objects, document) == []


def test_of_a_key_that_is_there_the_hash_may_be_left_out():
    body = {"team": "a", "key_hash": "sha256:" + "a" * 64, "prefix": "hg-x"}
    objects = [Stored("keys", "k", body, 1, 0.0, 0.0, "x", 1)]
    assert compare(objects, {"keys": [{"name": "k", "team": "a"}]}) == []
    [change] = compare(objects, {"keys": [{"name": "k", "team": "b"}]})
    assert change["fields"] == [{"field": "team", "before": "a", "after": "b"}]
