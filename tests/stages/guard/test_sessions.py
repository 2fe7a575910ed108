"""One surrogate for one value over all requests of a session, whoever is first; nothing of it for anybody else."""

import asyncio
import contextlib
import json
import random
import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.caller import Belongs, Caller
from headgate.core.errors import GuardUnavailable
from headgate.core.exchange import Exchange
from headgate.core.guard import Finding
from headgate.core.ports import VaultAway
from headgate.core.record import Record
from headgate.dialects import openai_chat, openai_responses
from headgate.stages.guard import Guard
from headgate.stages.guard.changing import Hashes, edited
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.sessions import Sessions
from headgate.stages.guards.guard import Guard as Looker
from headgate.stages.guards.guard import GuardSettings
from headgate.state.file_vaults import FileVaults
from headgate.state.sealed_answers import Chosen
from headgate.state.vaults import MemoryVaults

ANN, BOB = Caller("ann", belongs=Belongs("acme")), Caller("bob", belongs=Belongs("acme"))
WAYS = ("session", "conversation")


class Called(GuardSettings):
    category: str = "code"


class Codes(Looker):
    """Finds `c1`, `c22`, unless the text says not to."""

    def __init__(self, settings):
        self.settings = settings

    def look(self, passages, asked):
        for place, passage in enumerate(passages):
            for each in re.finditer(r"c\d+", passage.text) if "blind" not in passage.text else ():
                yield Finding(place, *each.span(), self.settings.category)


class Slow:
    """A store whose answers come in any order."""

    def __init__(self, store, seed=0):
        self.store = store
        self.chance = random.Random(seed)

    async def read(self, name):
        await self._wait()
        found = await self.store.read(name)
        await self._wait()
        return found

    async def add(self, name, after, piece):
        await self._wait()
        done = await self.store.add(name, after, piece)
        await self._wait()
        return done

    async def _wait(self):
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)


class Dead:
    async def read(self, *_):
        raise VaultAway("it is dead")

    add = read


class Hanging:
    async def read(self, *_):
        await asyncio.sleep(60)

    def late(self, why):
        pass

    add = read


async def nothing():
    return b""


def sessions(store, **more):
    return Sessions(store, more.pop("ways", WAYS), **{"most": 1000, "patience": 5.0, **more})


def policy(*, closed=True, external=False, action="tokenise"):
    guard = Codes(Called(category="email" if action == "surrogate" else "code"))
    return Policy("p", guard, "codes", frozenset({"before"}), {"*": action}, closed=closed, external=external)


def request(text, session="s", caller=ANN, dialect=openai_chat, **fields):
    headers = [(b"x-headgate-session", session.encode())] if session else []
    body = {"messages": [{"role": "user", "content": text}], **fields}
    if dialect is openai_responses:
        body = {"input": text, **fields}
    exchange = Exchange("req_1", dialect, "/", headers, nothing, 0.0, Record(id="req_1", time=0.0))
    exchange.caller, exchange.fields, exchange.body = caller, body, json.dumps(body).encode()
    return exchange


async def ask(kept, text, policies=None, **more):
    """What a provider is asked instead of the text, and what becomes of what it says, which is the same."""
    exchange = request(text, **more)
    told = []

    async def proceed(exchange):
        body = json.loads(exchange.body)
        told.append(body["input"] if "input" in body else body["messages"][-1]["content"])
        return

    guard = Guard(policies or [policy()], None, Hashes(b"x"), None, kept)
    guard._watch = lambda *_: None
    await guard(exchange, proceed)
    vault = exchange.vault
    back = edited(told[0], [(each.start, each.end, each.value) for each in vault.met(told[0])])
    return told[0], back, exchange


def walk(work):
    return asyncio.run(work)


def test_a_value_has_one_surrogate_in_all_of_a_session():
    async def walked():
        kept = sessions(MemoryVaults(1 << 20, 60))
        assert (await ask(kept, "c1 and c2"))[0] == "<CODE_1> and <CODE_2>"
        assert (await ask(kept, "c3, then c1"))[0] == "<CODE_3>, then <CODE_1>"
        assert (await ask(kept, "c3", session="other"))[0] == "<CODE_1>"
        assert (await ask(kept, "c3", session=""))[0] == "<CODE_1>"
        _, _, exchange = await ask(kept, "nothing")
        assert [each.value for each in exchange.vault.met("<CODE_2> <CODE_3>")] == ["c2", "c3"]
        assert exchange.restorer is not None

    walk(walked())


