"""What cannot be seen from outside of logging in: what another process has changed, and a key that is away."""

from types import SimpleNamespace

import pytest

from headgate.admin.access import Who
from headgate.admin.elsewhere import come_back
from headgate.admin.logging_in import set_password
from headgate.admin.problems import Problem
from headgate.admin.visit import Visit
from headgate.config.identities import User
from headgate.store.objects import Actor
from headgate.store.sealing import KeyAway


class Control:
    """In which the user is a member still, and an owner in the store."""

    people = SimpleNamespace(users={})
    changed = None

    def __init__(self):
        self.logins = self

    async def entry(self, *_):
        return None

    def writable(self, *_):
        return None

    def user(self, _):
        return User()

    async def hash(self, _):
        return "hash"

    async def change(self, _who, wanted, _actor):
        self.changed = wanted[0].body({"role": "owner"})

    async def sessions(self):
        return self

    async def end_of(self, _):
        return 0

    async def openid(self):
        return None

    def seal(self):
        return self

    def open(self, *_):
        raise KeyAway("the key of sealed secrets is away")


def call(role, **more):
    visit = Visit("http://here", None, {"headgate-login": "sealed:v1:a:b:c"})
    said = {"control": Control(), "visit": visit, "session": None, "actor": Actor("x"), "version": None, "query": {}}
    return SimpleNamespace(
        **said, who=Who("x", role, "x", frozenset()), name="ann", body={"password": "long enough"}, **more
    )


async def test_who_was_made_an_owner_in_another_process_is_above_an_admin():
    by_owner, by_admin = call("owner"), call("admin")
    assert await set_password(by_owner) == (204, None)
    assert by_owner.control.changed == {"role": "owner", "password_hash": "hash"}
    with pytest.raises(Problem, match="only an owner"):
        await set_password(by_admin)
    assert by_admin.control.changed is None


async def test_who_comes_back_while_the_key_is_away_is_told_so():
    with pytest.raises(KeyAway):
        await come_back(call("member"))
