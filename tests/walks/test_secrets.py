"""Secrets stay where they belong, over real sockets: canaries through every success and failure at log level debug,
what goes upstream to the byte, first start (rows V3, S16, S17, S20, S22, S24 of the reliability list)."""

import base64
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest

from gateways import ADMIN_KEY, KEY, OTHER_KEY, Gateway, Wire, ask, free_port, http_request, running
from keepers import AZURE_TOKEN, CLIENT_SECRET, GOOGLE_TOKEN, SECRET, VAULT_TOKEN, Keepers
from upstreams import (
    LAST_CHUNK,
    Close,
    Reset,
    Sleep,
    as_chunk,
    chunked_head,
    json_reply,
    reply,
    sse_event,
    sse_reply,
)

SOAK = os.environ.get("HEADGATE_SOAK") == "1"
DATA = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "json"
FACES = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
WAYS = [(face, spoken) for face in FACES for spoken in FACES]

# None of them looks like a key: nothing but knowing them can hide them
PROVIDER_KEY = {"openai": "Canary7Openai4Xq9Zw2Lm8Tr5", "anthropic": "Canary3Anthropic6Vb1Nk7Yp0"}
EXTRA_HEADER = "Canary9Extra2Header5Jd8Gs3"
KEPT = {"gcp": "Canary1Kept8Google3Lx6Tn4", "azure": "Canary8Kept6Azure1Mw9Rc2"}
PROOFS = [VAULT_TOKEN, SECRET, GOOGLE_TOKEN, AZURE_TOKEN, CLIENT_SECRET]
"""Of the gateway, to those that keep its secrets."""
SECRETS = [*PROVIDER_KEY.values(), *KEPT.values(), *PROOFS, EXTRA_HEADER, KEY, OTHER_KEY, ADMIN_KEY]


def forms(secret):
    """The ways a secret is usually written."""
    plain = secret.encode()
    return {
        plain,
        base64.b64encode(plain).rstrip(b"="),
        plain.hex().encode(),
        urllib.parse.quote(secret, safe="").encode(),
        plain[::-1],
    }


ALL_FORMS = {form for secret in SECRETS for form in forms(secret)}


def found_in(data):
    lower = data.lower()
    return sorted(form.decode() for form in ALL_FORMS if form.lower() in lower)


