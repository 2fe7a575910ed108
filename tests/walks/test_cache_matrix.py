"""Fifty who ask the same at the same time ask once: in every dialect there is, of every operation, whole and streamed.

The dialects are those of the route table: a new one that may be kept needs a body here.
"""

import asyncio
import collections
import json

import pytest

from gateways import KEY, http_request, running
from headgate.dialects.dialect import dialects
from headgate.stages.cache.beyond import OPERATIONS

SAID = "the same [sim delay=0.4]"
TURN = [{"role": "user", "content": SAID}]
BODIES = {
    "openai_chat": {"messages": TURN},
    "openai_completions": {"prompt": SAID},
    "openai_responses": {"input": SAID},
    "anthropic_messages": {"messages": TURN, "max_tokens": 50},
    "anthropic_invoke": {"messages": TURN, "max_tokens": 50, "anthropic_version": "bedrock-2023-05-31"},
    "bedrock_converse": {"messages": [{"role": "user", "content": [{"text": SAID}]}]},
    "gemini_generate": {"contents": [{"role": "user", "parts": [{"text": SAID}]}]},
    "cohere_chat": {"messages": TURN},
    "ollama_chat": {"messages": TURN},
    "ollama_generate": {"prompt": SAID},
    "openai_embeddings": {"input": ["the same", SAID]},
    "cohere_embed": {"texts": ["the same", SAID], "input_type": "search_query", "embedding_types": ["float"]},
    "cohere_embed_v1": {"texts": ["the same", SAID], "input_type": "search_query"},
    "gemini_embed": {"content": {"parts": [{"text": SAID}]}, "requests": [{"content": {"parts": [{"text": SAID}]}}]},
    "vertex_predict": {"instances": [{"content": SAID}]},
    "ollama_embed": {"input": ["the same", SAID]},
    "ollama_embeddings": {"prompt": SAID},
    "cohere_rerank": {"query": SAID, "documents": ["a", "b"]},
    "jina_rerank": {"query": SAID, "documents": ["a", "b"]},
    "openai_moderations": {"input": SAID},
    "openai_images": {"prompt": SAID},
    "openai_image_edits": {"prompt": SAID, "image": b"PNG"},
    "openai_image_variations": {"image": b"PNG"},
    "openai_speech": {"input": SAID, "voice": "alloy"},
    "openai_audio": {"file": b"RIFF", "prompt": SAID},
    "openai_translations": {"file": b"RIFF", "prompt": SAID},
}
CLOSE = [("connection", "close")]
MANY, AT_ONCE = 50, 12


def cases():
    """(dialect, path, whether a stream is asked for in the body) for all that is kept; one path of each kind."""
    for dialect in dialects():
        if dialect.operation != "chat" and dialect.operation not in OPERATIONS:
            continue
        paths = {path.rpartition("}")[2] if dialect.in_url else path: path for path in dialect.paths}
        asks = dialect.stream_types and not dialect.in_url and dialect.operation != "speech"
        for path in paths.values():
            for stream in (False, True) if asks else (None,):
                yield dialect, path, stream


def request_of(dialect, path, stream):
    body = BODIES[dialect.name]
    if path.endswith(":embedContent"):
        body = {"content": body["content"]}
    if path.endswith(":batchEmbedContents"):
        body = {"requests": body["requests"]}
    if not dialect.in_url:
        body = {"model": "sim", **body}
    if stream is not None:
        body = {**body, "stream": stream}
    path = path.replace("{model}", "sim").replace("{", "").replace("}", "")
    if dialect.takes != "form":
        return http_request(path, json.dumps(body).encode(), headers=CLOSE)
    form = b"".join(part(name, value) for name, value in body.items()) + b"--x--\r\n"
    return http_request(path, form, content_type="multipart/form-data; boundary=x", headers=CLOSE)


def part(name, value):
    """Bytes are a file's."""
    head = f'--x\r\ncontent-disposition: form-data; name="{name}"'.encode()
    if isinstance(value, bytes):
        return head + b'; filename="f"\r\n\r\n' + value + b"\r\n"
    return head + b"\r\n\r\n" + (value if isinstance(value, str) else json.dumps(value)).encode() + b"\r\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: {{}}}}
models:
  sim: {{targets: simulator/sim, cache: true}}
  short: {{targets: simulator/sim, cache: {{ttl: 1, jitter: 0}}}}
keys: [{{name: one, key: {KEY}}}]
"""
    with running(tmp_path_factory.mktemp("matrix"), config) as started:
        yield started
        assert "Traceback" not in started.output()


async def once(port, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    heads = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), heads.get("x-headgate-cache"), int(heads.get("x-headgate-attempts", 0)), body


async def together(port, request):
    """How the cache took part in each answer, how many calls of a provider there were, what went wrong."""
    answers = await asyncio.gather(*(once(port, request) for _ in range(MANY)))
    wrong = [(status, body[:200]) for status, _, _, body in answers if status != 200]
    return collections.Counter(how for _, how, _, _ in answers), sum(calls for _, _, calls, _ in answers), wrong[:1]


def test_everybody_shares_one_call(gateway):
    async def all_of_them():
        gate = asyncio.Semaphore(AT_ONCE)

        async def shared(place, case):
            async with gate:  # words of its own, as those of a chat are the same in all dialects
                return await together(gateway.port, request_of(*case).replace(b"the same", b"case %03d" % place))

        return await asyncio.gather(*(shared(*each) for each in enumerate(every)))

    every = list(cases())
    assert {dialect.name for dialect, _, _ in every} == BODIES.keys()
    found = asyncio.run(all_of_them())
    bad = {}
    for (dialect, path, stream), (how, calls, wrong) in zip(every, found, strict=True):
        others = how["coalesced"] + how["hit"]
        slow = SAID in str(BODIES[dialect.name])
        if (how["miss"], others, calls) != (1, MANY - 1, 1) or (slow and not how["coalesced"]):
            bad[dialect.name, path, stream] = (dict(how), calls, wrong)
    assert not bad


def test_a_herd_at_the_end_of_an_answers_time_makes_one_call(gateway):
    body = json.dumps({"model": "short", "messages": [{"role": "user", "content": "herd [sim delay=0.3]"}]}).encode()
    request, only = (
        http_request("/v1/chat/completions", body, headers=[*CLOSE, *more])
        for more in ([], [("cache-control", "only-if-cached")])
    )

    async def herd():
        await once(gateway.port, request)
        assert (await once(gateway.port, only))[1] == "hit"
        while (await once(gateway.port, only))[0] == 200:
            await asyncio.sleep(0.05)
        return await together(gateway.port, request)

    how, calls, _ = asyncio.run(herd())
    assert (how["miss"], how["coalesced"], calls) == (1, MANY - 1, 1)