def test_what_was_hidden_once_is_hidden_where_it_is_not_found():
    async def walked():
        kept = sessions(MemoryVaults(1 << 20, 60))
        await ask(kept, "c1111 and c2")
        told, back, _ = await ask(kept, "blind: c1111, xc1111, c2 and c3")
        assert told == "blind: <CODE_1>, xc1111, c2 and c3"  # it is short, and was never seen
        assert back == "blind: c1111, xc1111, c2 and c3"

    walk(walked())


def test_what_looks_like_a_surrogate_stands_for_itself():
    async def walked():
        kept = sessions(MemoryVaults(1 << 20, 60))
        await ask(kept, "c1 and c2")
        told, back, _ = await ask(kept, "say <CODE_1>, <code_2>, <CODE_9> and c1")
        assert told == "say <TEXT_1>, <TEXT_2>, <CODE_9> and <CODE_1>"
        assert back == "say <CODE_1>, <code_2>, <CODE_9> and c1"

    walk(walked())


@pytest.mark.parametrize("other", [{"caller": BOB}, {"user": "somebody"}, {"caller": Caller("ann")}])
def test_nobody_is_given_anothers_by_naming_its_session(other):
    async def walked():
        kept = sessions(MemoryVaults(1 << 20, 60))
        await ask(kept, "c1")
        told, back, exchange = await ask(kept, "say <CODE_1>", **other)
        assert told == back == "say <CODE_1>"
        assert not exchange.vault.numbers
        first = {"dialect": openai_responses, "session": ""}
        _, _, exchange = await ask(kept, "c1", **first)
        await exchange.vault.session.answered("resp_1")
        for how in ({"previous_response_id": "resp_1"}, {"conversation": "resp_1"}):
            _, _, exchange = await ask(kept, "say <CODE_1>", **first, **how, **other)
            assert not exchange.vault.numbers

    walk(walked())


def test_an_answer_that_is_gone_on_with_names_its_session():
    async def walked():
        kept = sessions(MemoryVaults(1 << 20, 60))
        of = {"dialect": openai_responses, "session": ""}
        _, _, exchange = await ask(kept, "c1", **of)
        await exchange.vault.session.answered("resp_1")
        for number in (2, 3):  # two go on with the same one
            told, _, exchange = await ask(kept, f"c1 or c{number}", previous_response_id="resp_1", **of)
            assert told == f"<CODE_1> or <CODE_{number}>"
            await exchange.vault.session.answered(f"resp_{number}")
        told, _, exchange = await ask(kept, "c4", previous_response_id="resp_3", **of)
        assert told == "<CODE_4>"
        assert [each.value for each in exchange.vault.met("<CODE_1> <CODE_2>")] == ["c1", "c2"]
        strange, _, exchange = await ask(kept, "c4", previous_response_id="resp_9", **of)
        assert re.fullmatch(r"<CODE_\d{4,6}>", strange)
        await exchange.vault.session.answered("resp_10")
        assert (await ask(kept, "c4", previous_response_id="resp_10", **of))[0] == strange
        for name in ("conv_1", {"id": "conv_1"}):
            told, _, _ = await ask(kept, "c1", conversation=name, **of)
            assert re.fullmatch(r"<CODE_\d{4,6}>", told)
        alone, _, exchange = await ask(kept, "c1", store=False, **of)
        assert (alone, exchange.vault.session) == ("<CODE_1>", None)

    walk(walked())


def test_a_conversation_that_is_named_as_an_answer_is_nobody_elses():
    async def work():
        kept = sessions(MemoryVaults(1 << 20, 60.0))
        of = {"dialect": openai_responses, "session": ""}
        for caller, text in ((ANN, "c111 c222"), (BOB, "c9")):
            await ask(kept, text, caller=caller, conversation=f"conv_{caller.key}", **of)
            await ask(kept, text, caller=caller, previous_response_id=f"conv_{caller.key}", **of)
        _, _, exchange = await ask(kept, "Who?", caller=BOB, previous_response_id="conv_bob", **of)
        assert not {"c111", "c222"} & exchange.vault.numbers.keys()

    walk(work())