@pytest.fixture(scope="module")
def keepers():
    kept = {
        "vault:secret/openai": {"key": PROVIDER_KEY["openai"]},
        "aws:secretsmanager:anthropic": PROVIDER_KEY["anthropic"],
        "gcp:projects/p/secrets/google/versions/latest": KEPT["gcp"],
        "azure:v-1/openai": KEPT["azure"],
    }
    with Keepers(**kept) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(first, keepers, tmp_path_factory):
    waits = "timeouts: {connect: 1, first_byte: 0.3, idle: 0.3, total: 1}"
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
log: {{level: debug}}
secrets: {{refresh: 1, gcp: {{endpoint: '{keepers.url}'}}, azure: {{endpoint: '{keepers.url}'}}}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
providers:
  openai:
    {{api_key: "vault:secret/openai", base_url: '{first.url}/v1', {waits}, headers: {{x-extra-key: {EXTRA_HEADER}}}}}
  anthropic: {{api_key: "aws:secretsmanager:anthropic", base_url: '{first.url}', {waits}}}
  google: {{api_key: "gcp:projects/p/secrets/google", base_url: '{first.url}', {waits}}}
  azured: {{kind: openai, api_key: "azure:v-1/openai", base_url: '{first.url}/v1', {waits}}}
  dead: {{kind: openai, api_key: {PROVIDER_KEY["openai"]}, base_url: 'http://127.0.0.1:{free_port()}/v1', {waits}}}
models: {{openai: openai/m, anthropic: anthropic/m}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: limited, key: {OTHER_KEY}, models: [openai]}}
"""
    folder = tmp_path_factory.mktemp("secrets")
    with running(folder, config, environ=keepers.environ(folder), fresh=True) as gateway:
        yield gateway


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = b""
    return first


def body(model, *, stream=False, text="hi", **more):
    message = {"role": "user", "content": text}
    return json.dumps({"model": model, "max_tokens": 9, "messages": [message], "stream": stream, **more}).encode()


WHOLE = {
    "openai": {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]},
    "anthropic": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                  "stop_sequence": None, "content": [{"type": "text", "text": "Hello"}],
                  "usage": {"input_tokens": 1, "output_tokens": 1}},
}  # fmt: skip


def events(spoken, text="Hello"):
    if spoken == "openai":
        made = [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                 "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
                for delta, finish in (({"role": "assistant", "content": ""}, None), ({"content": text}, None),
                                      ({}, "stop"))]  # fmt: skip
        return [*map(sse_event, made), sse_event("[DONE]")]
    made = [
        {"type": "message_start", "message": {**WHOLE["anthropic"], "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return [sse_event(event, event["type"]) for event in made]


def error_of(spoken, message):
    if spoken == "openai":
        return {"error": {"message": message, "type": "invalid_request_error", "param": message, "code": message}}
    return {"type": "error", "error": {"type": "authentication_error", "message": message}}


def traitors(spoken):
    """Replies of a provider that gives our key away, wherever it can."""
    key = PROVIDER_KEY[spoken]
    told = f"Incorrect API key provided: {key}." + (f" And {EXTRA_HEADER}" if spoken == "openai" else "")
    error = error_of(spoken, told)
    reflected = [(name, key) for name in ("request-id", "openai-model", "x-request-id", "retry-after", "openai-version",
                                          "set-cookie", "server", "anthropic-organization-id", "location")]  # fmt: skip
    event = sse_event(error, "error") if spoken == "anthropic" else sse_event(error)
    started = b"".join(map(as_chunk, events(spoken)[:-2]))
    return {
        "401": json_reply(error, status=401, headers=reflected),
        "500": json_reply(error, status=500),
        "all fields": json_reply({"error": dict.fromkeys(("message", "type", "code", "param"), key)}, status=400),
        "text": reply(told.encode(), status=403, content_type="text/plain"),
        "HTML": reply(f"<html><title>{told}</title>{told}</html>".encode(), status=502, content_type="text/html"),
        "list": json_reply([error], status=429),
        "detail": json_reply({"detail": [{"loc": ["header", key], "msg": told}]}, status=422),
        "escaped": json_reply(json.dumps(error).replace("C", "\\u0043").encode(), status=401),
        "content type of an error": reply(b"{}", status=400, content_type=f"text/{key}"),
        "content type of a stream": reply(b"{}", content_type=f"text/{key}"),
        "content encoding": reply(b"{}", headers=[("content-encoding", key)]),
        "an error with 200": json_reply(error),
        "an error in a stream at once": (chunked_head() + as_chunk(event) + LAST_CHUNK,),
        "an error in mid-stream": (chunked_head() + started, Sleep(0.05), as_chunk(event) + LAST_CHUNK),
        "a redirect": reply(b"", status=302, headers=[("location", f"http://x/?key={key}")]),
        "reflected headers": json_reply(WHOLE[spoken], headers=reflected),
        "a reason phrase": f"HTTP/1.1 500 {key}\r\ncontent-length: 0\r\n\r\n".encode(),
        "no HTTP": f"{key}\r\n\r\n".encode(),
        "a bad header": f"HTTP/1.1 200 OK\r\n{key}\r\n\r\n".encode(),
        "a bad chunk": chunked_head() + f"{key}\r\n".encode(),
        "half a JSON": reply(f'{{"key":"{key}"'.encode()),
        "another shape": json_reply({"key": key}),
        "nonsense in a stream": (chunked_head() + as_chunk(f"data: {key}\n\n".encode()) + LAST_CHUNK,),
    }  # fmt: skip


FAULTS = {
    "a reset": (Reset(),),
    "a close": (Close(),),
    "a cut": (json_reply(b"{}", length=99), Close()),
    "silence": (chunked_head(), Sleep(5)),
}


def every_answer(gateway, upstream):
    """Every way a request can go, as (its name, the whole answer as bytes)."""
    for face, spoken in WAYS:
        for stream in (False, True):
            data = body(spoken, stream=stream)
            good = sse_reply(events(spoken)) if stream else json_reply(WHOLE[spoken])
            for name, script in {"good": good, **traitors(spoken), **FAULTS}.items():
                upstream.script = script
                yield f"{name}: {face} to {spoken}", ask(gateway, FACES[face], data)
    upstream.script = json_reply(WHOLE["openai"])
    for model in ("google/m", "azured/m"):
        yield model, ask(gateway, FACES["openai"], body(model))
    for face, path in FACES.items():
        for header in ("authorization", "x-api-key", "api-key", "x-goog-api-key"):
            for key in (KEY, OTHER_KEY, ADMIN_KEY):
                shown = [(header, f"Bearer {key}" if header == "authorization" else key)]
                for model in ("openai", "anthropic", "nobody", "dead/m", ""):
                    yield f"{face} {header} {model}", ask(gateway, path, body(model), key=None, headers=shown)
                yield f"{face} {header} bad", ask(gateway, path, b"{", key=None, headers=shown)
            almost = [(header, KEY[:-1])]
            yield f"{face} {header} almost", ask(gateway, path, body("openai"), key=None, headers=almost)
        for method in ("GET", "PUT"):
            yield method, ask(gateway, path, method=method)
    for path in ("/v1/models", "/v1/models/openai", "/v1/models/x", "/metrics", "/livez", "/nothing", "/%zz"):
        for key in (KEY, ADMIN_KEY):
            yield path, ask(gateway, path, method="GET", key=key)
    with Wire(gateway.port) as wire:
        wire.send(f"POST /v1/messages HTTP/1.1\r\nauthorization: Bearer {KEY}\r\nbad header\r\n\r\n".encode())
        yield "no HTTP", wire.answer()


def test_no_secret_appears_anywhere_whatever_happens(gateway, upstream, keepers):
    """V3, S16: responses, log at debug level, journal, everything else in the data directory, metrics."""
    leaks = {}
    statuses = set()
    told = json_reply({"errors": SECRETS, "error": {"code": SECRETS[0], "message": str(SECRETS)}}, status=403)
    keepers.instead = dict.fromkeys(("vault", "aws", "gcp", "azure"), told)
    gateway.wait_for_metric(4, "headgate_secrets_away")
    keepers.instead = {}
    gateway.says("are there again", times=4)
    for name, answer in every_answer(gateway, upstream):
        statuses.add(answer.status)
        # what a model says is the client's; a provider that gives our key away there cannot be told from a good one
        if name.startswith(("nonsense in a stream", "another shape")) and answer.status == 200:
            continue
        if hits := found_in(answer.raw_head.encode() + answer.body):
            leaks[name] = hits
    assert statuses >= {200, 400, 401, 403, 404, 405, 429, 500, 502, 504}
    time.sleep(0.3)
    files = [gateway.log, *(path for path in gateway.data.rglob("*") if path.is_file())]
    assert any(path.suffix == ".jsonl" for path in files)
    for path in files:
        if hits := found_in(path.read_bytes()):
            lines = [line[:600] for line in path.read_bytes().splitlines() if found_in(line)]
            leaks[str(path.name)] = hits, lines[:3]
    if hits := found_in("\n".join(gateway.metrics()).encode()):
        leaks["metrics"] = hits
    assert not leaks


def test_a_secret_in_a_models_own_words_is_not_recorded(gateway, upstream):
    """The reply's text is the client's business, but it does not get into the log or the journal."""
    for face, spoken in WAYS:
        text = f"Your key is {PROVIDER_KEY[spoken]}"
        whole = json.loads(json.dumps(WHOLE[spoken]).replace("Hello", text))
        for stream in (False, True):
            upstream.script = sse_reply(events(spoken, text)) if stream else json_reply(whole)
            assert text.encode() in ask(gateway, FACES[face], body(spoken, stream=stream)).body
    time.sleep(0.2)
    for path in (gateway.log, *gateway.data.rglob("*.jsonl")):
        assert not found_in(path.read_bytes())


def test_what_the_process_shows_to_others_has_no_secret(gateway):
    """Arguments are public on the machine; a core dump's name or title too."""
    assert not found_in(Path(f"/proc/{gateway.process.pid}/cmdline").read_bytes())


