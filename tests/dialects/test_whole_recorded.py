"""Recorded traffic of every host that speaks a dialect of one JSON in and one JSON out."""

import json
from functools import cache
from urllib.parse import unquote

import pytest

from dialects.whole_laws import (
    BY_NAME,
    ONE_EACH,
    RECORDED,
    needs_recordings,
    others,
    read,
    said,
    said_in_body,
    usage_of,
    value_of,
    write,
)
from headgate.core.errors import InvalidRequest, ProviderNonsense
from headgate.dialects import vectors
from together import together

pytestmark = needs_recordings
RERANK = {"voyage": "voyage"}
"""Whose `/v1/rerank` is not as everybody's."""


def dialect_of(exchange):
    """The dialect an exchange was in, by its API and address."""
    api, url = exchange["api"], (exchange["request"].get("url") or "").partition("?")[0]
    if api == "embeddings" and exchange["provider"] == "cohere":
        return "cohere_embed" if url.endswith("/v2/embed") else "cohere_embed_v1"
    if api == "rerank":
        return (
            f"{RERANK.get(exchange['provider'], 'jina')}_rerank" if not url.endswith("/v2/rerank") else "cohere_rerank"
        )
    if api == "moderations":
        return "openai_moderations"
    if api == "images" and url.endswith("/generations"):
        return "openai_images"
    if api == "invoke" and "titan-embed" in url:
        return "titan_embed"
    if api == "invoke" and ("cohere.embed" in url or "cohere.rerank" in url):  # Cohere's own, but for the model
        return "cohere_embed" if "embed" in url else "cohere_rerank"
    if api == "embedContent" or (api == "embeddings" and exchange["provider"] == "gemini"):
        return "gemini_embed"
    if api == "embeddings" and exchange["provider"] == "ollama" and "/api/" in url:
        # one project's recorder names the older path for all of them
        return "ollama_embed" if "input" in exchange["request"]["body"] else "ollama_embeddings"
    if api == "embeddings" and exchange["provider"] == "perplexity":
        return None  # its base64 is of int8, whatever is asked for
    if api == "embeddings" and exchange["provider"] == "voyage":
        return "voyage_embeddings"
    if api == "embeddings" and url.endswith("/v1/embeddings"):
        return "openai_embeddings"
    return None


@cache
def recorded():
    return list(exchanges())


def exchanges():
    for path in sorted(RECORDED.glob("*/*.json")):
        exchange = json.loads(path.read_bytes())
        name = dialect_of(exchange)
        if name in BY_NAME:
            yield pytest.param(BY_NAME[name], exchange, id=f"{name}-{path.parent.name}-{path.stem[-60:]}")


each = together(("own", "exchange"), recorded)


def asked(own, exchange):
    """The request's fields; None where it was not recorded."""
    fields = exchange["request"].get("body")
    if not isinstance(fields, dict):
        return None
    if not own.in_url:
        return {"model": exchange.get("model") or "m", **fields}
    if own.name == "titan_embed":
        return {"model": exchange["model"], "stream": False, **fields}
    place = exchange["request"]["url"].partition("?")[0].rpartition("/")[2]
    model, _, method = unquote(place).rpartition(":")
    return {**fields, **own.read_url(f"{{model}}:{method}", model, {})}


def meant(value):
    """Without nulls, which are the same as nothing."""
    if isinstance(value, dict):
        return {key: meant(item) for key, item in value.items() if item is not None}
    return [meant(item) for item in value] if isinstance(value, list) else value


def test_there_is_enough():
    assert len(recorded()) > 100


@each
def test_requests_are_read_and_written_the_same(own, exchange):
    fields = asked(own, exchange)
    if fields is None or fields.get("documents") == []:
        return  # only the response was recorded, or there is nothing to rank
    lost = []
    written = json.loads(own.write_request(own.read_request(fields), lost))
    assert meant(written) == meant(said_in_body(own, fields))
    assert not lost


@each
def test_requests_cross(own, exchange):
    """They are said in every other dialect, or refused with the place; what is lost is named in the client's terms."""
    fields = asked(own, exchange)
    if fields is None or exchange["response"]["status"] != 200:
        return
    request = own.read_request(fields)
    for other in others(own):
        named = []
        try:
            _, named = said(other, own, fields)
        except InvalidRequest as error:
            named.append(error.param)
        assert all(path.partition("[")[0].partition(".")[0] in fields for path in named)
        assert request.dialect == own.name


@each
def test_replies_pass_byte_for_byte_and_cross(own, exchange):
    response = exchange["response"]
    body = json.dumps(response["body"]).encode()
    if response["status"] >= 400:
        error = own.read_error(response["status"], body)
        assert (error.status, bool(error.message)) == (response["status"], True)
        return
    relay = own.relay(False, asked(own, exchange) or {})
    assert relay.feed(body) + relay.end() == body
    events = read(own, body)
    assert relay.usage == usage_of(events)
    again, lost = write(own, events, asked(own, exchange) or like(body))
    assert not lost
    assert same(own, read(own, again), events)
    for other in others(own):
        try:
            written, _ = write(other, events, {})
        except ProviderNonsense:
            assert own.operation == "embeddings"
            assert vectors.PLAIN.isdisjoint(value_of(events).vectors) or (
                other.name in ONE_EACH and len(vectors.plain(value_of(events))) != 1
            )
            continue
        assert same(own, read(other, written), events)


def like(body):
    """What a request must say to be answered in the form of this reply."""
    return {"method": "embedContent"} if b'"embedding":' in body else {}


def same(own, there, here):
    if own.operation == "embeddings":
        return vectors.plain(value_of(there)) == vectors.plain(value_of(here))
    if own.operation == "rerank":
        return [(one.index, one.score) for one in value_of(there).ranks] == [
            (one.index, one.score) for one in value_of(here).ranks
        ]
    return value_of(there) == value_of(here)