def test_what_the_provider_keeps_stays_in_the_session_that_it_was_said_in():
    async def walked():
        kept = sessions(MemoryVaults(1 << 20, 60))
        _, _, exchange = await ask(kept, "nothing yet", dialect=openai_responses)
        assert exchange.restorer is not None  # it is to hear what the answer is called
        await exchange.vault.session.answered("resp_1")
        assert (await ask(kept, "c1"))[0] == "<CODE_1>"
        assert (await ask(kept, "c2", session="other"))[0] == "<CODE_1>"
        of = {"dialect": openai_responses, "previous_response_id": "resp_1"}
        told, _, exchange = await ask(kept, "c3 or c1", session="other", **of)
        assert told == "<CODE_2> or <CODE_1>"  # of the one named first
        await exchange.vault.session.answered("resp_2")
        told, _, exchange = await ask(kept, "c2", session="", **{**of, "previous_response_id": "resp_2"})
        assert told == "<CODE_3>"
        strange, _, exchange = await ask(kept, "c1", **{**of, "previous_response_id": "resp_9"})
        assert re.fullmatch(r"<CODE_\d{4,6}>", strange)  # who knows what numbers that has
        assert not exchange.vault.met("<CODE_1>")
        _, _, exchange = await ask(kept, "c1", store=False, dialect=openai_responses)
        await exchange.vault.session.answered("resp_3")
        assert len(kept.store) == 5  # two sessions, two answers, and the strange one

    walk(walked())


def test_what_is_sent_unread_is_in_no_session():
    async def walked():
        kept = sessions(MemoryVaults(1 << 20, 60))
        exchange = request("c1")
        exchange.passing = object()
        vault = await kept.vault(exchange)
        assert vault.session is None
        assert vault.first > 1000

    walk(walked())


@pytest.mark.parametrize("store", [Dead(), Hanging()], ids=["dead", "hanging"])
def test_without_its_store_nothing_goes_on_unhidden(store):
    async def walked():
        kept = sessions(store, patience=0.02)
        with pytest.raises(GuardUnavailable, match="could not look at it: its session is not to be had"):
            await ask(kept, "c1")
        told, back, exchange = await ask(kept, "c1", [policy(closed=False)])
        assert re.fullmatch(r"<CODE_\d{4,6}>", told)
        assert back == "c1"
        assert [each.category for each in exchange.record.guards] == ["guard_failed", "code"]
        assert re.match("it is dead|sessions could not be asked", exchange.record.guards[0].reason)

    walk(walked())


def test_a_file_that_hangs_is_told_as_away(tmp_path):
    async def walked():
        store = FileVaults(tmp_path / "s.db", 1 << 20, 60, lambda _: Chosen(b"k" * 32, "", None))
        kept = sessions(store, patience=0.05)
        await ask(sessions(store), "c1")
        with contextlib.closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(GuardUnavailable):
                await ask(kept, "c2")
            assert (store.failures, "no answer within 0.05 s" in store.why) == (1, True)
            other.execute("ROLLBACK")
        assert (await ask(sessions(store), "c3", session="other"))[0] == "<CODE_1>"
        assert store.why is None
        store.close()

    walk(walked())


@pytest.mark.parametrize("closed", [True, False])
def test_one_that_goes_away_meanwhile_is_the_same(closed):
    async def walked():
        memory = MemoryVaults(1 << 20, 60)
        kept = sessions(memory)
        await ask(kept, "c1")

        class Leaving(Looker):
            def look(self, passages, asked):
                kept.store = Dead()
                return [Finding(0, 0, 2, "code")]

        leaving = Policy("p", Leaving(GuardSettings()), "x", frozenset({"before"}), {"*": "tokenise"}, closed=closed)
        if closed:
            with pytest.raises(GuardUnavailable, match="its session is not to be had"):
                await ask(kept, "c5 then c1", [leaving])
            return
        told, back, exchange = await ask(kept, "c5 then c1", [leaving])
        assert re.fullmatch(r"<CODE_\d{4,6}> then c1", told)  # it is short, and was not found
        assert back == "c5 then c1"
        assert [each.category for each in exchange.record.guards] == ["code", "guard_failed"]

    walk(walked())


def test_one_that_was_taken_out_meanwhile_is_not_put_there_again():
    async def walked():
        memory = MemoryVaults(1 << 20, 60)
        kept = sessions(memory)
        await ask(kept, "c1")

        class Forgetting(Looker):
            def look(self, passages, asked):
                memory._held.clear()
                return [Finding(0, 0, 2, "code")]

        found = Policy("p", Forgetting(GuardSettings()), "x", frozenset({"before"}), {"*": "tokenise"})
        with pytest.raises(GuardUnavailable, match="its session is not to be had"):
            await ask(kept, "c5", [found])
        assert not len(memory)

    walk(walked())


