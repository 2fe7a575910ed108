"""What stands beside the replies: response headers, compression both ways, the lists of models, probes and metrics."""

import gzip
import json
import zlib

import anthropic
import brotli
import openai
import pytest
import zstandard
from prometheus_client.parser import text_string_to_metric_families

from gateways import KEY, OTHER_KEY, ask
from upstreams import json_reply
from walks.conftest import each, settle
from walks.vendors import Said, error_body, stream, whole

PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
TARGETS = {"openai": "openai/gpt-4o-mini", "anthropic": "anthropic/claude-sonnet-4-5"}
MESSAGES = [{"role": "user", "content": "Hello?"}]
both = pytest.mark.parametrize("vendor", ["openai", "anthropic"])
crossings = pytest.mark.parametrize(
    ("face", "vendor"),
    [("openai", "openai"), ("openai", "anthropic"), ("anthropic", "openai"), ("anthropic", "anthropic")],
)
LARGE = Said("A long answer, said again and again. " * 400)


def body_with(**fields):
    return json.dumps({"max_tokens": 300, "messages": MESSAGES, **fields}).encode()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@crossings
def test_replies_say_who_answered(gateway, upstream, face, vendor, streamed):
    upstream.script = stream(vendor, Said()) if streamed else whole(vendor, Said())
    ids = set()
    for _ in range(2):
        answer = ask(gateway, PATHS[face], body_with(model=vendor, stream=streamed))
        assert answer.status == 200
        assert answer.headers["x-headgate-model"] == TARGETS[vendor]
        assert answer.headers["x-headgate-attempts"] == "1"
        assert "x-headgate-lost" not in answer.headers
        assert "x-headgate-error-code" not in answer.headers
        assert answer.headers["x-request-id"].startswith("req_")
        ids.add(answer.headers["x-request-id"])
    assert len(ids) == 2
    for id in ids:
        assert gateway.record_of(id)["target"] == TARGETS[vendor]


@both
def test_attempts_are_counted(gateway, upstream, second, vendor):
    upstream.script = json_reply(error_body(vendor, 500, "no"), status=500)
    second.script = whole(vendor, Said())
    answer = ask(gateway, PATHS[vendor], body_with(model=f"{vendor}-spare"))
    assert (answer.status, answer.headers["x-headgate-attempts"]) == (200, "2")
    assert answer.headers["x-headgate-model"].startswith(f"{vendor}_second/")
    second.script = upstream.script
    answer = ask(gateway, PATHS[vendor], body_with(model=f"{vendor}-spare"))
    assert (answer.status, answer.headers["x-headgate-attempts"]) == (500, "2")


@pytest.mark.parametrize(
    ("face", "vendor", "field", "value"),
    [("openai", "anthropic", "seed", 7), ("anthropic", "openai", "top_k", 5)],
)
def test_what_a_crossing_lost_is_named(gateway, upstream, face, vendor, field, value):
    upstream.script = whole(vendor, Said())
    answer = ask(gateway, PATHS[face], body_with(model=vendor, **{field: value}))
    assert answer.headers["x-headgate-lost"] == field
    record = gateway.record_of(answer.headers["x-request-id"])
    assert [loss["path"] for loss in record["lost"]] == [field]
    assert field not in json.loads(upstream.requests[0].body)
    upstream.script = whole(face, Said())
    answer = ask(gateway, PATHS[face], body_with(model=face, **{field: value}))
    assert "x-headgate-lost" not in answer.headers


@both
def test_errors_say_where_they_come_from(gateway, upstream, vendor):
    upstream.script = json_reply(error_body(vendor, 404, "no such thing"), status=404)
    answer = ask(gateway, PATHS[vendor], body_with(model=vendor))
    assert answer.headers["x-headgate-error-code"] == "provider_refused"
    assert answer.headers["x-headgate-error-origin"] == "provider"
    assert answer.headers["x-headgate-model"] == TARGETS[vendor]
    answer = ask(gateway, PATHS[vendor], body_with(model="nothing-like-it"))
    assert answer.status == 404
    assert answer.headers["x-headgate-error-code"] == "model_not_found"
    assert answer.headers["x-headgate-error-origin"] == "gateway"
    assert "x-headgate-model" not in answer.headers


