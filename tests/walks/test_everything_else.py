"""What is forwarded unread below /{provider}/…: with the vendors' SDKs, and with bytes of no API at all."""

import asyncio
import http.client
import io
import json
import time

import anthropic
import openai
import pytest
from google import genai

from gateways import KEY, OTHER_KEY, running
from upstreams import LAST_CHUNK, Close, Reset, Sleep, as_chunk, chunked_head, json_reply, reply, sse_event

OPENAI_KEY, ANTHROPIC_KEY, GOOGLE_KEY = "sk-upstream-openai-key", "sk-ant-upstream-key", "AIza-upstream-key"


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}, max_body_bytes: 33554432}}
data_dir: {{DATA}}
providers:
  openai: {{api_key: {OPENAI_KEY}, base_url: '{first.url}/v1', timeouts: {{first_byte: 2, idle: 2}}}}
  anthropic: {{api_key: {ANTHROPIC_KEY}, base_url: '{first.url}'}}
  google: {{kind: openai_compatible, base_url: '{first.url}', api_key: none, headers: {{x-goog-api-key: {GOOGLE_KEY}}}}}
  dead: {{kind: openai, api_key: sk-dead-key, base_url: 'http://127.0.0.1:9/v1'}}
  simulator: {{}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: limited, key: {OTHER_KEY}, models: ['anthropic/*', openai/gpt-4o-mini, 'google/models/*']}}
