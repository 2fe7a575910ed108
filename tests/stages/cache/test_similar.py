"""Nobody is given the answer to another's question, or to one in another context, however alike all are taken to be."""

import asyncio
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.cached import Asked, Entry, Terms, Which
from headgate.core.caller import Belongs, Caller
from headgate.core.errors import ProviderTimeout
from headgate.core.ports import Near
from headgate.core.reply import Reply
from headgate.dialects import openai_chat
from headgate.similarity.lexical import Lexical
from headgate.stages.cache import Cache
from headgate.stages.cache.context import context
from headgate.stages.cache.similar import Similar
from headgate.stages.cache.similar import Terms as Alike
from headgate.stages.cache.vectors import Placed, Vectors, here
from headgate.state.answers import Memory
from headgate.state.questions import Questions
from stages.cache.test_identity import Target, exchange

ALL = frozenset({"system", "earlier", "tools", "parameters"})


class Provider:
    """Says who asked for what."""

    def __init__(self):
        self.calls = 0

    async def __call__(self, asked):
        self.calls += 1
        asked.target = Target()
        said = json.dumps([asked.caller.key if asked.caller else None, asked.fields["messages"]])
        message = {"role": "assistant", "content": said}
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        reply = Reply(openai_chat, stream=False, body=json.dumps(answer).encode())
        await reply.begin(asked.dialect, asked.fields, asked.stream)
        return reply


class Gate:
    """The stage, in which by default everything is like everything: threshold 0 and no guards."""

    def __init__(self, per="key", *, threshold=0.0, differ=None, verify=None, counts=ALL, vectors=None, **more):
        self.store, self.index, self.provider = Memory(1 << 22), Questions(1 << 22), Provider()
        vectors = vectors or Vectors(here(Lexical()), 1.0)
        alike = Alike(threshold, counts, 1000)
        similar = Similar(alike, self.store, self.index, vectors, differ, verify, **more)
        terms = Terms(
            60.0, 0.0, per, deterministic_only=False, tool_calls=False, coalesce=True, largest=1 << 20, similar=similar
        )
        self.cache = Cache(
            self.store, {}, terms, {"openai_chat": openai_chat}, frozenset(), lambda alias, rule: b"meaning"
        )

    async def ask(self, words, caller=None, *, system=None, headers=(), **more):
        """How it was answered, who had asked that and what."""
        messages = [{"role": "system", "content": system}] if system else []
        fields = {"model": "up/m", "messages": [*messages, {"role": "user", "content": words}], **more}
        asked = exchange(fields, caller=caller, headers=headers)
        asked.reply = await self.cache(asked, self.provider)
        body = json.loads(await asked.reply.whole(openai_chat, fields))
        await asked.ending.aclose()
        await asyncio.sleep(0)
        return asked.record.cached, json.loads(body["choices"][0]["message"]["content"])


CALLERS = st.builds(
    lambda name, organisation, team, user: Caller(name, belongs=Belongs(organisation, team, None, user)),
    st.sampled_from(["a", "b", "ab", 'a","b']),
    st.sampled_from([None, "o", "p", ""]),
    st.sampled_from([None, "t", "u", ""]),
    st.sampled_from([None, "x", "y", ""]),
)
PROMPTS = st.sampled_from(["pay the bill", "pay the  bill", "pay my bill", "bill", "Pay the bill!", 'bill"],["', "x"])


def whose(caller, per):
    """Who is given each other's answers, said in another way than the code does."""
    organisation, team, _, user = caller.belongs
    named = {"organisation": organisation, "team": team, "user": user}.get(per)
    if named is not None:
        return per, organisation, named
    return caller.key, caller.belongs


@given(
    st.sampled_from(["key", "user", "team", "organisation"]),
    st.lists(st.tuples(CALLERS, PROMPTS, st.sampled_from(["", "s", "t"])), min_size=2, max_size=12),
)
def test_tenants_never_see_each_other_s_answers(per, asked):
    async def walk():
        gate, seen, hits = Gate(per), {}, 0
        for number, (caller, words, system) in enumerate(asked):
            name = f"{caller.key}#{number}"
            known = Caller(caller.key, belongs=caller.belongs)
            seen[name] = whose(caller, per), system
            cached, (key, messages) = await gate.ask(words, known, system=system)
            theirs = [message["content"] for message in messages if message["role"] == "system"]
            assert (theirs or [""]) == [system]
            if cached.how != "miss":
                hits += 1
                assert key in {each.key for each, _, _ in asked if whose(each, per) == whose(caller, per)}
            else:
                assert key == caller.key
        tenants = {(whose(caller, per), system) for caller, _, system in asked}
        assert hits == len(asked) - len(tenants)  # all else is like something of its own tenant

    asyncio.run(walk())


async def test_what_an_index_says_is_not_believed():
    gate = Gate()
    one, other = Caller("a"), Caller("b")
    mine, _ = await gate.ask("pay the bill", one)
    theirs, _ = await gate.ask("pay the bill", other)
    key = bytes.fromhex(theirs.key)

    async def lying(context, vector):
        return 0.0, [Near(key, 1.0), Near(b"nothing", 1.0)]

    dropped = []
    gate.index.nearest, gate.index.drop = lying, dropped.append
    cached, (key_of, _) = await gate.ask("pay the bills", one)
    assert (cached.how, key_of, dropped) == ("miss", "a", [b"nothing"])
    assert mine.key != theirs.key


