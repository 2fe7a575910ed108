"""Clients of OpenAI's images API at hosts with APIs of their own, through a whole gateway and with OpenAI's SDK."""

import asyncio
import base64
import json

import openai
import pytest

from dialects.test_pictures import BFL, REPLICATE, STABILITY
from gateways import KEY, running
from upstreams import Sleep, json_reply, reply
from walks.conftest import each, settle

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
KEYS = {"stability": "st-upstream-secret", "bfl": "bfl-upstream-secret", "replicate": "r8-upstream-secret"}


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
providers:
  openai: {{api_key: sk-upstream-openai-key, base_url: '{first.url}/openai/v1'}}
  stability: {{api_key: {KEYS["stability"]}, base_url: '{first.url}', defaults: {{style_preset: comic-book}}}}
  bfl: {{api_key: {KEYS["bfl"]}, base_url: '{first.url}', poll: 0.02, set: {{safety_tolerance: 1}}}}
  replicate: {{api_key: {KEYS["replicate"]}, base_url: '{first.url}', poll: 0.02}}
  hasty: {{kind: bfl, api_key: {KEYS["bfl"]}, base_url: '{first.url}', poll: 0.02, timeouts: {{total: 0.2}}}}
models:
  paint:
    targets: [openai/gpt-image-2, bfl/flux-2-pro, replicate/black-forest-labs/flux-schnell, stability/stable-image-core]
keys:
  - {{name: test, key: {KEY}}}
