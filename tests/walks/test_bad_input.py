"""What a client may send that it should not, over real sockets: refused in its dialect, with advice, recorded once, and
nobody else notices (rows R14, H3, S3, S15, S25 of the reliability list)."""

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import select
import time
import zlib
from pathlib import Path

import anthropic
import brotli
import openai
import pytest
import zstandard

from gateways import KEY, Wire, ask, config_for, http_request, running
from upstreams import ScriptedUpstream, json_reply

SOAK = os.environ.get("HEADGATE_SOAK") == "1"
DATA = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "json"

FACES = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
SAME = {"openai": "chat", "anthropic": "claude"}
OTHER = {"openai": "claude", "anthropic": "chat"}
LIMIT = 12 << 20
"""Bytes of a body that this gateway takes."""
LEAKS = re.compile(
    rb"Traceback|File \"|\.py\b|site-packages|/src/|/home/|/tmp/|at 0x[0-9a-f]{8}|line \d+, in ", re.IGNORECASE
)


async def answer(asked):
    """A provider that takes everything."""
    if asked.request.path == "/v1/messages":
        await asked.send(json_reply({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "stop_sequence": None, "content": [{"type": "text", "text": "ok"}],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }))  # fmt: skip
    else:
        await asked.send(json_reply({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }))  # fmt: skip


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(answer) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad_input")
    server = f", max_body_bytes: {LIMIT}, metrics: key"
    with running(folder, config_for(upstream.url, server=server)) as gateway:
        yield gateway


@pytest.fixture(params=FACES)
def face(request):
    return request.param


def good(face, model=None, **more):
    message = {"role": "user", "content": "hi"}
    return json.dumps({"model": model or SAME[face], "max_tokens": 5, "messages": [message], **more}).encode()


def check_shape(face, answer, statuses=range(400, 500)):
    """An error in the caller's dialect, with a code, advice, and nothing of our insides; gives its message."""
    assert answer.status in statuses, (answer.status, answer.body[:300])
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch("[a-z_]+", answer.headers["x-headgate-error-code"])
    assert answer.headers["x-headgate-error-origin"] == "gateway"
    assert not LEAKS.search(answer.body), answer.body
    assert len(answer.body) < 5000
    value = answer.json()
    error = value["error"]
    if face == "anthropic":
        assert value["type"] == "error"
        assert error["type"].endswith("_error") or error["type"] == "request_too_large"
        assert value["request_id"]
    else:
        assert set(error) == {"message", "type", "param", "code"}
    assert len(error["message"].split()) >= 4
    return error["message"]


def check(gateway, face, answer, statuses=range(400, 500), *, ending="refused"):
    """`check_shape`, without a wait, and exactly one record under the answer's id."""
    message = check_shape(face, answer, statuses)
    assert answer.seconds < 5
    record = gateway.record_of(answer.headers["x-request-id"])
    assert (record["status"], record["error"]) == (answer.status, answer.headers["x-headgate-error-code"])
    assert (record["ending"], record["origin"]) == (ending, "gateway")
    return message


def check_alive(wire, face, answer):
    """The connection can be used again, or is closed properly."""
    if answer.closing:
        assert wire.closed()
    else:
        wire.send(http_request(FACES[face], good(face)))
        assert wire.answer().status == 200


def deep(depth, opening=b"[", closing=b"]"):
    return b'{"model":"chat","messages":' + opening * depth + b"1" + closing * depth + b"}"


MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'

