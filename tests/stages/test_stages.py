"""Each stage by itself: who may ask, what is read, where it goes, what is tried again."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core import named
from headgate.core.caller import Caller
from headgate.core.errors import (
    Forbidden,
    InvalidRequest,
    KeyDisabled,
    KeyExpired,
    Unauthenticated,
    UnknownModel,
    UnsupportedMedia,
)
from headgate.core.exchange import Exchange
from headgate.core.keys import digest
from headgate.core.memo import Memo
from headgate.core.record import Record
from headgate.core.repeats import LARGEST, Repeats
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.dialects import openai_chat
from headgate.stages.authenticate import Authenticate
from headgate.stages.policies.ordered import Ordered
from headgate.stages.receive import Receive
from headgate.stages.route import Alias, Route
from headgate.stages.stage import Checked, chain

KEY = b"hg-0123456789abcdef"
REPLY = Reply(openai_chat, stream=False, body=b"")


class Host:
    """As much of a provider as routing needs."""

    arms = ()

    def __init__(self, name):
        self.name = name

    def target(self, model):
        return Target(self, model)

    def further(self, fields):
        return named.named(fields, named.KNOWN)

    def known_as(self, model):
        return [model]


def exchange(body=b"{}", headers=(), model="", caller=None):
    async def receive():
        return body

    record = Record(id="req_1", time=time.time())
    made = Exchange("req_1", openai_chat, "/v1/chat/completions", list(headers), receive, time.perf_counter(), record)
    made.model = model
    made.caller = caller
    return made


async def given_back(exchange):
    return exchange


class TestAuthenticate:
    stage = Authenticate({digest(KEY): Caller("k1"), digest(b"other-key-0123456"): Caller("k2")})

    @pytest.mark.parametrize(
        "header",
        [
            (b"authorization", b"Bearer " + KEY),
            (b"authorization", b"bearer  " + KEY + b" "),
            (b"x-api-key", KEY),
            (b"api-key", KEY),
            (b"x-goog-api-key", KEY),
        ],
    )
    async def test_every_vendors_header_works(self, header):
        seen = await self.stage(exchange(headers=[header]), given_back)
        assert seen.caller.key == "k1"

    async def test_a_valid_key_beside_a_foreign_one_counts(self):
        seen = await self.stage(exchange(headers=[(b"authorization", b"Bearer no"), (b"x-api-key", KEY)]), given_back)
        assert seen.caller.key == "k1"

    async def test_without_a_key_the_error_says_how_to_send_one(self):
        with pytest.raises(Unauthenticated, match="Authorization: Bearer"):
            await self.stage(exchange(), given_back)

    @given(st.binary())
    def test_no_other_key_is_known(self, key):
        if key.strip() in (KEY, b"other-key-0123456"):
            return
        assert self.stage.known([(b"x-api-key", key)]) is None

    async def test_what_became_of_a_key_counts_also_where_its_headers_are_remembered(self):
        def asked():
            made = exchange(headers=[(b"x-api-key", KEY)])
            made.memo = memo
            return made

        memo = Memo()
        assert (await self.stage(asked(), given_back)).caller.key == "k1"
        assert (await Authenticate({digest(KEY): Caller("other")})(asked(), given_back)).caller.key == "other"
        with pytest.raises(KeyDisabled, match="was revoked"):
            await Authenticate({digest(KEY): Caller("k1", barred="was revoked")})(asked(), given_back)
        with pytest.raises(KeyExpired):
            await Authenticate({digest(KEY): Caller("k1", expires=1.0)})(asked(), given_back)
        with pytest.raises(Unauthenticated, match="not one of this gateway's"):
            await Authenticate({})(asked(), given_back)

    async def test_of_two_keys_that_are_remembered_the_first_that_is_valid_counts(self):
        made, later = (exchange(headers=[(b"authorization", b"other-key-0123456"), (b"x-api-key", KEY)]) for _ in "12")
        made.memo = later.memo = Memo()
        assert (await Authenticate({digest(KEY): Caller("k1")})(made, given_back)).caller.key == "k1"
        assert (await self.stage(later, given_back)).caller.key == "k2"

    async def test_the_body_is_not_read_before_the_key_is_known(self):
        read = []

        async def receive():
            read.append(1)
            return b"{}"

        asked = exchange()
        asked.receive = receive
        with pytest.raises(Unauthenticated):
            await chain([self.stage, Receive()], given_back)(asked)
        assert not read


class TestReceive:
    async def test_model_and_stream_are_read(self):
        seen = await Receive()(exchange(b'{"model":"chat","stream":true}'), given_back)
        assert (seen.model, seen.stream, seen.record.bytes_in) == ("chat", True, 30)

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            (b"{}", "model"),
            (b'{"model":3}', "model"),
            (b'{"model":""}', "model"),
            (b'{"model":"m","stream":"yes"}', "stream"),
        ],
    )
    async def test_a_wrong_field_is_named(self, body, param):
        with pytest.raises(InvalidRequest) as caught:
            await Receive()(exchange(body), given_back)
        assert caught.value.param == param

    @pytest.mark.parametrize(
        "kind",
        [
            b"text/plain",
            b"application/x-www-form-urlencoded",
            b"multipart/form-data; boundary=x",
            b"application/json; charset=latin-1",
        ],
    )
    async def test_other_content_types_are_refused(self, kind):
        with pytest.raises(UnsupportedMedia):
            await Receive()(exchange(b'{"model":"m"}', [(b"content-type", kind)]), given_back)

    async def test_what_is_too_long_to_be_remembered_is_not_looked_for(self):
        class Sought(Repeats):
            times = 0

            def find(self, *asked):
                self.times += 1
                return super().find(*asked)

        receive = Receive(repeats=(sought := Sought()))
        short, long = (b'{"model":"m","x":"%b"}' % (b"x" * size) for size in (9, LARGEST))
        assert (await receive(exchange(short), given_back)).known is not None
        assert sought.times == 1
        assert (await receive(exchange(long), given_back)).known is None
        assert sought.times == 1

    @pytest.mark.parametrize("kind", [b"application/json", b"application/json; charset=UTF-8", b"Application/JSON"])
    async def test_json_is_taken_however_it_is_written(self, kind):
        assert (await Receive()(exchange(b'{"model":"m"}', [(b"content-type", kind)]), given_back)).model == "m"


class TestRoute:
    a, b = Host("a"), Host("b")
    stage = Route(
        {
            "chat": Alias("chat", "ordered", Ordered(), [Target(a, "x/y")], [Target(b, "z")]),
            "smart": Alias("smart", "ordered", Ordered(), [Target(b, "z")]),
        },
        {"a": a, "b": b},
    )

    async def ask(self, model, caller=None):
        return [target.name for target in (await self.stage(exchange(model=model, caller=caller), given_back)).targets]

    async def test_an_alias_gives_targets_then_fallbacks(self):
        assert await self.ask("chat") == ["a/x/y", "b/z"]

    async def test_a_provider_is_asked_directly_with_slashes_in_the_model(self):
        assert await self.ask("a/org/model-7b:free") == ["a/org/model-7b:free"]

    @pytest.mark.parametrize(
        ("model", "hint"), [("chatt", "'chat'"), ("aa/x", "'a/x'"), ("nothing-like-it", "/v1/models")]
    )
    async def test_an_unknown_model_gets_advice(self, model, hint):
        with pytest.raises(UnknownModel) as caught:
            await self.ask(model)
        assert hint in caught.value.message
        assert caught.value.param == "model"

    async def test_a_key_may_use_what_it_lists(self):
        caller = Caller("k", frozenset({"smart", "a/one"}), ("b/",))
        assert await self.ask("smart", caller) == ["b/z"]
        assert await self.ask("a/one", caller) == ["a/one"]
        assert await self.ask("b/any/thing", caller) == ["b/any/thing"]
        for model in ("chat", "a/two"):
            with pytest.raises(Forbidden) as caught:
                await self.ask(model, caller)
            assert caught.value.status == 403

    @pytest.mark.parametrize(
        ("models", "families", "told"),
        [
            ({"a/one"}, (), "'a/one'"),
            ({"smart", "b/two", "a/one"}, ("b/", "a/org/"), "'smart', 'a/one', 'b/two', 'b/*', 'a/org/*'"),
            (set(), (), "none, as `models` of the key and its owners leave none"),
        ],
    )
    async def test_a_key_is_told_what_it_may_use(self, models, families, told):
        with pytest.raises(Forbidden) as caught:
            await self.ask("chat", Caller("k", frozenset(models), families))
        assert caught.value.message.endswith(f"it may use {told}")

    async def test_advice_names_models_that_only_the_key_lists(self):
        with pytest.raises(UnknownModel) as caught:
            await self.ask("aa/one", Caller("k", frozenset({"a/one"})))
        assert "did you mean 'a/one'" in caught.value.message

    async def test_advice_does_not_tell_of_models_a_key_may_not_use(self):
        with pytest.raises(UnknownModel) as caught:
            await self.ask("chatt", Caller("k", frozenset({"smart"})))
        assert "'chat'" not in caught.value.message

    async def test_hostile_names_stay_harmless(self):
        for model in ("x" * 1_000_000, "../../etc/passwd", "a/", "/", "a\nb: c", "__class__"):
            with pytest.raises(UnknownModel) as caught:
                await self.ask(model)
            assert len(caught.value.message) < 500
            assert "\n" not in caught.value.message


async def test_a_stage_that_gives_back_no_reply_is_named():
    class Forgetful:
        async def __call__(self, exchange, proceed):
            await proceed(exchange)

    with pytest.raises(TypeError, match="stage mine:Forgetful gave back NoneType, not a Reply"):
        await Checked("mine:Forgetful", Forgetful())(exchange(), given_back)