"""
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        output = started.output()
        assert "Traceback" not in output
        assert not [key for key in KEYS.values() if key in output]


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = json_reply({})
    return first


async def paint(client, model, **fields):
    return await settle(client.images.with_raw_response.generate(model=model, prompt="A red hat", **fields))


async def test_stability_paints(openai_client, gateway, upstream):
    upstream.script = json_reply(STABILITY)
    raw = await paint(openai_client, "stability/stable-image-core", size="1024x1024", extra_body={"seed": 5})
    assert raw.parse().data[0].b64_json == "aGk="
    assert sorted(raw.headers["x-headgate-lost"].split(", ")) == ["reply.seed", "size"]
    [request] = upstream.requests
    assert request.path == "/v2beta/stable-image/generate/core"
    assert request.headers["authorization"] == f"Bearer {KEYS['stability']}"
    assert request.headers["accept"] == "application/json"
    for name, value in (
        ("prompt", "A red hat"),
        ("aspect_ratio", "1:1"),
        ("seed", "5"),
        ("style_preset", "comic-book"),
    ):
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in request.body
    record = gateway.record_of(raw.headers["x-request-id"])
    assert (record["target"], record["usage"]["units"]) == ("stability/stable-image-core", {"images": 1.0})


async def test_stability_edits(openai_client, upstream):
    upstream.script = json_reply(STABILITY)
    said = await settle(
        openai_client.images.edit(
            model="stability/search-and-replace",
            image=("a.png", PNG),
            prompt="A hat",
            extra_body={"search_prompt": "cap"},
        )
    )
    assert said.data[0].b64_json == "aGk="
    [request] = upstream.requests
    assert request.path == "/v2beta/stable-image/edit/search-and-replace"
    assert PNG in request.body


async def test_bfl_paints(openai_client, gateway, upstream):
    sample = f"{upstream.url}/results/5d/sample.jpeg?sig=a"
    upstream.script = [
        json_reply({"id": "5d", "polling_url": "https://api.us1.bfl.ai/v1/get_result?id=5d", "cost": 4.5}),
        json_reply({"id": "5d", "status": "Pending"}),
        json_reply({**BFL, "result": {"sample": sample}}),
        reply(PNG, content_type="image/png"),
    ]
    raw = await paint(openai_client, "bfl/flux-2-pro", response_format="b64_json", size="1024x1024")
    assert base64.b64decode(raw.parse().data[0].b64_json) == PNG
    order, *questions, fetched = upstream.requests
    assert json.loads(order.body) == {"prompt": "A red hat", "width": 1024, "height": 1024, "safety_tolerance": 1}
    assert [question.path for question in questions] == ["/v1/get_result?id=5d"] * 2
    assert {asked.headers["x-key"] for asked in (order, *questions)} == {KEYS["bfl"]}
    assert fetched.path == "/results/5d/sample.jpeg?sig=a"
    assert KEYS["bfl"] not in fetched.raw_head.decode()
    usage = gateway.record_of(raw.headers["x-request-id"])["usage"]
    assert (usage["units"], usage["reported"]["cost"]) == ({"images": 1.0}, 4.5)


async def test_replicate_paints(openai_client, gateway, upstream):
    upstream.script = [json_reply({"id": "g", "status": "starting"}, status=201), json_reply(REPLICATE)]
    raw = await paint(openai_client, "replicate/black-forest-labs/flux-schnell", extra_body={"num_outputs": 2})
    assert [item.url for item in raw.parse().data] == REPLICATE["output"]
    order, question = upstream.requests
    assert order.path == "/v1/models/black-forest-labs/flux-schnell/predictions"
    assert json.loads(order.body) == {"input": {"prompt": "A red hat", "num_outputs": 2}}
    assert (order.headers["prefer"], question.path) == ("wait=60", "/v1/predictions/g")
    usage = gateway.record_of(raw.headers["x-request-id"])["usage"]
    assert (usage["units"], usage["reported"]) == ({"images": 2.0}, {"predict_time": 0.48})


@pytest.mark.parametrize("model", ["stability/sd3", "bfl/flux-2-pro", "replicate/a/b"])
async def test_a_stream_is_made_of_an_answer_in_one_piece(openai_client, upstream, model):
    replies = {"stability": STABILITY, "bfl": {**BFL, "polling_url": f"{upstream.url}/v1/get"}, "replicate": REPLICATE}
    upstream.script = json_reply(replies[model.split("/")[0]])
    stream = await settle(openai_client.images.generate(model=model, prompt="A red hat", stream=True))
    events = [event async for event in each(stream)]
    assert {event.type for event in events} == {"image_generation.completed"}


async def test_one_wish_goes_from_host_to_host(openai_client, upstream):
    busy = json_reply({"detail": "busy"}, status=503)
    failed = json_reply({"id": "g", "status": "failed", "error": "CUDA out of memory"})
    upstream.script = [busy, busy, failed, json_reply(STABILITY)]
    raw = await paint(openai_client, "paint", response_format="b64_json")
    assert raw.headers["x-headgate-model"] == "stability/stable-image-core"
    assert [request.path for request in upstream.requests] == [
        "/openai/v1/images/generations", "/v1/flux-2-pro", "/v1/models/black-forest-labs/flux-schnell/predictions",
        "/v2beta/stable-image/generate/core",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 3}, "n"), ({"size": "big"}, "size")],
)
@pytest.mark.parametrize("model", ["stability/sd3", "bfl/flux-2-pro", "replicate/a/b"])
async def test_who_cannot_says_so(openai_client, upstream, model, fields, param):
    with pytest.raises(openai.BadRequestError) as caught:
        await paint(openai_client, model, **fields)
    assert caught.value.param == param
    assert not upstream.requests


async def test_a_filter_says_so(openai_client, upstream):
    moderated = {"id": "5d", "status": "Request Moderated", "details": {"Moderation Reasons": ["Violence"]}}
    upstream.script = json_reply({"polling_url": f"{upstream.url}/v1/get", **moderated})
    with pytest.raises(openai.BadRequestError, match="Violence") as caught:
        await paint(openai_client, "bfl/flux-2-pro")
    assert caught.value.code == "moderation_blocked"


async def test_what_takes_too_long_ends(openai_client, upstream):
    upstream.script = json_reply({"polling_url": f"{upstream.url}/v1/get", "status": "Pending"})
    with pytest.raises(openai.APIStatusError, match=r"timeouts\.total") as caught:
        await paint(openai_client, "hasty/flux-2-pro")
    assert caught.value.status_code == 504


async def test_who_leaves_is_not_asked_for_any_more(gateway, upstream):
    upstream.script = [
        json_reply({"polling_url": f"{upstream.url}/v1/get"}),
        (Sleep(0.02), json_reply({"status": "Pending"})),
    ]
    client = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=KEY, max_retries=0, timeout=20)
    painting = asyncio.create_task(paint(client, "bfl/flux-2-pro"))
    while len(upstream.requests) < 3:
        await asyncio.sleep(0.01)
    painting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await painting
    await client.close()
    gateway.wait_for_metric(0, "headgate_in_flight")
    asked = len(upstream.requests)
    await asyncio.sleep(0.15)
    assert len(upstream.requests) == asked