def test_what_a_session_has_no_room_for_is_hidden_for_its_request():
    async def walked():
        kept = sessions(MemoryVaults(1 << 20, 60), most=3)
        await ask(kept, "c1 c2 c3")
        for _ in range(2):
            told, back, exchange = await ask(kept, "c1 c4")
            assert re.fullmatch(r"<CODE_1> <CODE_\d{4,6}>", told)
            assert back == "c1 c4"
            assert "session_full" in [each.category for each in exchange.record.guards]
        assert not exchange.vault.met("<CODE_4>")

    walk(walked())


@pytest.mark.parametrize("way", ["key", "user"])
def test_a_key_and_a_user_keep_their_surrogates(way):
    async def walked():
        kept = sessions(MemoryVaults(1 << 20, 60), ways=[way])
        of = {"session": "", "user": "joe"}
        assert (await ask(kept, "c1111", **of))[0] == "<CODE_1>"
        assert (await ask(kept, "c2 and c1111", **of))[0] == "<CODE_2> and <CODE_1>"
        assert (await ask(kept, "blind: c1111", **of))[0] == "blind: c1111"  # a word like others in another text
        other = await ask(kept, "c2", session="", user="ann")
        assert other[0] == ("<CODE_2>" if way == "key" else "<CODE_1>")
        assert (await ask(kept, "c2", caller=BOB, **of))[0] == "<CODE_1>"
        _, _, exchange = await ask(kept, "c2", session="")
        assert (exchange.vault.session is None) is (way == "user")

    walk(walked())


LITERAL = st.sampled_from(
    [
        "c1",
        "c2",
        "c33",
        "<CODE_1>",
        "<code_2>",
        "CODE_3",
        "<TEXT_1>",
        "&lt;CODE_1&gt;",
        "CODE",
        "_1",
        "<",
        ">",
        "\\",
        " ",
    ]
)
TEXTS = st.lists(LITERAL | st.text("c1<>_ \n", max_size=4), max_size=10).map("".join)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_what_is_hidden_and_put_back_is_what_it_was_whatever_was_hidden_before(texts):
    async def walked():
        kept, named = sessions(MemoryVaults(1 << 20, 60)), {}
        for text in texts:
            _, back, exchange = await ask(kept, text)
            assert back == text
            for value, said in exchange.vault.numbers.items():
                assert named.setdefault(said, value) == value

    walk(walked())


def stores(kind, folder, seed):
    """Two workers of one machine; or two requests of one worker."""
    if kind == "memory":
        one = Slow(MemoryVaults(1 << 20, 60), seed)
        return [one, one]
    key = Chosen(b"k" * 32, "", None)
    return [FileVaults(folder / "sessions.db", 1 << 24, 60, lambda found: key) for _ in range(2)]


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_requests_at_the_same_time_never_give_one_surrogate_to_two_values(kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sessions")

    @given(
        st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4), min_size=2, max_size=12),
        st.integers(0, 1000),
        st.sampled_from(["tokenise", "surrogate"]),
    )
    def law(requests, seed, action):
        async def walked():
            shared = stores(kind, folder, seed)
            kept = [sessions(each) for each in shared]
            texts = [" ".join(f"c{number}" for number in numbers) for numbers in requests]
            asked = [
                ask(kept[place % 2], text, [policy(action=action)], session=f"{seed}{action}{requests}")
                for place, text in enumerate(texts)
            ]
            given: dict[str, str] = {}
            for text, (told, back, _) in zip(texts, await asyncio.gather(*asked), strict=True):
                assert back == text
                for value, said in zip(text.split(), told.split(), strict=True):
                    assert given.setdefault(value, said) == said
            assert len(set(given.values())) == len(given)
            if kind == "file":
                for each in shared:
                    each.close()

        walk(walked())

    law()


def test_the_file_holds_no_value_in_the_open(tmp_path):
    async def walked():
        (store, other) = stores("file", tmp_path, 0)
        await ask(sessions(store), "c123456789 and c987654321", session="a-session-of-mine")
        store.close()
        other.close()

    walk(walked())
    seen = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    with sqlite3.connect(tmp_path / "sessions.db") as db:
        assert db.execute("SELECT count(*) FROM pieces").fetchone() == (1,)
    assert not [said for said in (b"c1234", b"c9876", b"CODE", b"a-session", b"ann", b"acme") if said in seen]