async def test_an_answer_that_was_put_there_for_another_context_is_not_given():
    gate = Gate()
    cached, _ = await gate.ask("pay the bill", Caller("a"))
    key = bytes.fromhex(cached.key)
    entry = await gate.store.get(key)
    assert (entry.asked.text, entry.asked.vector) == ("pay the bill", b"")
    values = {name: getattr(entry, name) for name in Entry.__struct_fields__}
    gate.store.put(key, Entry(**{**values, "asked": Asked(bytes(24), "pay the bill")}))
    assert (await gate.ask("pay the bills", Caller("a")))[0].how == "miss"
    gate = Gate()
    await gate.ask("pay the bill", Caller("a"))
    await gate.store.clear(Which())
    assert (await gate.ask("pay the bills", Caller("a")))[0].how == "miss"
    assert len(gate.index.index) == 1  # the one that went is not looked for again


@pytest.mark.parametrize(
    "other",
    [
        {"system": "s", "temperature": 0.3},
        {"system": "s", "unheard_of": {"__proto__": 1}},
        {"system": "s", "stop": ["x"]},
        {"system": "s", "headers": ((b"x-tenant", b"a"), (b"x-headgate-cache", b"semantic"))},
        {"system": 's"}, {"role": "user", "content": "pay the bill"'},
        {"system": "s ", "tools": [{"type": "function", "function": {"name": "f"}}]},
    ],
)
async def test_no_header_or_field_leads_into_another_context(other):
    gate = Gate()
    await gate.ask("pay the bill", Caller("a"), system="s")
    cached, _ = await gate.ask("pay the bills", Caller("a"), **other)
    neutral = "headers" in other  # none of these goes on to a provider
    assert cached.how == ("semantic" if neutral else "miss")


async def test_words_and_context_cannot_be_moved_into_each_other():
    gate = Gate()
    messages = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    hashes = set()
    for split in ([], messages[:1], messages, [*messages, *messages]):
        asked = exchange({"model": "up/m", "messages": [*split, {"role": "user", "content": "three"}]})
        hashes.add(context(asked, b"", "key", frozenset(), ALL))
        hashes.add(gate.cache._key(asked, gate.cache.others))
    assert len(hashes) == 8


async def test_a_slow_store_of_vectors_and_a_refusal_cost_only_a_miss():
    calls = 0

    async def embed(text, exchange):
        nonlocal calls
        calls += 1
        raise ProviderTimeout("it is away")

    gate = Gate(vectors=Vectors(embed, 1.0))
    assert [(await gate.ask(f"words {number}"))[0].how for number in range(6)] == ["miss"] * 6
    assert calls == 3


async def test_who_asks_the_very_same_shares_one_look_and_one_call():
    began = 0

    async def embed(text, exchange):
        nonlocal began
        began += 1
        await asyncio.sleep(0.01)
        return Placed("m", struct.pack("<2f", 1.0, 0.0))

    gate = Gate(vectors=Vectors(embed, 1.0))
    found = await asyncio.gather(*(gate.ask("the same") for _ in range(50)))
    assert sorted(cached.how for cached, _ in found) == ["coalesced"] * 49 + ["miss"]
    assert (began, gate.provider.calls) == (1, 1)
    found = await asyncio.gather(*(gate.ask("the like") for _ in range(50)))
    assert {cached.how for cached, _ in found} == {"semantic"}
    assert (began, gate.provider.calls) == (2, 1)


async def test_who_asks_the_like_again_and_again_is_embedded_once_for_each_tenant():
    texts = []

    async def embed(text, exchange):
        texts.append((text, exchange.caller.key))
        return Placed("m", struct.pack("<2f", 1.0, 0.0))

    gate = Gate(vectors=Vectors(embed, 1.0))
    await gate.ask("a question", Caller("a"))
    assert [(await gate.ask("the like", Caller("a")))[0].how for _ in range(3)] == ["semantic"] * 3
    await gate.ask("the like", Caller("b"))
    assert texts == [("a question", "a"), ("the like", "a"), ("the like", "b")]


async def test_vectors_of_two_models_are_never_compared():
    who = "one"

    async def embed(text, exchange):
        return Placed(who, struct.pack("<2f", 1.0, 0.0))

    gate = Gate(vectors=Vectors(embed, 1.0))
    await gate.ask("a question")
    who = "two"
    assert (await gate.ask("another question"))[0].how == "miss"
    assert (await gate.ask("a third question"))[0].how == "semantic"


async def test_what_others_have_kept_is_found_once_it_was_given_here():
    one, two = Gate(beside=True), Gate(beside=True)
    two.store = two.cache.store = two.cache.others.similar.store = one.store
    await one.ask("pay the bill")
    assert (await two.ask("pay the bills"))[0].how == "miss"
    await one.store.clear(Which())
    await one.ask("pay the bill")
    assert (await two.ask("pay the bill"))[0].how == "hit"
    assert (await two.ask("pay the bill, please"))[0].how == "semantic"


async def test_the_next_nearest_is_given_where_guards_refuse_the_first():
    gate = Gate(differ=lambda old, new: "number" if "7" in old else None)
    await gate.ask("pay the 7 bills now")
    await gate.ask("a bill")
    cached, (_, messages) = await gate.ask("pay the bills now")
    assert (cached.how, messages[-1]["content"]) == ("semantic", "a bill")
