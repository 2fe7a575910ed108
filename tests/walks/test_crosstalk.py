"""Nobody is ever given another's answer: V5, S19 and C3 of the reliability catalogue, a few thousand requests of what
bench/crosstalk.py does by the million; and what somebody may try who wants to have one, or to plant one."""

import asyncio
import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from gateways import KEY, OTHER_KEY, free_port, running
from upstreams import ScriptedUpstream, json_reply

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import crosstalk


@pytest.mark.parametrize("one_tenant", [False, True])
def test_two_tenants_have_nothing_of_each_other_which_would_be_noticed(tmp_path, one_tenant):
    """Two workers, a file with memory in front, similar questions found."""
    said = Namespace(semantic=True, store="sqlite", front=1.0, one_tenant=one_tenant)
    times = (100, 200) if one_tenant else (800, 600)
    provider, port = free_port(), free_port()

    async def walk():
        async with crosstalk.echoing(provider):
            steps = zip((crosstalk.nonces, crosstalk.alike), times, strict=True)
            return [await crosstalk.run(port, ask, many) for ask, many in steps]

    with running(tmp_path, crosstalk.config(said, tmp_path, port, provider), port=port):
        once, alike = asyncio.run(walk())
    assert not once.wrong
    assert once.outcomes["hit"] > once.asked / 20
    assert alike.outcomes["hit"] + alike.outcomes["semantic"] > alike.asked / 3
    assert not once.calls[0] & once.calls[1]
    assert bool(alike.calls[0] & alike.calls[1]) == one_tenant


CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
providers: {{up: {{kind: openai, api_key: sk-x, base_url: '{up}/v1'}}}}
models:
  kept: {{targets: up/m, cache: true}}
  each: {{targets: up/m, cache: {{per: end_user}}}}
keys: [{{name: one, key: {one}}}, {{name: two, key: {two}}}]
"""


class Counting:
    calls = 0

    async def __call__(self, asked):
        self.calls += 1
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": f"call {self.calls}"},
            "finish_reason": "stop",
        }
        await asked.send(
            json_reply({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
        )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with ScriptedUpstream(Counting()) as up:
        config = CONFIG.format(up=up.url, one=KEY, two=OTHER_KEY)
        with running(tmp_path_factory.mktemp("tricks"), config) as started:
            yield started


def ask(gateway, body, key=KEY, **headers):
    """Status, and what the cache had to do with it; `body` as it is."""
    heads = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    heads |= {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, found, _ = gateway.request("POST", "/v1/chat/completions", data, heads)
    return status, found.get("x-headgate-cache")


def chat(words, **more):
    return {"model": "kept", "messages": [{"role": "user", "content": words}], **more}


MINE = b'{"model": "kept", "messages": [{"role": "user", "content": "mine"}]}'
TWICE = [
    b'{"messages": [{"role": "user", "content": "yours"}], ' + MINE[1:],
    b'{"model": "kept", "messages": [{"role": "user", "content": "yours", "content": "mine"}]}',
    b'{"model": "other", "model": "kept", "messages": [{"role": "user", "content": "mine"}]}',
]
NAMED = [
    {"__proto__": {"temperature": 0}},
    {"constructor": {"prototype": {"messages": []}}},
    {"messages[0].content": "mine"},
    {"Messages": [{"role": "user", "content": "yours"}]},
    {"key": "one"}, {"tenant": "one"}, {"cache_key": "x"}, {"organization": "red"},
]  # fmt: skip
HEADERS = [
    {"x_headgate_cache_entry": "0" * 48}, {"x_headgate_cache": "hit"}, {"x_headgate_key": "one"},
    {"x_forwarded_for": "127.0.0.1"}, {"x_headgate_cache_tags": "one, mine, \u00e9" + "x" * 500}, {"vary": "*"},
    {"x_litellm_cache_key": "mine"}, {"cache_control": "max-stale"}, {"if_none_match": "*"},
    {"x_headgate_team": "red"}, {"openai_organization": "red"},
]  # fmt: skip


def test_what_is_said_twice_is_no_request_or_not_the_same(gateway):
    status, how = ask(gateway, MINE)
    assert (status, how in ("miss", "hit")) == (200, True)
    for body in TWICE:
        status, how = ask(gateway, body)
        assert (status, how) in ((400, None), (200, "miss")), body
    assert ask(gateway, MINE) == (200, "hit")


def test_fields_that_nobody_knows_make_it_another_and_poison_nothing(gateway):
    ask(gateway, MINE)
    for more in NAMED:
        status, how = ask(gateway, {**json.loads(MINE), **more})
        assert (status, how) in ((400, None), (200, "miss")), more
    assert ask(gateway, MINE) == (200, "hit")


def test_no_header_leads_to_anothers_answer(gateway):
    for number, headers in enumerate(HEADERS):
        words = f"of one, {number}"
        assert ask(gateway, chat(words)) == (200, "miss")
        assert ask(gateway, chat(words), key=OTHER_KEY, **headers) == (200, "miss"), headers
        assert ask(gateway, chat(words)) == (200, "hit")
        assert ask(gateway, chat(words), **headers) == (200, "hit"), headers  # nor away from one's own


def test_an_end_user_is_told_apart_however_it_is_said(gateway):
    def of(**more):
        return ask(gateway, {**chat("whose"), "model": "each", **more})[1]

    assert of(user="ann") == "miss"
    assert of(user="ann") == "hit"
    for other in (
        {"user": "Ann"},
        {"user": "ann "},
        {"user": "ann\u200b"},
        {"user": ["ann"]},
        {"user": {"ann": 1}},
        {},
    ):
        assert of(**other) != "hit", other