"""
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = json_reply({"ok": True})
    return first


def ask(gateway, method, path, body=None, headers=(), key=KEY):
    """One request as it is written here: (status, headers, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    sent = {**({"authorization": f"Bearer {key}"} if key else {}), **dict(headers)}
    connection.request(method, path, body, sent)
    response = connection.getresponse()
    found = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return found


def recorded(gateway, headers):
    """The record of an answer."""
    return gateway.record_of(headers["x-request-id"])


@pytest.mark.parametrize("base", ["/openai", "/openai/v1"])
def test_openais_sdk_reaches_what_is_not_understood_here(gateway, upstream, base):
    client = openai.OpenAI(base_url=gateway.url + base, api_key=KEY, max_retries=0)
    file = {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "a.jsonl", "purpose": "batch",
            "status": "processed"}  # fmt: skip
    batch = {"id": "batch_1", "object": "batch", "completion_window": "24h", "created_at": 1, "endpoint": "/v1/x",
             "input_file_id": "file-1", "status": "validating"}  # fmt: skip
    job = {"id": "ftjob-1", "object": "fine_tuning.job", "created_at": 1, "model": "m", "status": "queued", "seed": 1,
           "organization_id": "o", "result_files": [], "training_file": "file-1", "hyperparameters": {}}  # fmt: skip
    upstream.script = [
        json_reply(file),
        json_reply({"object": "list", "data": [file], "has_more": False}),
        reply(b"\0\1\2" * 1000, content_type="application/octet-stream"),
        json_reply({"id": "file-1", "object": "file", "deleted": True}),
        json_reply(batch),
        json_reply(job),
    ]
    assert client.files.create(file=("a.jsonl", b"{}\n"), purpose="batch").id == "file-1"
    assert [each.id for each in client.files.list(limit=2)] == ["file-1"]
    assert client.files.content("file-1").read() == b"\0\1\2" * 1000
    assert client.files.delete("file-1").deleted
    assert client.batches.create(completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-1").id
    assert client.fine_tuning.jobs.create(model="m", training_file="file-1").id == "ftjob-1"
    asked = [(request.method, request.path) for request in upstream.requests]
    assert asked == [
        ("POST", "/v1/files"),
        ("GET", "/v1/files?limit=2"),
        ("GET", "/v1/files/file-1/content"),
        ("DELETE", "/v1/files/file-1"),
        ("POST", "/v1/batches"),
        ("POST", "/v1/fine_tuning/jobs"),
    ]
    assert {request.headers["authorization"] for request in upstream.requests} == {f"Bearer {OPENAI_KEY}"}
    assert b'filename="a.jsonl"' in upstream.requests[0].body
    assert "content-length" not in upstream.requests[1].headers
    assert not [request for request in upstream.requests if KEY.encode() in request.raw_head + request.body]


def test_anthropics_sdk_reaches_files_and_batches(gateway, upstream):
    client = anthropic.Anthropic(base_url=f"{gateway.url}/anthropic", api_key=KEY, max_retries=0)
    batch = {
        "id": "msgbatch_1", "type": "message_batch", "processing_status": "ended", "created_at": "2026-01-01T00:00:00Z",
        "request_counts": {"canceled": 0, "errored": 0, "expired": 0, "processing": 0, "succeeded": 1},
        "expires_at": "2026-01-02T00:00:00Z", "results_url": f"{upstream.url}/v1/messages/batches/msgbatch_1/results",
    }  # fmt: skip
    line = {"custom_id": "a", "result": {"type": "canceled"}}
    upstream.script = [
        json_reply({"id": "file_1", "type": "file", "filename": "a", "mime_type": "text/plain", "size_bytes": 1,
                    "created_at": "2026-01-01T00:00:00Z"}),
        json_reply(batch),
        json_reply(batch),
        reply(json.dumps(line).encode() + b"\n", content_type="application/x-jsonl"),
    ]  # fmt: skip
    assert client.beta.files.upload(file=("a", b"x", "text/plain")).id == "file_1"
    assert client.messages.batches.create(requests=[]).id == "msgbatch_1"
    # the SDK asks at the results_url of the reply: it must be the gateway's, or the gateway's key goes to the vendor
    assert [each.custom_id for each in client.messages.batches.results("msgbatch_1")] == ["a"]
    assert upstream.requests[-1].path == "/v1/messages/batches/msgbatch_1/results"
    for request in upstream.requests:
        assert request.headers["x-api-key"] == ANTHROPIC_KEY
        assert request.headers["anthropic-version"]
        assert KEY.encode() not in request.raw_head


def test_googles_sdk_reaches_files_and_caches(gateway, upstream):
    client = genai.Client(api_key=KEY, http_options={"base_url": f"{gateway.url}/google"})
    cache = {"name": "cachedContents/1", "model": "models/gemini-2.5-flash"}
    upstream.script = [
        json_reply(cache),
        json_reply({"cachedContents": [cache]}),
        json_reply({"name": "files/1", "uri": f"{upstream.url}/v1beta/files/1"}),
    ]
    assert client.caches.create(model="gemini-2.5-flash").name == "cachedContents/1"
    assert [each.name for each in client.caches.list()] == ["cachedContents/1"]
    assert client.files.get(name="files/1").uri == f"{upstream.url}/v1beta/files/1"
    for request in upstream.requests:
        assert request.headers["x-goog-api-key"] == GOOGLE_KEY
        assert KEY.encode() not in request.raw_head


def test_an_upload_goes_on_at_the_gateway(gateway, upstream):
    """The address for the bytes comes in a header; https://ai.google.dev/gemini-api/docs/files."""
    place = f"{upstream.url}/upload/v1beta/files?upload_id=7"
    upstream.script = reply(b"{}", headers=[("x-goog-upload-url", place), ("location", "https://other.example/x")])
    _, headers, _ = ask(gateway, "POST", "/google/upload/v1beta/files", b"{}", [("x-goog-upload-command", "start")])
    assert headers["x-goog-upload-url"] == f"{gateway.url}/google/upload/v1beta/files?upload_id=7"
    assert headers["location"] == "https://other.example/x"
    assert upstream.requests[0].headers["x-goog-upload-command"] == "start"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_any_method_any_bytes(gateway, upstream, method):
    body = bytes(range(256)) * 300
    upstream.script = reply(body[::-1], content_type="application/x-mine", headers=[("x-mine", "1")])
    status, headers, got = ask(gateway, method, "/openai/v1/new/thing?a=1&b[]=2", body, [("content-type", "x/y")])
    [request] = upstream.requests
    assert (request.method, request.path, request.body) == (method, "/v1/new/thing?a=1&b[]=2", body)
    assert request.headers["content-type"] == "x/y"
    assert (status, got, headers["content-type"], headers["x-mine"]) == (200, body[::-1], "application/x-mine", "1")
    assert headers["content-length"] == str(len(body))
    found = recorded(gateway, headers)
    assert (found["target"], found["model"], found["key"], found["status"]) == ("openai/*", "openai/*", "test", 200)
    assert (found["bytes_in"], found["bytes_out"], found["dialect"]) == (len(body), len(body), "opaque")
    assert found["duration"] > 0


def test_trace_is_not_forwarded(gateway, upstream):
    """Its answer holds what was sent, and with it the provider's key."""
    status, headers, _ = ask(gateway, "TRACE", "/openai/v1/files")
    assert (status, upstream.requests) == (405, [])
    assert "TRACE" not in headers["allow"]


def test_head_says_how_long_it_would_be(gateway, upstream):
    upstream.script = (b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\netag: x\r\n\r\n",)
    status, headers, body = ask(gateway, "HEAD", "/openai/files/1")
    assert (status, headers["content-length"], headers["etag"], body) == (200, "12345", "x", b"")


def test_nothing_comes_back_as_nothing(gateway, upstream):
    upstream.script = b"HTTP/1.1 204 No Content\r\n\r\n"
    status, headers, body = ask(gateway, "DELETE", "/openai/files/1")
    assert (status, body, "content-length" in headers) == (204, b"", False)


@pytest.mark.parametrize("status", [302, 400, 404, 409, 429, 500, 503])
def test_a_providers_status_passes_once_and_as_it_came(gateway, upstream, status):
    said = json.dumps({"error": {"message": f"no; your key {OPENAI_KEY} …"}}).encode()
    upstream.script = reply(said, status=status, headers=[("retry-after", "1"), ("set-cookie", "a=b")])
    got, headers, body = ask(gateway, "GET", "/openai/v1/files/none")
    assert (got, headers["retry-after"], "set-cookie" in headers) == (status, "1", False)
    assert len(upstream.requests) == 1
    if status >= 400:
        assert headers["x-headgate-error-origin"] == "provider"
        assert body == said.replace(OPENAI_KEY.encode(), b"[redacted]")
        found = recorded(gateway, headers)
        assert (found["status"], found["ending"], found["origin"]) == (status, "failed", "provider")
        assert OPENAI_KEY not in json.dumps(found)


@pytest.mark.parametrize("length", [True, False])
def test_a_host_that_repeats_what_it_was_sent_does_not_give_the_key_away(gateway, upstream, length):
    async def repeat(asked):
        said = asked.request.raw_head * 3
        assert OPENAI_KEY.encode() in said
        cut = said.index(OPENAI_KEY.encode()) + 9
        await asked.send(reply(b"", length=len(said)) if length else chunked_head(content_type="text/plain"))
        for part in (said[:cut], said[cut:]):
            await asked.send(part if length else as_chunk(part))
            await asyncio.sleep(0.05)
        if not length:
            await asked.send(LAST_CHUNK)

    upstream.script = repeat
    status, _, body = ask(gateway, "GET", "/openai/v1/debug")
    hidden = b"authorization: Bearer " + b"*" * len(OPENAI_KEY)
    assert (status, body.count(hidden), OPENAI_KEY.encode() in body) == (200, 3, False)
    assert body == upstream.requests[-1].raw_head.replace(OPENAI_KEY.encode(), b"*" * len(OPENAI_KEY)) * 3


def test_events_pass_as_they_come(gateway, upstream):
    upstream.script = (chunked_head(), as_chunk(sse_event("one")), Sleep(1.0), as_chunk(sse_event("two")), LAST_CHUNK)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    began = time.monotonic()
    connection.request("POST", "/openai/threads/runs", b"{}", {"authorization": f"Bearer {KEY}"})
    response = connection.getresponse()
    assert response.read1() == sse_event("one")
    assert time.monotonic() - began < 0.9
    assert response.read() == sse_event("two")
    assert response.getheader("content-type") == "text/event-stream"
    connection.close()


def test_what_breaks_off_breaks_off(gateway, upstream):
    upstream.script = (chunked_head(content_type="audio/mpeg"), as_chunk(b"half"), Sleep(0.1), Reset())
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("GET", "/openai/v1/files/1/content", headers={"authorization": f"Bearer {KEY}"})
    response = connection.getresponse()
    with pytest.raises((http.client.HTTPException, OSError)):
        response.read()
    response.close()
    connection.close()
    found = gateway.record_of(response.getheader("x-request-id"))
    assert (found["ending"], found["error"], found["status"]) == ("cut", "provider_cut", 200)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_what_may_have_been_done_is_not_asked_for_again(gateway, upstream, body):
    upstream.script, before = (Close(),), len(upstream.requests)
    status, _, _ = ask(gateway, "POST", "/openai/v1/threads", body)
    assert (status, len(upstream.requests) - before) == (502, 1)


def test_a_client_that_leaves_ends_it(gateway, upstream):
    async def slow(asked):
        await asked.send(chunked_head())
        await asked.send(as_chunk(sse_event("one")))
        await asked.stall()

    upstream.script = slow
    closed = len(upstream.closed_by_client)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("GET", "/openai/v1/events", headers={"authorization": f"Bearer {KEY}"})
    response = connection.getresponse()
    response.read1()
    response.close()
    connection.close()
    upstream.wait_for_close(closed + 1)


@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        ("/openai/v1/files", None, 401, "invalid_api_key"),
        ("/openai/v1/files", "sk-not-ours-0123456789", 401, "invalid_api_key"),
        ("/openai/v1/files", OTHER_KEY, 403, "model_not_allowed"),
        ("/dead/v1/files", KEY, 502, "provider_unreachable"),
        ("/simulator/v1/files", KEY, 400, "unsupported_field"),
        ("/nobody/v1/files", KEY, 404, "unknown_path"),
        ("/OpenAI/v1/files", KEY, 404, "unknown_path"),
    ],
)
def test_who_may_not_is_told(gateway, upstream, path, key, status, code):
    got, headers, body = ask(gateway, "GET", path, key=key)
    assert (got, headers["x-headgate-error-code"]) == (status, code)
    assert upstream.requests == []
    assert json.loads(body)["error"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/files", "what only a provider has is at /PROVIDER/v1/files, by the provider's name"),
        ("/v1/responses/resp_1", "what only a provider has is at /PROVIDER/v1/responses/resp_1, by"),
        ("/nobody/v1/files", "no provider is named 'nobody' in the configuration; there are "),
    ],
)
def test_where_it_is_instead_is_told(gateway, path, told):
    assert told in json.loads(ask(gateway, "GET", path)[2])["error"]["message"]


