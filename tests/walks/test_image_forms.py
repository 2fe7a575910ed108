"""Image edits and variations through a whole gateway, with OpenAI's SDK."""

import base64
import json

import openai
import pytest

from gateways import KEY, running
from upstreams import LAST_CHUNK, as_chunk, chunked_head, json_reply, sse_event
from walks.conftest import each, settle

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
DONE = {"created": 1, "data": [{"b64_json": "aGk="}]}


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 2, backoff: 0.01}}
breaker: {{enabled: false}}
providers:
  openai: {{api_key: sk-upstream-openai-key, base_url: '{first.url}/v1'}}
  local: {{kind: openai_compatible, api_key: none, base_url: '{first.url}/local/v1'}}
  groq: {{api_key: gsk-upstream-groq-key, base_url: '{first.url}/groq'}}
  simulator: {{}}
models:
  paint: {{targets: [openai/gpt-image-2, local/flux]}}
keys:
  - {{name: test, key: {KEY}}}
"""
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = json_reply(DONE)
    return first


async def test_an_edit_arrives_as_the_sdk_sent_it_and_goes_on_to_the_next(openai_client, gateway, upstream):
    upstream.script = [json_reply({"error": {"message": "busy"}}, status=503), json_reply(DONE)]
    raw = await settle(
        openai_client.images.with_raw_response.edit(
            model="paint", image=[("a.png", PNG), ("b.png", PNG)], mask=("m.png", PNG), prompt="A hat", n=1
        )
    )
    assert raw.parse().data[0].b64_json == "aGk="
    first, second = upstream.requests
    assert (first.path, second.path) == ("/v1/images/edits", "/local/v1/images/edits")
    assert first.body.count(PNG) == second.body.count(PNG) == 3
    assert first.body.replace(b"gpt-image-2", b"flux") == second.body
    record = gateway.record_of(raw.headers["x-request-id"])
    assert (record["target"], record["usage"]["units"]) == ("local/flux", {"images": 1.0})


async def test_a_streamed_edit(openai_client, upstream):
    events = [
        {"type": "image_edit.partial_image", "b64_json": "aA==", "partial_image_index": 0, "created_at": 1},
        {"type": "image_edit.completed", "b64_json": "aGk=", "created_at": 1, "usage": {"input_tokens": 5,
         "output_tokens": 9, "total_tokens": 14, "input_tokens_details": {"text_tokens": 2, "image_tokens": 3}}},
    ]  # fmt: skip
    upstream.script = (chunked_head(), *(as_chunk(sse_event(event, event["type"])) for event in events), LAST_CHUNK)
    stream = await settle(
        openai_client.images.edit(model="paint", image=("a.png", PNG), prompt="A hat", stream=True, partial_images=1)
    )
    assert [event.type async for event in each(stream)] == [event["type"] for event in events]


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # OpenAI's own are retired, others have them
async def test_variations(openai_client, upstream):
    said = await settle(openai_client.images.create_variation(model="local/dall-e-2", image=("a.png", PNG), n=2))
    assert said.data[0].b64_json == "aGk="
    assert upstream.requests[0].path == "/local/v1/images/variations"
    assert PNG in upstream.requests[0].body


async def test_who_makes_pictures_of_words_alone_says_so(openai_client, upstream):
    with pytest.raises(openai.BadRequestError):
        await settle(openai_client.images.edit(model="groq/any", image=("a.png", PNG), prompt="A hat"))
    assert not upstream.requests


async def test_the_simulator_edits(openai_client):
    made = [
        await settle(openai_client.images.edit(model="simulator/sim", image=("a.png", data), prompt="A hat"))
        for data in (PNG, PNG, PNG[:-1])
    ]
    first, again, other = (said.data[0].b64_json for said in made)
    assert first == again != other
    assert base64.b64decode(first).startswith(b"\x89PNG")


def test_a_form_is_wanted(gateway, upstream):
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    status, answer, _ = gateway.request("POST", "/v1/images/edits", json.dumps({"model": "paint"}).encode(), headers)
    assert (status, answer["x-headgate-error-code"]) == (415, "unsupported_media_type")
