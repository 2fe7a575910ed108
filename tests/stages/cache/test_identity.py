"""Two requests have the same key only where nothing that can change the answer differs, and nobody shares a tenant."""

import copy
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.cached import Terms
from headgate.core.caller import Belongs, Born, Caller
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.dialects import anthropic_messages, gemini_generate, openai_chat, openai_completions, openai_responses
from headgate.stages.cache.identity import LONGEST, depends, key, tenant

NAMES = st.one_of(st.none(), st.sampled_from(["a", "b", "ab", "", 'a","b', "k"]))
WORDS = st.text(max_size=4)
PARTS = st.lists(st.builds(lambda text: {"type": "text", "text": text}, WORDS), min_size=1, max_size=2)
MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "system", "assistant", "developer"]),
        PARTS,
    ),
    min_size=1,
    max_size=3,
)
FIELDS = st.fixed_dictionaries(
    {"messages": MESSAGES},
    optional={
        "temperature": st.sampled_from([0.0, 0.5, 1.0]),
        "seed": st.integers(0, 2),
        "max_tokens": st.integers(1, 3),
        "n": st.integers(1, 2),
        "stop": st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2),
        "logit_bias": st.dictionaries(st.sampled_from(["1", "2"]), st.integers(-1, 1), max_size=2),
        "response_format": st.sampled_from([{"type": "text"}, {"type": "json_object"}]),
        "tools": st.lists(
            st.builds(lambda name: {"type": "function", "function": {"name": name}}, st.sampled_from("fg")),
            min_size=1,
            max_size=2,
        ),
        "reasoning_effort": st.sampled_from(["low", "high"]),
        "service_tier": st.sampled_from(["flex", "default"]),
        "unheard_of": st.one_of(st.booleans(), st.integers(0, 1), st.just({"user": "x"})),
    },
)


class Provider:
    def __init__(self, speaks=None):
        self.speaks = speaks

    def dialect_for(self, client, model):
        return self.speaks or openai_chat


class Target:
    name, model = "up/m", "m"

    def __init__(self, speaks=None):
        self.provider = Provider(speaks)


def exchange(fields, dialect=openai_chat, caller=None, headers=()):
    made = Exchange("req_1", dialect, "/", headers, None, 0.0, Record(id="req_1", time=time.time()))
    made.fields, made.caller, made.targets, made.model = fields, caller, (Target(),), "smart"
    return made


def key_of(fields, dialect=openai_chat, *, meaning=b"", per="key", headers=(), **more):
    asked = exchange({"model": "smart", **fields}, dialect, headers=headers, **more)
    return key(asked, meaning, per, frozenset({b"anthropic-beta", b"anthropic-version"}))


@given(FIELDS, FIELDS)
def test_requests_have_one_key_only_where_they_mean_the_same(one, other):
    assert (key_of(one) == key_of(other)) == (_meant(one) == _meant(other))
    for name in one.keys() | other.keys():  # and where they differ in nothing else
        left = {each: value for each, value in one.items() if each != name}
        changed = {**left, name: other[name]} if name in other else left
        if changed.keys() >= {"messages"}:
            assert (key_of(one) == key_of(changed)) == (_meant(one) == _meant(changed))


def _meant(fields):
    """As JSON, in which 1 and true differ."""
    return json.dumps(fields, sort_keys=True)


@given(
    FIELDS,
    st.fixed_dictionaries(
        {},
        optional={
            "stream": st.booleans(),
            "stream_options": st.just({"include_usage": True}),
            "user": WORDS,
            "safety_identifier": WORDS,
            "prompt_cache_key": WORDS,
            "metadata": st.dictionaries(WORDS, WORDS, max_size=1),
            "model": st.just("another"),
        },
    ),
)
def test_what_no_answer_depends_on_does_not_count(fields, beside):
    plain = (
        {"safety_identifier": "", "prompt_cache_key": ""}
        if beside.keys() & {"safety_identifier", "prompt_cache_key"}
        else {}
    )
    assert key_of({**fields, **beside}) == key_of({**fields, **plain})


