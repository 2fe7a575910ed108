"""A hash is the same for the same text of one tenant, another for any other, and none that can be computed without the
key."""

import hashlib

from headgate.core.caller import Belongs, Born, Caller
from headgate.core.exchange import Exchange
from headgate.core.guard import Finding, Passage
from headgate.core.record import Record
from headgate.dialects import openai_chat
from headgate.stages.guard.changing import Hashes, edited, stretched
from headgate.stages.guard.judging import Judge
from headgate.stages.guard.policy import Policy
from headgate.stages.guards.guard import Guard, GuardSettings

SECRET = hashlib.sha256(b"the admin key").hexdigest()
TEXT = "C-123456"
CALLERS = {
    "acme": Caller("a", belongs=Belongs("acme", "research", user="ann")),
    "acme, other key and team": Caller("b", belongs=Belongs("acme", "sales")),
    "acme, made anew": Caller("a", belongs=Belongs("acme"), born=Born("2026-01-01")),
    "globex": Caller("a", belongs=Belongs("globex", "research", user="ann")),
    "a team called acme": Caller("a", belongs=Belongs(None, "acme")),
    "its other key": Caller("b", belongs=Belongs(None, "acme")),
    "nobody's": Caller("a"),
    "nobody's other": Caller("b", belongs=Belongs(user="ann")),
    "a stranger": None,
}
SAME = [{"acme", "acme, other key and team"}, {"a team called acme", "its other key"},
        {"nobody's", "nobody's other", "a stranger"}]  # fmt: skip


class All(Guard):
    def look(self, passages, asked):
        return [Finding(place, 0, len(each.text), "customer") for place, each in enumerate(passages)]


async def nothing():
    return b""


async def told(hashes, caller):
    """What stands in the text's place, and the hash in the record."""
    record = Record(id="req_1", time=0.0)
    exchange = Exchange("req_1", openai_chat, "/v1/chat/completions", [], nothing, 0.0, record)
    exchange.caller = caller
    policy = Policy("p", All(GuardSettings()), "all", frozenset({"before"}), {"*": "hash"})
    edits = await Judge(exchange, hashes).look([policy], [Passage(TEXT)])
    return edited(TEXT, edits[0]), record.guards[0].hash


async def test_those_of_one_tenant_are_alike_and_of_no_other():
    hashes = Hashes(stretched(SECRET))
    found = {name: await told(hashes, caller) for name, caller in CALLERS.items()}
    for name, (said, recorded) in found.items():
        assert said == f"[CUSTOMER:{recorded}]"
        alike = {other for other, given in found.items() if given == found[name]}
        assert alike == next((those for those in SAME if name in those), {name})
    again = Hashes(stretched(SECRET))
    assert {name: await told(again, caller) for name, caller in CALLERS.items()} == found


async def test_without_the_key_it_cannot_be_tried_what_it_is_of():
    caller = CALLERS["acme"]
    _, found = await told(Hashes(stretched(SECRET)), caller)
    others = [await told(Hashes(key), caller) for key in (b"", SECRET.encode(), stretched("another"))]
    assert found not in {recorded for _, recorded in others}
    bare = {kind(TEXT.encode()).hexdigest()[: len(found)] for kind in (hashlib.sha256, hashlib.sha1, hashlib.blake2b)}
    bare.add(hashlib.blake2b(TEXT.encode(), digest_size=6).hexdigest())
    assert found not in bare