BROKEN = {
    "no JSON": b"model=chat",
    "single quotes": b"{'model': 'chat'}",
    "cut off": b'{"model":"chat","messages":[{"role":"us',
    "two values": b'{"model":"chat"}{"model":"chat"}',
    "trailing comma": b'{"model":"chat","messages":[],}',
    "a comment": b'{"model":"chat"/*x*/}',
    "a byte order mark": b'\xef\xbb\xbf{"model":"chat"}',
    "UTF-16": '{"model":"chat"}'.encode("utf-16"),
    "a NUL": b'{"model":"chat"}\0',
    "a raw control character": b'{"model":"chat","x":"a\nb"}',
    "invalid UTF-8": b'{"model":"chat","messages":[{"role":"user","content":"\xff\xfe"}]}',
    "overlong UTF-8": b'{"model":"chat","x":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"model":"chat","x":"\xed\xa0\x80"}',
    "invalid UTF-8 in a key": b'{"model":"chat","x\x80":1}',
    "a lone high surrogate": b'{"model":"chat",%b,"x":"\\ud800"}' % MESSAGES,
    "a lone low surrogate": b'{"model":"chat",%b,"x":"\\udc00 \\ud800"}' % MESSAGES,
    "a surrogate in a key": b'{"model":"chat",%b,"\\ud83d":1}' % MESSAGES,
    "a key twice": b'{"model":"chat","model":"claude",%b}' % MESSAGES,
    "a key twice, spelt otherwise": b'{"model":"chat","mod\\u0065l":"claude",%b}' % MESSAGES,
    "a nested key twice": b'{"model":"chat","messages":[{"role":"user","role":"system","content":"hi"}]}',
    "a key twice, far down": b'{"model":"chat",%b,"x":{"y":[[{"z":1,"z":1}]]}}' % MESSAGES,
    "arrays 10,000 deep": deep(10_000),
    "arrays 100,000 deep": deep(100_000),
    "open arrays 100,000 deep": b"[" * 100_000,
    "objects 10,000 deep": deep(10_000, b'{"a":', b"}"),
    "NaN": b'{"model":"chat",%b,"temperature":NaN}' % MESSAGES,
    "Infinity": b'{"model":"chat",%b,"temperature":-Infinity}' % MESSAGES,
    "1e400": b'{"model":"chat",%b,"temperature":1e400}' % MESSAGES,
    "a number of 10,000 digits": b'{"model":"chat",%b,"seed":%b}' % (MESSAGES, b"9" * 10_000),
    "hexadecimal": b'{"model":"chat",%b,"seed":0x10}' % MESSAGES,
    "nothing": b"",
    "white space": b" \n\t ",
    "null": b"null",
    "an array": b"[1]",
    "a string": b'"chat"',
    "a number": b"12",
    "no model": b"{%b}" % MESSAGES,
    "model null": b'{"model":null,%b}' % MESSAGES,
    "model empty": b'{"model":"",%b}' % MESSAGES,
    "model a list": b'{"model":["chat"],%b}' % MESSAGES,
    "stream a string": b'{"model":"chat","stream":"yes",%b}' % MESSAGES,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_cannot_be_read_is_refused_and_the_connection_lives_on(gateway, upstream, face, name):
    asked = len(upstream.requests)
    with Wire(gateway.port) as wire:
        wire.send(http_request(FACES[face], BROKEN[name]))
        answer = wire.answer()
        message = check(gateway, face, answer, [400])
        if "model" in name:
            assert "model" in message
        if "twice" in name:
            assert "twice" in message
        assert len(upstream.requests) == asked
        check_alive(wire, face, answer)


@pytest.mark.parametrize("name", ["model", "role", "z"])
def test_the_key_that_stands_twice_is_named(gateway, name):
    bodies = {"model": "a key twice", "role": "a nested key twice", "z": "a key twice, far down"}
    assert repr(name) in ask(gateway, FACES["openai"], BROKEN[bodies[name]]).json()["error"]["message"]


def test_nothing_special_about_special_names(gateway, upstream, face):
    """Own property names of JavaScript and Python are plain keys; they reach the provider as they came."""
    more = b',"__proto__":{"polluted":1},"constructor":{"prototype":{"x":1}},"__class__":"x","":0,"\\u0000":1'
    body = good(face)[:-1] + more + b"}"
    assert ask(gateway, FACES[face], body).status == 200
    assert upstream.requests[-1].body.endswith(more + b"}")
    crossed = good(face, OTHER[face])[:-1] + more + b"}"
    answer = ask(gateway, FACES[face], crossed)
    assert answer.status in (200, 400)
    if answer.status == 400:
        check(gateway, face, answer)


@pytest.mark.parametrize("number", [b"123456789012345678901", b"-9223372036854775809", b"1E+2", b"-0", b"0.1e-320"])
def test_a_number_the_gateway_need_not_understand_reaches_the_provider_as_it_was_written(gateway, upstream, number):
    body = b'{"model":"chat",%b,"x":%b}' % (MESSAGES, number)
    assert ask(gateway, FACES["openai"], body).status == 200
    assert b'"x":%b' % number in upstream.requests[-1].body


WRONG = {
    "openai": [
        ("messages", b'"messages":"hello"'),
        ("messages", b'"messages":{}'),
        ("messages", b'"messages":null'),
        ("messages", b'"messages":[1]'),
        ("role", b'"messages":[{"role":5,"content":"x"}]'),
        ("role", b'"messages":[{"role":"emperor","content":"x"}]'),
        ("content", b'"messages":[{"role":"user","content":5}]'),
        ("content", b'"messages":[{"role":"user","content":[5]}]'),
        ("content", b'"messages":[{"role":"user","content":[{"type":"text","text":5}]}]'),
        ("image_url", b'"messages":[{"role":"user","content":[{"type":"image_url","image_url":5}]}]'),
        ("tool_calls", b'"messages":[{"role":"assistant","tool_calls":"x"}]'),
        ("max_tokens", b'"max_tokens":"many",' + MESSAGES),
        ("max_tokens", b'"max_tokens":1.5,' + MESSAGES),
        ("max_tokens", b'"max_tokens":{},' + MESSAGES),
        ("temperature", b'"temperature":"hot",' + MESSAGES),
        ("temperature", b'"temperature":[],' + MESSAGES),
        ("top_p", b'"top_p":{},' + MESSAGES),
        ("stop", b'"stop":5,' + MESSAGES),
        ("tools", b'"tools":"x",' + MESSAGES),
        ("tools", b'"tools":[5],' + MESSAGES),
        ("tools", b'"tools":[{"type":"function","function":5}],' + MESSAGES),
        ("tool_choice", b'"tool_choice":5,' + MESSAGES),
        ("response_format", b'"response_format":"json",' + MESSAGES),
        ("stream_options", b'"stream":true,"stream_options":5,' + MESSAGES),
        ("n", b'"n":2,' + MESSAGES),
    ],
    "anthropic": [
        ("messages", b'"max_tokens":5,"messages":"hello"'),
        ("messages", b'"max_tokens":5,"messages":null'),
        ("messages", b'"max_tokens":5,"messages":[1]'),
        ("role", b'"max_tokens":5,"messages":[{"role":5,"content":"x"}]'),
        ("content", b'"max_tokens":5,"messages":[{"role":"user","content":5}]'),
        ("content", b'"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":5}]}]'),
        ("source", b'"max_tokens":5,"messages":[{"role":"user","content":[{"type":"image","source":5}]}]'),
        ("max_tokens", b'"max_tokens":"x",' + MESSAGES),
        ("system", b'"max_tokens":5,"system":5,' + MESSAGES),
        ("temperature", b'"max_tokens":5,"temperature":[],' + MESSAGES),
        ("stop_sequences", b'"max_tokens":5,"stop_sequences":"x",' + MESSAGES),
        ("tools", b'"max_tokens":5,"tools":[1],' + MESSAGES),
        ("tool_choice", b'"max_tokens":5,"tool_choice":"auto",' + MESSAGES),
        ("thinking", b'"max_tokens":5,"thinking":5,' + MESSAGES),
    ],
}


@pytest.mark.parametrize(("face", "field", "rest"), [(face, *each) for face, all in WRONG.items() for each in all])
def test_a_wrong_type_is_named_on_a_crossing_and_left_to_the_provider_otherwise(gateway, upstream, face, field, rest):
    answer = ask(gateway, FACES[face], b'{"model":"%b",%b}' % (OTHER[face].encode(), rest))
    message = check(gateway, face, answer, [400])
    assert field in message + str(answer.json()["error"].get("param"))

    asked = len(upstream.requests)
    answer = ask(gateway, FACES[face], b'{"model":"%b",%b}' % (SAME[face].encode(), rest))
    if answer.status == 200:
        # a stream answered whole is the provider's fault, not ours; here everything else must arrive as it was
        assert rest in upstream.requests[asked].body
    elif b'"stream"' in rest:
        assert answer.headers["x-headgate-error-origin"] == "provider"
    else:
        check(gateway, face, answer, [400])


def test_a_body_over_the_limit_is_refused_from_its_length_at_once(gateway, face):
    gateway.forget_peak()
    before = gateway.memory("VmHWM")
    with Wire(gateway.port) as wire:
        request = http_request(FACES[face], b"").replace(b"content-length: 0", b"content-length: %d" % (100 << 20))
        wire.send(request)  # and none of the body
        answer = wire.answer()
        message = check(gateway, face, answer, [413])
        assert str(LIMIT) in message
        assert answer.closing
        assert wire.closed()
    assert gateway.memory("VmHWM") - before < 2 << 20


def test_a_body_over_the_limit_is_refused_once_it_is_over_when_its_length_is_not_told(gateway, face):
    gateway.forget_peak()
    before = gateway.memory("VmHWM")
    sent = 0
    with Wire(gateway.port) as wire:
        wire.send(http_request(FACES[face]).replace(b"content-length: 0", b"transfer-encoding: chunked"))
        piece = b"%x\r\n%b\r\n" % (1 << 18, b" " * (1 << 18))
        with contextlib.suppress(ConnectionError):
            while sent < 100 << 20:
                wire.send(piece)
                sent += 1 << 18
                if sent > LIMIT and wire_readable(wire):
                    break
        answer = wire.answer()
        check(gateway, face, answer, [413])
        assert answer.closing
    assert sent < LIMIT + (16 << 20)
    # what had come until then was held, no more
    assert gateway.memory("VmHWM") - before < 2 * LIMIT


def wire_readable(wire):
    return bool(select.select([wire.sock], [], [], 0)[0])


def packed(size):
    return b'{"model":"chat","x":"' + b"a" * size + b'"}'


def bombs(size):
    """`size` bytes of JSON in each encoding."""
    data = packed(size)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return {
        "gzip": gzip.compress(data),
        "deflate": zlib.compress(data),
        "deflate raw": squeeze.compress(data) + squeeze.flush(),
        "br": brotli.compress(data, quality=5),
        "zstd": zstandard.compress(data),
    }


def test_a_compression_bomb_is_refused_and_takes_no_more_than_the_limit(gateway, face):
    for name, bomb in bombs(100 << 20).items():
        gateway.forget_peak()
        before = gateway.memory("VmHWM")
        answer = ask(gateway, FACES[face], bomb, headers=[("content-encoding", name.partition(" ")[0])])
        check(gateway, face, answer, [413])
        assert gateway.memory("VmHWM") - before < 3 * LIMIT, name


def test_a_compressed_body_is_read(gateway, upstream, face):
    body = good(face)
    for name, data in {"gzip": gzip.compress(body), "br": brotli.compress(body), "identity": body}.items():
        assert ask(gateway, FACES[face], data, headers=[("content-encoding", name)]).status == 200
        assert b'"hi"' in upstream.requests[-1].body
        assert "content-encoding" not in upstream.requests[-1].headers


def test_content_encodings_in_several_headers_are_one_after_the_other(gateway, face):
    data = gzip.compress(good(face), mtime=0)
    for said, status in (
        (["identity", "gzip"], 200),
        (["gzip", "identity"], 200),
        (["", "gzip"], 200),
        (["gzip"] * 2, 415),
    ):
        answer = ask(gateway, FACES[face], data, headers=[("content-encoding", each) for each in said])
        assert answer.status == status, said


@pytest.mark.parametrize(
    ("encoding", "data", "status"),
    [
        ("gzip", b"not gzip at all", 400),
        ("gzip", b"", 400),
        ("gzip", gzip.compress(packed(1000), mtime=0)[:-9], 400),
        ("br", b"\xff\xff\xff\xff", 400),
        ("zstd", b"not zstd", 400),
        ("deflate", b"\x78\x9cjunk", 400),
        ("compress", packed(1), 415),
        ("gzip, gzip", gzip.compress(gzip.compress(packed(1), mtime=0), mtime=0), 415),
        ("aws-chunked", packed(1), 415),
        ("\xff\xfe", packed(1), 415),
    ],
)
def test_a_content_encoding_that_is_not_so_or_not_known_is_refused(gateway, face, encoding, data, status):
    answer = ask(gateway, FACES[face], data, headers=[("content-encoding", encoding)])
    message = check(gateway, face, answer, [status])
    assert encoding.partition(",")[0] in message or "encoding" in message or "empty" in message


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/html", "x", ";", "*/*",
     "application/json; charset=latin-1", "application/json; charset=utf-16"],
)  # fmt: skip
def test_another_content_type_is_refused(gateway, face, kind):
    answer = ask(gateway, FACES[face], good(face), content_type=kind)
    message = check(gateway, face, answer, [415])
    assert "application/json" in message


@pytest.mark.parametrize("kind", [None, "application/json; charset=UTF-8", "APPLICATION/JSON", "application/json;"])
def test_json_by_any_name_is_taken(gateway, face, kind):
    assert ask(gateway, FACES[face], good(face), content_type=kind).status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PURGE"])
def test_another_method_is_refused(gateway, face, method):
    answer = ask(gateway, FACES[face], b"", method=method)
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]
    if method == "HEAD":
        assert answer.body == b""
        gateway.record_of(answer.headers["x-request-id"])
    else:
        check(gateway, face, answer, [405])


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/chat/completions", "/v1/no", "/admin", "/.env", "/v1/%00x", "*"])
def test_an_unknown_path_is_refused_in_the_dialect_that_is_likeliest(gateway, path):
    answer = ask(gateway, path, good("openai"))
    check_shape("openai", answer, [400, 404])
    if answer.status == 404:
        check(gateway, "openai", answer)
    answer = ask(gateway, path, good("anthropic"), headers=[("anthropic-version", "2023-06-01")])
    if answer.status == 404:
        check(gateway, "anthropic", answer)


def test_a_path_below_a_dialects_own_is_answered_in_that_dialect(gateway):
    for face, path in FACES.items():
        check(gateway, face, ask(gateway, path + "/nothing", good(face)), [404])


def test_the_sdks_raise_what_their_users_expect(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match="did you mean 'chat'") as not_found:
            client.chat.completions.create(model="chatt", messages=[{"role": "user", "content": "x"}])
        assert (not_found.value.code, not_found.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.BadRequestError, match="messages"):
            client.chat.completions.create(model="claude", messages="x")
        with pytest.raises(openai.AuthenticationError, match="key") as unknown:
            client.with_options(api_key="sk-nobody").models.list()
        assert unknown.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="sk-nobody").chat.completions.create(model="chat", messages=[])
        with pytest.raises(openai.APIStatusError) as too_large:
            client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "x" * LIMIT}])
        assert too_large.value.status_code == 413
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client:
        create = client.messages.create
        with pytest.raises(anthropic.NotFoundError, match="claudette"):
            create(model="claudette", max_tokens=5, messages=[{"role": "user", "content": "x"}])
        with pytest.raises(anthropic.BadRequestError, match="messages"):
            create(model="chat", max_tokens=5, messages="x")
        with pytest.raises(anthropic.AuthenticationError):
            client.with_options(api_key="sk-ant-nobody").messages.create(model="claude", max_tokens=5, messages=[])
        with pytest.raises(anthropic.RequestTooLargeError):
            create(model="claude", max_tokens=5, messages=[{"role": "user", "content": "x" * LIMIT}])


def test_large_but_allowed_bodies_pass(gateway, upstream, face):
    text = "a" * (9 << 20)
    assert ask(gateway, FACES[face], good(face, metadata={"user_id": text})).status == 200
    assert len(upstream.requests[-1].body) > 8 << 20
    key = "k" * (10 << 20)
    assert ask(gateway, FACES[face], good(face, **{key: 1})).status == 200
    # the same through the slow way of a body that is not written canonically
    body = good(face)[:-1] + b', "' + b"\\u0061" * (1 << 20) + b'": 1}'
    assert ask(gateway, FACES[face], body).status == 200
    upstream.requests.clear()


def test_a_string_over_the_limit_is_refused(gateway, face):
    with Wire(gateway.port) as wire:
        with contextlib.suppress(ConnectionError):
            wire.send(http_request(FACES[face], packed(64 << 20)))
        check(gateway, face, wire.answer(), [413])


def entries(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not there")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


class Kept:
    """One connection for many requests, opened anew where the server closed it."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.wire = Wire(gateway.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.sock.close()

    def ask(self, path, body, **options):
        try:
            self.wire.send(http_request(path, body, **options))
            answer = self.wire.answer()
        except http.client.RemoteDisconnected:
            self.wire.sock.close()
            self.wire = Wire(self.gateway.port)
            self.wire.send(http_request(path, body, **options))
            answer = self.wire.answer()
        if answer.closing:
            self.wire.sock.close()
            self.wire = Wire(self.gateway.port)
        return answer


@pytest.fixture
def kept(gateway):
    with Kept(gateway) as kept:
        yield kept


def count_records(gateway, ids):
    """How often each of these ids was recorded."""
    found = dict.fromkeys(ids, 0)
    for record in gateway.records():
        if record["id"] in found:
            found[record["id"]] += 1
    return set(found.values())


def test_every_json_a_strict_parser_refuses_is_refused_and_every_other_arrives(gateway, kept, upstream, face):
    """https://github.com/nst/JSONTestSuite, as a whole body and inside one."""
    ids = []
    for entry in entries("jsontestsuite.jsonl"):
        name, data = entry["id"], base64.b64decode(entry["b64"])
        whole = kept.ask(FACES[face], data)
        check_shape(face, whole, [400])  # no document of the suite is a request
        ids.append(whole.headers["x-request-id"])
        inside = good(face)[:-1] + b',"x":' + data + b"}"
        answer = kept.ask(FACES[face], inside)
        ids.append(answer.headers["x-request-id"])
        duplicate = "duplicated_key" in name
        if name.startswith("n_") or duplicate:
            check_shape(face, answer, [400])
        elif name.startswith("y_"):
            assert answer.status == 200, (name, answer.body)
            assert upstream.requests[-1].body.endswith(b',"x":' + data + b"}"), name
        elif answer.status != 200:
            check_shape(face, answer, [400])
    assert count_records(gateway, ids) == {1}


def test_naughty_strings_reach_the_provider_byte_for_byte(kept, upstream, face):
    """https://github.com/minimaxir/big-list-of-naughty-strings, as text and as a model's name."""
    for entry in entries("naughty_strings.jsonl"):
        text = entry["text"]
        for ascii_only in (True, False):
            content = json.dumps(text, ensure_ascii=ascii_only).encode()
            body = b'{"model":"%b","max_tokens":5,"messages":[{"role":"user","content":%b}]}'
            own = kept.ask(FACES[face], body % (SAME[face].encode(), content))
            assert own.status == 200, (text, own.body)
            assert b'"content":' + content in upstream.requests[-1].body
        # an API may refuse text of nothing, and a crossing need not keep the way it is written
        crossed = kept.ask(FACES[face], body % (OTHER[face].encode(), content))
        if crossed.status == 200:
            assert text in strings(json.loads(upstream.requests[-1].body)["messages"])
        else:
            assert not text.strip()
            check_shape(face, crossed, [400])
        asked = kept.ask(FACES[face], good(face, text or "?"))
        check_shape(face, asked, [404, 400])
        provider = "openai" if face == "openai" else "anthropic"
        direct = kept.ask(FACES[face], good(face, f"{provider}/{text or 'x'}"))
        assert direct.status == 200, direct.body
        assert json.loads(upstream.requests[-1].body)["model"] == (text or "x")
        assert direct.raw_head.isprintable() or "\r" not in direct.raw_head.replace("\r\n", "\n")
        assert len(direct.headers["x-headgate-model"]) <= 1000
    upstream.requests.clear()


def strings(value):
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for child in children for each in strings(child)]


def test_naughty_header_values_are_refused_or_arrive_byte_for_byte(kept, upstream):
    for entry in entries("naughty_strings.jsonl"):
        value = entry["text"].encode("utf-8", "surrogatepass")
        if b"\n" in value or b"\r" in value or b"\0" in value:
            continue  # these would be other headers, which the tests of smuggling send
        answer = kept.ask(FACES["openai"], good("openai"), headers=[("idempotency-key", value), ("x-other", value)])
        assert answer.status in (200, 400), answer.body
        if answer.status == 200:
            head = upstream.requests[-1].raw_head
            [line] = [line for line in head.split(b"\r\n") if line.startswith(b"idempotency-key:")]
            assert line.removeprefix(b"idempotency-key:").strip(b" \t") == value.strip(b" \t")
            assert b"x-other" not in head


# Who does not show a key


TRICKS = [
    "/v1/chat/completions", "//v1/chat/completions", "/v1//chat/completions", "/./v1/chat/completions",
    "/v1/./chat/completions", "/x/../v1/chat/completions", "/v1/chat/completions/", "/v1/chat/completions;x=1",
    "/v1;x/chat/completions", "/v1/chat%2fcompletions", "/v1%2Fchat/completions", "/%76%31/chat/completions",
    "/V1/CHAT/COMPLETIONS", "/v1/Chat/completions", "/v1/chat/completions?key=" + KEY, "/v1/chat/completions%00",
    "/v1/chat/completions%20", "/v1/chat/completions%3f", "/v1\\chat\\completions", "/livez/../v1/chat/completions",
    "/livez;/v1/chat/completions", "/readyz/%2e%2e/v1/chat/completions", "http://{host}/v1/chat/completions",
    "http://{host}//v1/chat/completions", "HTTP://{host}/v1/chat/completions", "http://evil/v1/chat/completions",
    "https://{host}/v1/messages", "ftp://{host}/v1/messages", "v1/chat/completions", "/v1/messages#/livez",
    "/v1/models", "/v1/models/", "/v1/models/chat", "/v1/models/../models", "//v1/models", "/v1/models/openai%2Fx",
    "http://{host}/v1/models", "/metrics", "/metrics/", "//metrics", "/%6detrics", "/metrics?x", "http://{host}/metrics",
    "/v1/messages/count_tokens", "/livez/../metrics", "/admin/api", "/console",
]  # fmt: skip
HOSTS = ["{host}", "{host}/livez", "{host}?/livez", "{host}#", "livez@{host}", "{host}\\", "{host}%2f", "/livez",
         "?", "", "127.0.0.1, localhost", "[::1", "a b", "http://{host}", "evil.example", "x" * 2000]  # fmt: skip


def test_no_spelling_of_path_or_host_gets_past_the_key(gateway, upstream):
    """S3: without a key every one is turned away, whatever the path or host is taken for."""
    real = f"127.0.0.1:{gateway.port}"
    asked = len(upstream.requests)
    for host in HOSTS if SOAK else HOSTS[:1]:
        for path in TRICKS:
            for method in ("POST", "GET"):
                check_turned_away(gateway, path.format(host=real), host.format(host=real), method)
    for host in HOSTS:
        for path in ("/v1/chat/completions", "/v1/models", "/metrics", "/v1/messages"):
            check_turned_away(gateway, path, host.format(host=real), "POST")
    assert len(upstream.requests) == asked


def check_turned_away(gateway, path, host, method):
    answer = ask(gateway, path, good("openai"), key=None, host=host, method=method)
    assert 400 <= answer.status < 500, (path, host, method, answer.body)
    assert b'"chat"' not in answer.body
    assert b"headgate_" not in answer.body


def test_with_a_key_a_path_is_served_only_as_it_is_written(gateway, upstream):
    real = f"127.0.0.1:{gateway.port}"
    served = {
        path
        for path in (trick.format(host=real) for trick in TRICKS if "messages" not in trick and "models" not in trick)
        if ask(gateway, path, good("openai"), host=real).status == 200
    }
    assert served == {
        "/v1/chat/completions",
        f"/v1/chat/completions?key={KEY}",
        f"http://{real}/v1/chat/completions",
        f"HTTP://{real}/v1/chat/completions",
    }


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_what_is_no_key_is_refused_in_every_header(gateway, upstream, face, header):
    asked = len(upstream.requests)
    prefix = "Bearer " if header == "authorization" else ""
    values = ["", "x", KEY[:-1], KEY + "x", KEY.upper(), f"{KEY} {KEY}", "' OR 1=1 --", "x'; DROP TABLE keys; --",
              "%", "*", "null", "\xff\xfe", "${HEADGATE_ADMIN_KEY}", "../../etc/passwd", "A" * 8000]  # fmt: skip
    for value in values:
        answer = ask(gateway, FACES[face], good(face), key=None, headers=[(header, prefix + value)])
        check(gateway, face, answer, [401])
        assert not value or len(value) < 5 or value.encode("latin-1") not in answer.body
    assert len(upstream.requests) == asked


def test_an_upload_without_a_key_is_answered_before_it_is_read(gateway, face):
    gateway.forget_peak()
    before = gateway.memory("VmHWM")
    with Wire(gateway.port) as wire:
        head = http_request(FACES[face], key=None).replace(b"content-length: 0", b"content-length: %d" % (10 << 20))
        wire.send(head)  # the answer comes without one byte of the body
        answer = wire.answer()
        check(gateway, face, answer, [401])
        assert answer.closing
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 10 << 20:
                wire.send(b"x" * 65536)
                sent += 65536
    with Wire(gateway.port) as wire:
        chunked = http_request(FACES[face], key=None).replace(b"content-length: 0", b"transfer-encoding: chunked")
        wire.send(chunked + b"5\r\nhello\r\n")
        check(gateway, face, wire.answer(), [401])
    assert gateway.memory("VmHWM") - before < 2 << 20


def test_a_request_without_a_key_costs_little(gateway, face):
    """R14, S15: at most a millisecond of processor time, and nothing that stays."""
    request = http_request(FACES[face], good(face), key=None)
    count = 5000 if SOAK else 500
    with Wire(gateway.port) as wire:
        wire.send(request)
        wire.answer()
        memory, used = gateway.memory(), gateway.processor_seconds()
        for _ in range(count):
            wire.send(request)
            assert wire.answer().status == 401
        used = gateway.processor_seconds() - used
    print(f"{face}: {used / count * 1e6:.0f} µs of processor time for a request without a key")
    assert used / count < 1e-3
    assert gateway.memory() - memory < 4 << 20


def test_a_long_path_without_a_key_costs_little(gateway):
    request = http_request("/a" * 4000, b"{}", key=None)
    with Wire(gateway.port) as wire:
        used = gateway.processor_seconds()
        for _ in range(60):
            wire.send(request)
            assert wire.answer().status == 404
    assert (gateway.processor_seconds() - used) / 60 < 2e-3


def test_bytes_and_processor_time_stay_in_proportion(gateway, face):
    """R14: what is dear to refuse costs at most a few times what is dear to serve."""
    size = 1 << 20
    costly = {
        "plain": good(face, x="a" * size),
        "keys": good(face, **{str(number): number for number in range(size // 16)}),
        "spaces": good(face)[:-1] + b" " * size + b"}",
        "duplicate at the end": good(face)[:-1] + b',"x":"' + b"a" * size + b'", "x":1}',
        "quotation marks": good(face, x='"' * (size // 2)),
        "backslashes": good(face, x="\\" * (size // 2)),
        "open arrays": b"[" * size,
        "open strings": b'{"model":"' * (size // 10),
        "numbers": good(face, x=[0.1] * (size // 5)),
        "commas": b'{"model":"chat"' + b"," * size,
        "a model's name": good(face, "x" * size),
        "slashes": good(face, "openai/" + "/" * size),
    }
    for name, body in costly.items():
        used, started = gateway.processor_seconds(), time.monotonic()
        answer = ask(gateway, FACES[face], body)
        assert answer.status < 500, name
        if name in ("a model's name", "slashes"):
            check(gateway, face, answer, [400])  # names are kept, in metrics for one
        assert time.monotonic() - started < 2, name
        assert gateway.processor_seconds() - used < 0.5, name


def test_nothing_was_leaked_or_broken_by_all_this(gateway, upstream):
    """Runs last: no exception in the log, nothing in flight, no connection in use."""
    assert ask(gateway, FACES["openai"], good("openai")).status == 200
    log = gateway.output()
    assert "Traceback" not in log
    assert "exception" not in log.lower(), log
    headers = [("x-api-key", gateway.environ["HEADGATE_ADMIN_KEY"])]
    page = ask(gateway, "/metrics", method="GET", key=None, headers=headers).body.decode()
    assert re.search(r"^headgate_in_flight 0", page, re.MULTILINE)
    assert re.findall(r'^headgate_upstream_connections\{.*state="in_use".*\} (\d+)', page, re.MULTILINE) == ["0"]