BORN = st.builds(Born, *[st.sampled_from(["", "1.0", "2.0"])] * 5)
CALLERS = st.builds(
    lambda name, organisation, team, application, user, born: Caller(
        name, belongs=Belongs(organisation, team, application, user), born=born
    ),
    st.sampled_from(["a", "b", "ab", 'a","b']),
    NAMES,
    NAMES,
    NAMES,
    NAMES,
    BORN,
)


@given(CALLERS, CALLERS, st.sampled_from(["end_user", "key", "user", "team", "organisation"]), WORDS, WORDS)
def test_nobody_is_of_two_tenants(one, other, per, user, another):
    def whose(caller, end_user):
        own = {"organisation": caller.belongs.organisation, "team": caller.belongs.team, "user": caller.belongs.user}
        if own.get(per) is not None:
            born = caller.born.organisation, getattr(caller.born, per)
            return per, caller.belongs.organisation, own[per], born
        return caller.key, caller.belongs, end_user if per == "end_user" else None, caller.born

    same = tenant(one, per, user) == tenant(other, per, another)
    assert same == (whose(one, user) == whose(other, another))
    fields = {"messages": [{"role": "user", "content": "hi"}], "user": "u"}
    keys = [key_of(fields, per=per, caller=caller) for caller in (one, other)]
    assert (keys[0] == keys[1]) == (whose(one, "u") == whose(other, "u"))


SAYING = {
    openai_chat: {
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "max_completion_tokens": 5,
        "temperature": 0.5,
    },
    openai_responses: {"instructions": "be brief", "input": "hi", "max_output_tokens": 5, "temperature": 0.5},
    anthropic_messages: {
        "system": "be brief",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5,
        "temperature": 0.5,
    },
    gemini_generate: {
        "stream": False,
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "generationConfig": {"maxOutputTokens": 5, "temperature": 0.5},
    },
}


def test_words_are_the_same_in_every_dialect():
    assert len({key_of(fields, dialect) for dialect, fields in SAYING.items()}) == 1


def test_a_text_to_be_completed_is_no_conversation():
    chat = {"messages": [{"role": "user", "content": "hi"}]}
    assert key_of({"prompt": "hi"}, openai_completions) != key_of(chat)


def test_what_only_one_dialect_knows_is_its_own():
    fields = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "top_k": 3, "unheard_of": 1}
    assert key_of(fields) != key_of(fields, anthropic_messages)


def test_the_configuration_counts_and_headers_for_providers_do():
    fields = SAYING[openai_chat]
    keys = [
        key_of(fields),
        key_of(fields, meaning=b"other"),
        key_of(fields, headers=[(b"anthropic-beta", b"x")]),
        key_of(fields, headers=[(b"anthropic-beta", b"y")]),
        key_of(fields, headers=[(b"anthropic-version", b"2024-01-01")]),
    ]
    assert len(set(keys)) == len(keys)
    assert key_of(fields, headers=[(b"anthropic-version", b"2023-06-01"), (b"x-other", b"z")]) == keys[0]


def test_what_a_stage_has_changed_counts_and_not_what_the_client_said():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    asked = [exchange({"model": "m", "messages": [{"role": "user", "content": [image]}]}) for _ in range(3)]
    for place, each in enumerate(asked):
        each.edited = True
        each.request.messages = copy.deepcopy(each.request.messages)
        each.request.max_tokens = 1 if place else None
    keys = [key(each, b"", "key", frozenset()) for each in asked]
    assert keys[0] != keys[1] == keys[2]


URL = "https://example.com/today.png"
ELSEWHERE = [
    (openai_chat, {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}]}),
    (openai_chat, {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}),
    (
        openai_responses,
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL, "detail": "low"}]}]},
    ),
    (
        anthropic_messages,
        {
            "max_tokens": 5,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t",
                            "content": [{"type": "image", "source": {"type": "url", "url": URL}}],
                        }
                    ],
                }
            ],
        },
    ),
    (
        gemini_generate,
        {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": URL, "mimeType": "image/png"}}]}]},
    ),
]