# Compression


DECODERS = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstandard.ZstdDecompressor().decompressobj}
ENCODERS = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.ZstdCompressor().compress}


def decoded(body, encoding):
    return DECODERS["zstd"]().decompress(body) if encoding == "zstd" else DECODERS[encoding](body)


@pytest.mark.parametrize("encoding", ENCODERS)
@both
def test_large_replies_are_compressed_as_asked(gateway, upstream, vendor, encoding):
    upstream.script = whole(vendor, LARGE)
    answer = ask(gateway, PATHS[vendor], body_with(model=vendor), headers=[("accept-encoding", encoding)])
    assert answer.headers["content-encoding"] == encoding
    assert "accept-encoding" in answer.headers["vary"].lower()
    assert len(answer.body) == int(answer.headers["content-length"])
    original = upstream.script.partition(b"\r\n\r\n")[2]
    assert len(answer.body) < len(original) / 2
    assert decoded(answer.body, encoding) == original


@pytest.mark.parametrize("accept", ["gzip;q=0", "identity", "deflate", "", "gzip;q=0, br;q=0, zstd;q=0"])
def test_what_is_not_accepted_is_not_used(gateway, upstream, accept):
    upstream.script = whole("openai", LARGE)
    answer = ask(gateway, PATHS["openai"], body_with(model="openai"), headers=[("accept-encoding", accept)])
    assert "content-encoding" not in answer.headers
    assert answer.body == upstream.script.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("streamed", [False, True], ids=["small", "streamed"])
def test_small_replies_and_streams_stay_as_they_are(gateway, upstream, streamed):
    upstream.script = stream("openai", LARGE) if streamed else whole("openai", Said())
    given = [("accept-encoding", "gzip, br, zstd")]
    answer = ask(gateway, PATHS["openai"], body_with(model="openai", stream=streamed), headers=given)
    assert answer.status == 200
    assert "content-encoding" not in answer.headers


async def test_the_sdks_read_compressed_replies(openai_client, anthropic_client, upstream):
    upstream.script = whole("openai", LARGE)
    raw = await settle(openai_client.chat.completions.with_raw_response.create(model="openai", messages=MESSAGES))
    assert raw.headers["content-encoding"] in ENCODERS
    assert raw.parse().choices[0].message.content == LARGE.text
    upstream.script = whole("anthropic", LARGE)
    reply = await settle(anthropic_client.messages.create(model="anthropic", max_tokens=9, messages=MESSAGES))
    assert reply.content[0].text == LARGE.text


@pytest.mark.parametrize("encoding", ENCODERS)
@both
def test_compressed_requests_are_read(gateway, upstream, vendor, encoding):
    upstream.script = whole(vendor, Said())
    body = body_with(model=vendor, user="x" * 20_000)
    answer = ask(gateway, PATHS[vendor], ENCODERS[encoding](body), headers=[("content-encoding", encoding)])
    assert answer.status == 200
    [request] = upstream.requests
    assert json.loads(request.body)["user"] == "x" * 20_000
    assert "content-encoding" not in request.headers


@pytest.mark.parametrize("encoding", ENCODERS)
def test_bombs_and_rubbish_are_refused(gateway, upstream, encoding):
    headers = [("content-encoding", encoding)]
    bomb = ENCODERS[encoding](b" " * (9 << 20))
    assert len(bomb) < 100_000
    for body, status, code in [
        (bomb, 413, "request_too_large"),
        (b"not compressed at all", 400, "invalid_request"),
        # the end of a zstd frame cannot be told from a pause, so there the text is what breaks off
        (
            ENCODERS[encoding](body_with(model="openai"))[:-9],
            400,
            f"invalid_{'json' if encoding == 'zstd' else 'request'}",
        ),
    ]:
        answer = ask(gateway, PATHS["openai"], body, headers=headers)
        assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert not upstream.requests


def test_an_unknown_encoding_is_refused(gateway):
    body = zlib.compress(body_with(model="openai"))
    answer = ask(gateway, PATHS["anthropic"], body, headers=[("content-encoding", "compress")])
    assert answer.status == 415
    assert answer.json()["error"]["type"] == "invalid_request_error"


# Models


