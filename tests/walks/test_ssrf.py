"""Nothing a client sends chooses where the gateway connects, and no request starts a process (rows S2, S13, V4).

Asserted by an audit hook (https://peps.python.org/pep-0578/) in the gateway's process, not by the answer alone. uvloop
connects without Python's sockets and so past every audit hook, which is why the watched gateway runs on asyncio's own
loop; a second one, as users run it, is watched by a listener that nobody may ever reach.
"""

import itertools
import json
import urllib.parse

import pytest

from gateways import KEY, Wire, ask, config_for, http_request, running
from upstreams import ScriptedUpstream, json_reply, reply

FACES = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
MODELS = {"openai": "chat", "anthropic": "claude"}

HOOK = """
import os, sys, types, asyncio

out = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
wanted = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostby", "subprocess.", "os.exec",
          "os.posix_spawn", "os.spawn", "os.fork", "os.system", "os.startfile", "pty.", "webbrowser.", "urllib.",
          "ftplib.", "smtplib.")

def hook(event, arguments):
    if event.startswith(wanted):
        shown = arguments[1] if event == "socket.connect" else arguments
        os.write(out, f"{event} {shown!r}\\n".encode("ascii", "backslashreplace"))

sys.addaudithook(hook)
sys.modules["uvloop"] = types.SimpleNamespace(new_event_loop=asyncio.new_event_loop)
"""


async def answer(asked):
    if asked.request.path == "/v1/messages":
        await asked.send(json_reply({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "stop_sequence": None, "content": [{"type": "text", "text": "ok"}],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }))  # fmt: skip
    else:
        choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
        whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        await asked.send(json_reply(whole))


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(answer) as server:
        yield server


@pytest.fixture(scope="module")
def trap():
    """Listens where the requests below point; nobody may come."""
    with ScriptedUpstream(reply(b"caught")) as server:
        yield server
        assert server.connections == 0