# What goes upstream

CLIENT_HEADERS = [
    ("user-agent", "OpenAI/Python 3"), ("cookie", "a=b"), ("x-stainless-lang", "python"), ("traceparent", "00-1-1-01"),
    ("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=10.0.0.1"), ("accept-encoding", "br"), ("te", "trailers"),
    ("connection", "keep-alive, x-custom"), ("x-custom", "1"), ("keep-alive", "9"), ("upgrade-insecure-requests", "1"),
    ("openai-organization", "org-of-the-client"), ("openai-project", "p"), ("x-goog-api-key", KEY), ("api-key", KEY),
    ("proxy-authorization", "Basic eA=="), ("transfer", "x"), ("x-headgate-anything", "x"), ("expect-ct", "x"),
    ("range", "bytes=0-1"), ("if-none-match", "x"), ("origin", "http://evil"), ("referer", "http://internal/"),
]  # fmt: skip


def test_what_goes_upstream_is_exactly_this(gateway, upstream):
    """S17: an allow-list, so that nothing of ours or of the client's rides along."""
    upstream.script = json_reply(WHOLE["openai"])
    text = b'{"messages":[ {"role":"user","content":"hi \\u00e9"}],\n "model" : "openai","unknown":{"a":[1.0,1e2]}}'
    headers = [*CLIENT_HEADERS, ("idempotency-key", "i-1"), ("anthropic-version", "x")]
    assert ask(gateway, FACES["openai"], text, headers=headers).status == 200
    sent = upstream.requests[-1]
    assert sent.body == text.replace(b'"openai"', b'"m"')
    assert (
        sent.raw_head
        == (
            "POST /v1/chat/completions HTTP/1.1\r\n"
            f"host: 127.0.0.1:{upstream.port}\r\n"
            "content-type: application/json\r\n"
            "accept: */*\r\n"
            "user-agent: headgate\r\n"
            f"authorization: Bearer {PROVIDER_KEY['openai']}\r\n"
            f"x-extra-key: {EXTRA_HEADER}\r\n"
            "idempotency-key: i-1\r\n"
            f"content-length: {len(sent.body)}\r\n\r\n"
        ).encode()
    )

    upstream.script = json_reply(WHOLE["anthropic"])
    text = text.replace(b'"openai"', b'"anthropic"')
    headers = [*CLIENT_HEADERS, ("anthropic-beta", "b-1"), ("idempotency-key", "x")]
    assert ask(gateway, FACES["anthropic"], text, headers=headers).status == 200
    sent = upstream.requests[-1]
    assert sent.body == text.replace(b'"anthropic"', b'"m"')
    assert (
        sent.raw_head
        == (
            "POST /v1/messages HTTP/1.1\r\n"
            f"host: 127.0.0.1:{upstream.port}\r\n"
            "content-type: application/json\r\n"
            "accept: */*\r\n"
            "user-agent: headgate\r\n"
            f"x-api-key: {PROVIDER_KEY['anthropic']}\r\n"
            "anthropic-beta: b-1\r\n"
            "anthropic-version: 2023-06-01\r\n"
            f"content-length: {len(sent.body)}\r\n\r\n"
        ).encode()
    )