def test_a_key_with_models_of_a_provider_is_told_what_it_would_take(gateway, upstream):
    _, _, body = ask(gateway, "GET", "/openai/v1/files", key=OTHER_KEY)
    assert json.loads(body)["error"]["message"] == (
        "the key 'limited' may not use what is forwarded unread, which takes 'openai/*' among its models; "
        "it may use 'openai/gpt-4o-mini', 'anthropic/*', 'google/models/*'"
    )
    assert ask(gateway, "GET", "/google/v1beta/files", key=OTHER_KEY)[0] == 403, "some of its models are not all of it"


def test_a_key_with_the_providers_family_may(gateway, upstream):
    status, _, body = ask(gateway, "GET", "/anthropic/v1/files", key=OTHER_KEY)
    assert (status, body) == (200, b'{"ok": true}')
    _, _, body = ask(gateway, "GET", "/anthropic/v1/files", key=None)
    assert json.loads(body)["type"] == "error", "an error in Anthropic's own shape"


@pytest.mark.parametrize(
    "path",
    [
        "/openai/../anthropic/v1/files", "/openai/v1/../../x", "/openai/%2e%2e/x", "/openai/%252e%252e/x",
        "/openai//evil.example/x", "/openai/v1/a%2fb", "/openai/v1/a%5cb", "/openai/v1/a\\b", "/openai/..;/x",
        "/openai/v1/.", "/openai//", "/openai/http://169.254.169.254/", "/openai/v1/a%00",
    ],
)  # fmt: skip
def test_no_path_leads_elsewhere(gateway, upstream, path):
    status, headers, _ = ask(gateway, "GET", path)
    assert status == 400
    assert headers["x-headgate-error-origin"] == "gateway"
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/openai/@evil.example/x", "/openai/:80@evil.example", "/openai/127.1/x"])
def test_what_looks_like_a_host_is_a_path(gateway, upstream, path):
    assert ask(gateway, "GET", path, headers=[("x-forwarded-host", "evil.example")])[0] == 200
    [request] = upstream.requests
    assert request.path == "/v1" + path.removeprefix("/openai")
    assert request.headers["host"] == f"127.0.0.1:{upstream.port}"