@pytest.fixture(scope="module", params=["watched", "as users run it"])
def gateway(request, upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ssrf")
    environ = {}
    if request.param == "watched":
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(HOOK)
        environ = {"PYTHONPATH": str(folder / "hook"), "AUDIT_LOG": str(folder / "audit")}
    with running(
        folder, config_for(upstream.url, "retry: {attempts: 1}\nbreaker: {enabled: false}\n"), environ=environ
    ) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def watch(gateway, upstream, trap):
    """After each test: the gateway connected to its provider, if at all, resolved no name and started nothing."""
    yield
    assert trap.connections == 0
    log = gateway.folder / "audit"
    if log.exists():
        events = set(log.read_text().splitlines())
        allowed = {f"socket.connect ('127.0.0.1', {upstream.port})"}
        others = {event for event in events if event not in allowed and not harmless(event, gateway, upstream)}
        assert not others


def harmless(event, gateway, upstream):
    """Resolving the address it listens on and the provider's, which are numbers."""
    ports = f"{gateway.port}", f"{upstream.port}"
    return event.startswith("socket.getaddrinfo ('127.0.0.1', ") and event.split(", ")[1].strip("'") in ports


def places(port):
    """The ways to write an address that a filter may overlook, all pointing at the trap or at metadata services."""
    return [
        f"http://127.0.0.1:{port}/v1", f"http://127.1:{port}", f"http://0:{port}", f"http://0.0.0.0:{port}",
        f"http://2130706433:{port}", f"http://0x7f000001:{port}", f"http://0177.0.0.1:{port}", f"http://[::]:{port}",
        f"http://[::1]:{port}", f"http://[::ffff:127.0.0.1]:{port}", f"http://[::ffff:7f00:1]:{port}",
        f"http://[64:ff9b::7f00:1]:{port}", "http://[fd00:ec2::254]/latest", "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/", "http://metadata.google.internal/computeMetadata/v1/", f"http://localhost.:{port}",
        f"http://127.0.0.1.:{port}", f"http://①②⑦.⓪.⓪.①:{port}", f"http://good@127.0.0.1:{port}",
        f"http://good.example#@127.0.0.1:{port}", f"http://127.0.0.1:{port}\\@good.example", f"//127.0.0.1:{port}",
        f"http:127.0.0.1:{port}", f"http://127.0.0.1:{port}%2f@good.example", f"http://127.0.0.1%00.good.example:{port}",
        f"http://127.0.0.1:{port}/\r\nx: y", "file:///etc/passwd", f"gopher://127.0.0.1:{port}/_x", "unix:///var/run/x",
        f"http://[fe80::1%25lo]:{port}", "http://127.0.0.1:6379/", f"ftp://127.0.0.1:{port}/", f"ws://127.0.0.1:{port}",
        f"127.0.0.1:{port}", "jar:http://127.0.0.1!/", "data:text/plain,x", f"http://127.0.0.1.nip.io:{port}/",
        f"https://127.0.0.1:{port}/", "javascript:alert(1)", "dict://127.0.0.1:11211/stat",
    ]  # fmt: skip


FIELDS = ["base_url", "api_base", "api_url", "url", "endpoint", "host", "proxy", "http_proxy", "openai_api_base",
          "custom_llm_provider", "target", "upstream", "callback_url", "webhook", "redirect", "proxies"]  # fmt: skip
HEADERS = ["x-base-url", "x-api-base", "x-portkey-custom-host", "x-portkey-config", "helicone-target-url", "x-target",
           "x-upstream", "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "forwarded", "x-original-url",
           "x-rewrite-url", "x-real-ip", "proxy", "proxy-authorization", "http-proxy", "x-host", "x-host-override",
           "via", "referer", "origin", "x-headgate-base-url", "openai-base-url", "anthropic-base-url", "location",
           "x-llm-provider", "x-envoy-original-path", "x-accel-redirect"]  # fmt: skip


def content(face, place):
    """A message with everything in it that names a place."""
    if face == "openai":
        return [
            {"type": "text", "text": place},
            {"type": "image_url", "image_url": {"url": place}},
        ]
    return [
        {"type": "text", "text": place},
        {"type": "image", "source": {"type": "url", "url": place}},
        {"type": "document", "source": {"type": "url", "url": place}},
    ]


def body(face, model, place, **more):
    message = {"role": "user", "content": content(face, place)}
    return json.dumps({"model": model, "max_tokens": 9, "messages": [message], **more}).encode()


def send(gateway, path, data, headers=(), **options):
    answer = ask(gateway, path, data, headers=headers, **options)
    assert answer.status in (200, 400, 401, 404), (answer.status, answer.body)
    return answer


def test_the_watch_sees_what_it_should(gateway, upstream):
    assert send(gateway, FACES["openai"], body("openai", "chat", "x")).status == 200
    log = gateway.folder / "audit"
    if log.exists():
        assert f"socket.connect ('127.0.0.1', {upstream.port})" in log.read_text()


@pytest.mark.parametrize("face", FACES)
def test_no_field_or_header_or_query_chooses_the_destination(gateway, upstream, trap, face):
    for place in places(trap.port):
        clean = place.replace("\r\n", "%0d%0a").encode()
        headers = [(name, clean) for name in HEADERS]
        fields = dict.fromkeys(FIELDS, place)
        nested = {"litellm_params": fields, "provider": {"base_url": place}, "metadata": {"base_url": place}}
        query = urllib.parse.urlencode(dict.fromkeys(FIELDS, place))
        before = len(upstream.requests)
        own = send(gateway, f"{FACES[face]}?{query}", body(face, MODELS[face], place, **fields, **nested), headers)
        assert own.status == 200
        assert len(upstream.requests) == before + 1
        sent = upstream.requests[-1]
        assert sent.headers["host"] == f"127.0.0.1:{upstream.port}"
        assert "?" not in sent.path
        assert not set(HEADERS) & set(sent.headers)
        assert json.loads(sent.body)["messages"][0]["content"] == content(face, place)  # passed on, never fetched
        other = "anthropic" if face == "openai" else "openai"
        send(gateway, FACES[face], body(face, MODELS[other], place, **nested), headers)


@pytest.mark.parametrize("face", FACES)
def test_no_name_of_a_model_chooses_the_destination(gateway, upstream, trap, face):
    for place in places(trap.port):
        for model in (place, f"openai/{place}", f"anthropic/{place}", f"openai/../../{place}", f"openai@{place}",
                      f"openai/m?base_url={place}", f"{place}/m", f"openai_compatible/{place}", f"../{place}",
                      f"headgate.providers.openai/{place}", f"os:system/{place}"):  # fmt: skip
            before = len(upstream.requests)
            answer = send(gateway, FACES[face], body(face, model, "x"))
            if answer.status == 200:
                sent = upstream.requests[before]
                assert sent.path in ("/v1/chat/completions", "/v1/messages")
                assert json.loads(sent.body)["model"] == model.partition("/")[2]
            else:
                assert len(upstream.requests) == before


def test_no_host_and_no_target_in_absolute_form_chooses_the_destination(gateway, upstream, trap):
    data = body("openai", "chat", "x")
    for place in places(trap.port):
        url = urllib.parse.urlsplit(place.replace("\r\n", "")) if "[" not in place else None
        host = (url.netloc if url else place.split("/")[2]) or place
        host = host.encode("idna" if host.isascii() else "utf-8").decode("latin-1")
        before = len(upstream.requests)
        with Wire(gateway.port) as wire:
            wire.send(http_request(FACES["openai"], data, host=host))
            assert wire.answer().status in (200, 400)
        target = f"{place}/v1/chat/completions".replace("\r\n", "").encode()
        with Wire(gateway.port) as wire:
            line = b"POST %b HTTP/1.1" % target
            wire.send(http_request("/T", data, host=host).replace(b"POST /T HTTP/1.1", line))
            assert wire.answer().status in (200, 400, 404)
        for sent in upstream.requests[before:]:
            assert (sent.path, sent.headers["host"]) == ("/v1/chat/completions", f"127.0.0.1:{upstream.port}")


@pytest.mark.parametrize("method", ["CONNECT", "GET", "POST"])
def test_the_gateway_is_no_forward_proxy(gateway, trap, method):
    place = f"127.0.0.1:{trap.port}" if method == "CONNECT" else f"http://127.0.0.1:{trap.port}/"
    with Wire(gateway.port) as wire:
        head = f"{method} {place} HTTP/1.1\r\nhost: 127.0.0.1:{trap.port}\r\nauthorization: Bearer {KEY}\r\n"
        wire.send(f"{head}content-length: 0\r\n\r\n".encode())
        assert wire.answer(method).status in (400, 404, 501)


def test_no_redirect_of_a_provider_is_followed_to_any_of_them(gateway, upstream, trap):
    try:
        for place, status in itertools.product(places(trap.port), (302, 307)):
            location = place.replace("\r\n", "%0d%0a").encode("utf-8").decode("latin-1")
            head = f"HTTP/1.1 {status} Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
            upstream.script = head.encode("latin-1")
            for face in FACES:
                assert ask(gateway, FACES[face], body(face, MODELS[face], "x")).status == 502
    finally:
        upstream.script = answer


def test_no_other_path_reaches_out(gateway, upstream, trap):
    """No endpoint that fetches, tests, proxies or spawns is hidden anywhere."""
    before = len(upstream.requests)
    place = places(trap.port)[0]
    fields = dict.fromkeys(("url", "base_url", "api_base", "spec_path"), place)
    data = json.dumps({**fields, "command": "touch", "args": ["x"], "model": "chat", "mcp_servers": [{"url": place}]})
    for path in ("/v1/proxy/chat/completions", "/proxy", "/v1/files", "/mcp-rest/test/connection", "/mcp", "/fetch",
                 "/prompts/test", "/guardrails/test_custom_code", "/health/test_connection", "/config/update",
                 "/nobody/v1/chat/completions", "/model/new", "/key/generate", "/v1/mcp", "/debug",
                 f"/proxy/{place}", f"/{place}", f"/v1/models/{urllib.parse.quote(place, safe='')}"):  # fmt: skip
        for method in ("POST", "GET"):
            answer = ask(gateway, path, data.encode(), method=method)
            assert answer.status in (404, 405), (path, method)
    assert len(upstream.requests) == before