def test_a_crossing_sends_nothing_that_was_not_asked_for(gateway, upstream):
    upstream.script = json_reply(WHOLE["anthropic"])
    assert ask(gateway, FACES["openai"], body("anthropic"), headers=CLIENT_HEADERS).status == 200
    sent = upstream.requests[-1]
    assert json.loads(sent.body).keys() <= {"model", "messages", "max_tokens", "stream"}
    assert set(sent.headers) == {"host", "content-type", "accept", "user-agent", "x-api-key", "anthropic-version",
                                 "content-length"}  # fmt: skip


# Text that would like to be more than text


NASTY = [
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "a\r\nb", 'x"}\n{"id":"forged","status":200}', "\x00", "\x7f\x08\x08",
    "\u2028forged\u2029", "\u202eevil", "\x9b31m", "\x85next", "${jndi:ldap://x}", "%s%n%x", "{0.__class__}", "'; --",
    '" level=error msg="forged', "<script>alert(1)</script>", "\t\v\f", "=cmd|' /C calc'!A0", "\ud83d\ude00",
]  # fmt: skip


def test_no_text_of_a_stranger_breaks_a_line_of_log_journal_or_metrics(gateway, upstream):
    """S24: control characters, terminal sequences and line breaks stay text."""
    upstream.script = json_reply(error_of("openai", "\n".join(NASTY)), status=500)
    path = DATA / "naughty_strings.jsonl"
    texts = [*NASTY, *(json.loads(line)["text"] for line in path.read_bytes().splitlines())] if path.exists() else NASTY
    before, ids = len(gateway.records()), set()
    for text in texts:
        raw = re.sub(rb"[\r\n\0]", b" ", text.encode("utf-8", "surrogatepass"))
        headers = [("x-forwarded-for", raw), ("user-agent", raw), ("idempotency-key", raw)]
        quoted = urllib.parse.quote(text.encode("utf-8", "surrogatepass"))
        for answer in (
            ask(gateway, FACES["openai"], body(f"openai/{text}", text=text)),
            ask(gateway, FACES["openai"], body(text, text=text), headers=headers),
            ask(gateway, f"/v1/{quoted}?{quoted}", body("openai", text=text)),
        ):
            ids.add(answer.headers.get("x-request-id"))
            assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", answer.raw_head.replace("\r\n", "\n").encode("latin-1"))
    ids.discard(None)
    records = gateway.records(before + len(ids))[before:]
    assert ids <= {record["id"] for record in records}
    assert "forged" not in {record["id"] for record in records}
    time.sleep(0.2)
    for file in gateway.data.glob("journal/*.jsonl"):
        data = file.read_bytes()
        assert not re.search(rb"[\x00-\x09\x0b-\x1f]", data)
        assert all(json.loads(line)["id"].startswith("req_") for line in data.split(b"\n")[:-1])
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", gateway.log.read_bytes())
    assert not re.search("[\x80-\x9f\u2028\u2029\u202e]", gateway.log.read_text())
    for line in gateway.log.read_text().splitlines():
        if line.startswith("{"):
            assert {"time", "level", "message"} <= json.loads(line).keys()
    page = ask(gateway, "/metrics", method="GET").body.decode()
    series = re.compile(r'(#.*|[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)*\})? [0-9.e+-]+(Inf)?)')
    assert [line for line in page.split("\n")[:-1] if not series.fullmatch(line)] == []