@pytest.mark.parametrize(("dialect", "fields"), ELSEWHERE)
def test_what_names_something_elsewhere_has_no_key(dialect, fields):
    assert key_of(fields, dialect) is None


def test_a_picture_in_the_request_counts_as_it_is():
    def shown(data):
        part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        return key_of({"messages": [{"role": "user", "content": [part]}]})

    assert shown("AAAA") == shown("AAAA") is not None
    assert shown("AAAA") != shown("AAAB")


@pytest.mark.parametrize("dialect", [openai_responses, openai_chat])
def test_what_is_said_again_in_the_answer_is_nobody_elses_to_read(dialect):
    """OpenAI's Responses have `metadata`, `user` and so on in the answer, as the request said them."""
    words = {"input": "hi"} if dialect is openai_responses else {"messages": [{"role": "user", "content": "hi"}]}

    def of(speaks, **said):
        asked = exchange({"model": "smart", **words, **said}, dialect)
        asked.targets = (Target(openai_chat), Target(speaks))
        return key(asked, b"", "team", frozenset())

    for said in ({"metadata": {"case": "7"}}, {"user": "ann"}, {"safety_identifier": "ann"}, {"prompt_cache_key": "x"}):
        assert of(openai_responses, **said) == of(openai_responses, **said) != of(openai_responses)
    assert of(openai_responses, user="ann") != of(openai_responses, user="bob")
    assert of(openai_chat, user="ann") == of(openai_chat, user="bob")


TARGETS = [Target(), Target(openai_responses)]
OF = frozenset({b"anthropic-beta", b"anthropic-version"})
AROUND = st.fixed_dictionaries(
    {
        "meaning": st.sampled_from([b"", b"a"]),
        "per": st.sampled_from(["end_user", "key", "team"]),
        "alias": st.sampled_from([None, "a", "b"]),
        "rule": st.sampled_from([None, "a"]),
        "effort": st.sampled_from([None, "high"]),
        "targets": st.lists(st.sampled_from(TARGETS), min_size=1, max_size=2, unique=True),
        "headers": st.lists(
            st.tuples(
                st.sampled_from([*OF, b"accept", b"x-headgate-user", b"x-headgate-requires"]),
                st.sampled_from([b"a", b"b", b"2023-06-01"]),
            ),
            max_size=3,
        ),
    }
)


@given(FIELDS, st.sampled_from(["", "ann"]), AROUND, AROUND)
def test_a_key_is_told_by_what_it_depends_on(fields, user, one, other):
    """Of the same caller and the same body: what is remembered by that is what would be found out."""

    def found(around):
        asked = exchange({"model": "smart", "user": user, **fields}, headers=around["headers"], caller=Caller("k"))
        asked.targets, asked.effort = around["targets"], around["effort"]
        asked.decision.alias, asked.decision.rule = around["alias"], around["rule"]
        terms = Terms(60, 0, around["per"], False, False, True, 1 << 20)
        return depends(asked, around["meaning"], terms, OF), key(asked, around["meaning"], around["per"], OF)

    for changed in (other, *({**one, name: other[name]} for name in one)):
        (place, this), (there, that) = found(one), found(changed)
        assert place is not None
        assert place != there or this == that


def test_long_headers_are_not_held_with_a_key():
    beta = b"anthropic-beta"
    for headers, held in (
        ([(beta, b"b" * 500), (b"accept", b"a" * 9999)], True),
        ([(beta, b"b" * LONGEST)], False),
        ([(beta, b"")] * 100, False),
    ):
        asked = exchange({"model": "smart"}, headers=headers)
        assert (depends(asked, b"", Terms(60, 0, "key", False, False, True, 1 << 20), OF) is not None) is held
