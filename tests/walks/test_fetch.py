"""Pictures named by URL: fetched where the operator says so, from public hosts only, and from nowhere else."""

import asyncio
import base64
import json

import pytest

from gateways import KEY, running
from upstreams import ScriptedUpstream, json_reply, reply

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
providers:
  ollama: {{base_url: '{model}', speaks: [ollama_chat]}}
  cut_off: {{kind: openai_compatible, api_key: none, base_url: '{model}/v1', inline_links: true}}
  online: {{kind: openai_compatible, api_key: none, base_url: '{model}/v1'}}
keys: [{{name: test, key: {key}}}]
fetch: {fetch}
"""


async def files(asked):
    """A host of files, some of which lead elsewhere."""
    path = asked.request.path
    if path.startswith("/to/"):
        await asked.send(b"HTTP/1.1 302 Found\r\nlocation: " + path[4:].encode() + b"\r\ncontent-length: 0\r\n\r\n")
    elif path.startswith("/slow"):
        await asyncio.sleep(0.4)  # each is in time, all together are not
        await asked.send(b"HTTP/1.1 302 Found\r\nlocation: /slow" + path.encode() + b"\r\ncontent-length: 0\r\n\r\n")
    elif path == "/large.png":
        await asked.send(reply(b"x" * 5000, content_type="image/png"))
    elif path.startswith("/half.png"):
        await asked.send(reply(b"x" * 2000, content_type="image/png"))
    elif path == "/page":
        await asked.send(reply(b"<html>", content_type="text/html"))
    elif path == "/picture.png":
        await asked.send(reply(PICTURE, content_type="image/png"))
    else:
        await asked.send(reply(b"none", status=404))


async def model(asked):
    body = json.loads(asked.request.body)
    said = {"role": "assistant", "content": "A pixel."}
    if asked.request.path == "/api/chat":
        counts = {"prompt_eval_count": 1, "eval_count": 2, "done": True, "done_reason": "stop"}
        await asked.send(
            json_reply({"model": body["model"], "created_at": "2026-01-01T00:00:00Z", "message": said, **counts})
        )
    else:
        choice = {"index": 0, "message": said, "finish_reason": "stop"}
        await asked.send(
            json_reply({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
        )


@pytest.fixture(scope="module")
def host():
    with ScriptedUpstream(files) as server:
        yield server


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(model) as server:
        yield server


@pytest.fixture(scope="module")
def start(host, upstream, tmp_path_factory):
    def start(**fetch):
        config = CONFIG.format(model=upstream.url, key=KEY, fetch=json.dumps(fetch))
        return running(tmp_path_factory.mktemp("fetch"), config)

    return start


@pytest.fixture(scope="module")
def allowing(start, host):
    """A gateway whose operator lets it fetch from this machine."""
    fetch = {"max_bytes": 4096, "max_total_bytes": 4096, "timeout": 1}
    with start(enabled=True, networks=["127.0.0.0/8"], ports=[host.port], **fetch) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def careful(start, host):
    """A gateway that fetches from public hosts, on the port of the file server and of the trap."""
    with start(enabled=True, ports=[host.port, 80, 443]) as gateway:
        yield gateway


@pytest.fixture
def show(host, upstream):
    """Ask a model about a picture at a URL: status, body of the answer, what the model was sent."""

    def show(gateway, url, model="ollama/llava", times=1):
        host.requests.clear()
        upstream.requests.clear()
        picture = {"type": "image_url", "image_url": {"url": url}}
        content = [{"type": "text", "text": "What is it?"}, *[picture] * times]
        status, _, body = gateway.post({"model": model, "messages": [{"role": "user", "content": content}]})
        return status, body, [json.loads(request.body) for request in upstream.requests]

    return show


def test_it_is_fetched_once_where_the_api_takes_only_data(allowing, show, host):
    status, body, (sent,) = show(allowing, f"{host.url}/picture.png", times=2)
    assert (status, body["choices"][0]["message"]["content"]) == (200, "A pixel.")
    pictures = [picture for message in sent["messages"] for picture in message.get("images", ())]
    assert pictures == [base64.b64encode(PICTURE).decode()] * 2
    (request,) = host.requests
    assert not {"authorization", "cookie", "x-api-key"} & request.headers.keys()


def test_a_redirect_is_followed(allowing, show, host):
    assert show(allowing, f"{host.url}/to/{host.url}/picture.png")[0] == 200
    assert show(allowing, f"{host.url}/to//picture.png")[0] == 200


def test_a_host_without_a_network_gets_the_data_in_its_own_dialect(allowing, show, host):
    status, _, (sent,) = show(allowing, f"{host.url}/picture.png", "cut_off/m")
    assert status == 200
    url = sent["messages"][0]["content"][1]["image_url"]["url"]
    assert url == "data:image/png;base64," + base64.b64encode(PICTURE).decode()


def test_a_host_that_can_fetch_is_left_to_it(allowing, show, host):
    status, _, (sent,) = show(allowing, f"{host.url}/picture.png", "online/m")
    assert (status, sent["messages"][0]["content"][1]["image_url"]["url"]) == (200, f"{host.url}/picture.png")
    assert not host.requests


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/large.png", "larger than"),
        ("/page", "text/html"),
        ("/gone", "404"),
        ("/to/" * 6 + "/picture.png", "redirects more than"),
        ("/to/http://169.254.169.254/latest/meta-data/", "fetch.ports"),
        ("/to/file:///etc/passwd", "http:// and https://"),
        ("/to/http://[", "not a URL"),
        ("/slow" * 3, "within 1 s"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(allowing, show, host, path, words):
    status, body, sent = show(allowing, host.url + path)
    assert (status, body["error"]["param"], sent) == (400, "messages[0].content[1]", [])
    assert words in body["error"]["message"]


def test_what_a_request_names_is_bounded_together(allowing, host, upstream):
    upstream.requests.clear()
    content = [{"type": "image_url", "image_url": {"url": f"{host.url}/half.png?{number}"}} for number in range(20)]
    said = {"model": "ollama/llava", "messages": [{"role": "user", "content": content}]}
    host.requests.clear()
    status, _, body = allowing.post(said)
    assert (status, body["error"]["param"]) == (400, "messages[0].content[2]")
    assert "fetch.max_total_bytes" in body["error"]["message"]
    assert (len(host.requests), upstream.requests) == (4, [])


def test_nobody_is_connected_to_who_is_not_public(careful, show, host):
    port = host.port
    places = [
        f"http://127.0.0.1:{port}/picture.png", f"http://127.1:{port}", f"http://0:{port}", f"http://[::1]:{port}",
        f"http://2130706433:{port}", f"http://0x7f000001:{port}", f"http://0177.0.0.1:{port}", f"http://[::]:{port}",
        f"http://[::ffff:127.0.0.1]:{port}", f"http://[64:ff9b::7f00:1]:{port}", f"http://localhost:{port}",
        f"http://localhost.:{port}", f"http://good@127.0.0.1:{port}", f"http://127.0.0.1:{port}\\@good.example",
        f"http://[fe80::1%25lo]:{port}", "http://169.254.169.254/latest/meta-data/", "http://100.100.100.200/",
        "http://[fd00:ec2::254]/", "http://10.0.0.1/", "https://192.168.0.1/", f"http://①②⑦.⓪.⓪.①:{port}",
        "http://127.0.0.1:6379/", "http://127.0.0.1/\r\nx: y", f"https://127.0.0.1:{port}/",
    ]  # fmt: skip
    before = host.connections
    for url in places:
        status, body, sent = show(careful, url)
        assert (status, sent) == (400, []), url
        assert body["error"]["message"], url
    assert host.connections == before


def test_nothing_is_fetched_unless_the_operator_says_so(start, show, host):
    with start(enabled=False) as gateway:
        status, body, sent = show(gateway, f"{host.url}/picture.png")
    assert (status, body["error"]["code"], sent) == (400, "unsupported_field", [])
    assert not host.requests


def test_only_hosts_that_are_named(start, show, host):
    with start(enabled=True, networks=["127.0.0.0/8"], ports=[host.port], hosts=["*.example.com"]) as gateway:
        status, body, _ = show(gateway, f"{host.url}/picture.png")
    assert (status, host.requests) == (400, [])
    assert "fetch.hosts" in body["error"]["message"]