def test_records_on_a_terminal_show_no_control_characters(gateway):
    printed = gateway.told_by("records")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029\u202e]", printed)
    assert not found_in(printed.encode())


@pytest.mark.skipif(not SOAK, reason="statistics of many thousand requests: HEADGATE_SOAK=1")
def test_an_unknown_key_takes_as_long_whatever_it_begins_with(gateway):
    """S22: keys that share nothing, half, or all but the last character with a real one."""
    kinds = {"nothing": "z" * len(KEY), "half": KEY[: len(KEY) // 2].ljust(len(KEY), "z"), "all": KEY[:-1] + "z"}
    requests = {name: http_request(FACES["openai"], b"{}", key=key) for name, key in kinds.items()}
    times = {name: [] for name in kinds}
    with Wire(gateway.port) as wire:
        for _ in range(10_000):
            for name, request in requests.items():
                started = time.perf_counter_ns()
                wire.send(request)
                assert wire.answer().status == 401
                times[name].append(time.perf_counter_ns() - started)
    middles = {name: statistics.median(found) for name, found in times.items()}
    print(middles)
    assert max(middles.values()) / min(middles.values()) < 1.05


# First start


SIMPLE = "server: {port: {PORT}}\ndata_dir: {DATA}\nproviders: {simulator: {}}\nmodels: {sim: simulator/sim}\n"


def fresh(folder, config=SIMPLE, **environ):
    folder.mkdir(exist_ok=True)
    gateway = Gateway(folder, config, environ=environ)
    if "HEADGATE_ADMIN_KEY" not in environ:
        del gateway.environ["HEADGATE_ADMIN_KEY"]
    return gateway


def test_the_first_start_makes_a_key_shows_it_once_and_keeps_only_its_hash(tmp_path):
    """S20."""
    gateway = fresh(tmp_path).start()
    try:
        output = gateway.output()
        [key] = re.findall(r"admin key, shown this once: (\S+)", output)
        assert len(key) >= 32
        file = gateway.data / "admin_key"
        assert file.stat().st_mode & 0o777 == 0o600
        assert gateway.data.stat().st_mode & 0o077 == 0
        assert hashlib.sha256(key.encode()).hexdigest() in file.read_text()
        assert ask(gateway, FACES["openai"], body("sim"), key=key).status == 200
        assert ask(gateway, FACES["openai"], body("sim"), key=key[:-1]).status == 401
        assert ask(gateway, FACES["openai"], body("sim"), key=file.read_text().strip()).status == 401
        assert ask(gateway, FACES["openai"], body("sim"), key=file.read_text().partition(":")[2].strip()).status == 401
        assert ask(gateway, FACES["openai"], body("sim"), key=None).status == 401
        listening = re.findall(rf"([0-9A-F]+):{gateway.port:04X} 0+:0000 0A", Path("/proc/net/tcp").read_text())
        assert listening == ["0100007F"]  # loopback alone
        assert f":{gateway.port:04X} " not in Path("/proc/net/tcp6").read_text()

        [line] = [line for line in output.splitlines() if line.startswith("curl ")]
        if shutil.which("curl"):
            done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False)
            assert json.loads(done.stdout)["choices"][0]["message"]["content"]
    finally:
        assert gateway.stop() == 0
    for path in gateway.data.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes()
    assert gateway.output().count(key) == 2  # the sentence and the line to paste

    gateway.log.unlink()
    gateway.start()
    try:
        assert ask(gateway, FACES["openai"], body("sim"), key=key).status == 200
        assert key not in gateway.output()
        [line] = [line for line in gateway.output().splitlines() if line.startswith("curl ")]
        if shutil.which("curl"):
            environ = {**os.environ, "HEADGATE_KEY": key}
            command = ["sh", "-c", line]
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
            assert json.loads(done.stdout)["choices"][0]["message"]["content"]
    finally:
        assert gateway.stop() == 0


@pytest.mark.parametrize("key", ["", " ", "admin", "123456", "changeme", "sk-1234", "x" * 8, "a space in the middle"])
def test_an_admin_key_that_everybody_guesses_is_refused(tmp_path, key):
    gateway = fresh(tmp_path, HEADGATE_ADMIN_KEY=key).start(wait=False)
    assert gateway.process.wait(20) == 2
    assert "HEADGATE_ADMIN_KEY" in gateway.output()
    assert "Traceback" not in gateway.output()
    assert len(key) < 7 or key not in gateway.output()


@pytest.mark.parametrize(
    ("host", "key"),
    [("127.0.0.1", '""'), ("0.0.0.0", "sk-1234"), ("0.0.0.0", "changeme"), ("0.0.0.0", "short"), ("'::'", "123456")],
)
def test_a_clients_key_that_everybody_guesses_is_refused(tmp_path, host, key):
    config = SIMPLE.replace("{port:", f"{{host: {host}, port:") + f"keys: [{{name: a, key: {key}}}]\n"
    gateway = fresh(tmp_path, config).start(wait=False)
    assert gateway.process.wait(20) == 2
    assert "keys" in gateway.output()
    assert "Traceback" not in gateway.output()


def test_a_damaged_or_readable_key_file_does_not_open_the_gateway(tmp_path):
    (tmp_path / "data").mkdir()
    for content in ("", "hunter2\n", "sha256:" + "0" * 63):
        (tmp_path / "data" / "admin_key").write_text(content)
        gateway = fresh(tmp_path).start(wait=False)
        assert gateway.process.wait(20) == 2
        assert "admin key" in gateway.output()
        gateway.log.unlink()