def test_keys_in_a_query_stay_here(gateway, upstream):
    ask(gateway, "GET", f"/google/v1beta/files?key={KEY}&pageSize=1")
    assert upstream.requests[0].path == "/v1beta/files?pageSize=1"


def test_thirty_megabytes_pass_in_little_memory(gateway, upstream):
    size = 30 << 20
    piece = bytes(1 << 16)

    async def echo(asked):
        await asked.send(chunked_head(content_type="application/octet-stream"))
        for _ in range(size // len(piece)):
            await asked.send(as_chunk(piece))
        await asked.send(LAST_CHUNK)

    upstream.script = echo
    before = gateway.memory()
    most = before
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    connection.request(
        "POST",
        "/openai/v1/files",
        io.BytesIO(bytes(size)),
        {"authorization": f"Bearer {KEY}", "content-length": str(size)},
    )
    response = connection.getresponse()
    got = 0
    while data := response.read(1 << 20):
        got += len(data)
        most = max(most, gateway.memory())
    response.close()
    connection.close()
    assert got == size
    assert len(upstream.requests[0].body) == size
    assert most - before < 12 << 20


def test_the_limit_of_bodies_holds(gateway, upstream):
    status, headers, _ = ask(gateway, "POST", "/openai/v1/files", iter([b"x" * (1 << 20)] * 33))
    assert (status, headers["x-headgate-error-code"]) == (413, "request_too_large")
    assert upstream.requests == []