async def test_the_list_of_models_in_openais_shape(openai_client):
    page = await settle(openai_client.models.list())
    models = {model.id: model async for model in each(page)}
    assert {"openai", "anthropic", "sim", "openai-spare"} <= set(models)
    assert {(model.object, model.owned_by) for model in models.values()} == {("model", "headgate")}
    one = await settle(openai_client.models.retrieve("anthropic-spare"))
    assert (one.id, one.object) == ("anthropic-spare", "model")
    direct = await settle(openai_client.models.retrieve("openai/gpt-4o"))
    assert direct.id == "openai/gpt-4o"
    with pytest.raises(openai.NotFoundError) as caught:
        await settle(openai_client.models.retrieve("nothing"))
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        await settle(openai_client.with_options(api_key="hg-no").models.list())


async def test_the_list_of_models_in_anthropics_shape(anthropic_client):
    page = await settle(anthropic_client.models.list(limit=5))
    assert page.has_more is True
    assert len(page.data) == 5
    models = {model.id: model async for model in each(page)}
    assert {"openai", "anthropic", "sim", "openai-spare"} <= set(models), "all pages"
    assert {model.type for model in models.values()} == {"model"}
    one = await settle(anthropic_client.models.retrieve("anthropic-spare"))
    assert (one.id, one.display_name) == ("anthropic-spare", "anthropic-spare")
    assert one.created_at.year >= 2024
    with pytest.raises(anthropic.NotFoundError) as caught:
        await settle(anthropic_client.models.retrieve("nothing"))
    assert caught.value.type == "not_found_error"
    assert caught.value.request_id


def test_a_key_sees_only_its_own_models(gateway):
    answer = ask(gateway, "/v1/models", method="GET", key=OTHER_KEY)
    assert [model["id"] for model in answer.json()["data"]] == ["sim"]
    assert ask(gateway, "/v1/models/openai", method="GET", key=OTHER_KEY).status == 404
    assert ask(gateway, "/v1/models/sim", method="GET", key=OTHER_KEY).status == 200


# Probes and metrics


def test_probes(gateway):
    for path, text in (("/livez", b"alive\n"), ("/readyz", b"ready\n")):
        answer = ask(gateway, path, method="GET", key=None)
        assert (answer.status, answer.body) == (200, text)


def test_metrics_parse_and_move(gateway, upstream):
    answer = ask(gateway, "/metrics", method="GET", key=None)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    assert len(families) > 8
    assert all(family.documentation and family.type != "unknown" for family in families.values())
    before = gateway.metrics()
    upstream.script = whole("openai", Said())
    for _ in range(3):
        ask(gateway, PATHS["openai"], body_with(model="openai"))
    upstream.script = json_reply(error_body("openai", 404, "no"), status=404)
    ask(gateway, PATHS["openai"], body_with(model="openai"))
    moved = {name: value - before.get(name, 0) for name, value in gateway.metrics().items()}
    requests = {name: by for name, by in moved.items() if name.startswith("headgate_requests_total") and by}
    assert sum(requests.values()) == 4
    assert sum(by for name, by in requests.items() if 'status="200"' in name) == 3
    assert sum(by for name, by in requests.items() if 'status="404"' in name) == 1
    assert all('provider="openai"' in name for name in requests)
    tokens = {name: by for name, by in moved.items() if name.startswith("headgate_tokens_total") and by}
    assert sorted(tokens.values()) == [15, 45, 120, 180], "40 new, 60 cached, 15 out, 5 reasoning; three times"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/messages", 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/chat/completion", 404, "unknown_path"),
        ("GET", "/v1/Messages", 404, "unknown_path"),
        ("POST", "/v1/chat/../messages", 404, "unknown_path"),
    ],
)
def test_unknown_paths_and_methods(gateway, method, path, status, code):
    answer = ask(gateway, path, b"{}" if method == "POST" else b"", method=method)
    assert answer.status == status
    assert answer.headers.get("x-headgate-error-code") == code
    assert answer.headers["x-request-id"]
    assert answer.json()["error"]["message"]
    if status == 405:
        assert answer.headers["allow"] == ("GET, HEAD" if path == "/v1/models" else "POST")
    assert ask(gateway, path, b"{}", method=method, key=KEY[:-1]).status in (status, 401)
