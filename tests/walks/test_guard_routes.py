"""What is blocked is blocked on every route there is: in requests and replies, whole and streamed. The routes are those
of the gateway's own table; one that is new is tested without a word here, or fails for want of an answer to say."""

import contextlib
import gzip
import http.client
import json

import pytest

from gateways import KEY, running
from headgate.core import audio, chat, embeddings, images, moderation, rerank
from headgate.core.errors import Unsupported
from headgate.core.events import Start, Stop, Text, Thinking, ToolCall, ToolInput
from headgate.dialects.dialect import dialects
from upstreams import json_reply
from ways import CHATS, PLAIN, WAYS, answering, place

WORD = "bluebird"
ROUTES = [
    (dialect, path, stream)
    for dialect in dialects()
    for path in dialect.paths
    for stream in ((False, True) if dialect.stream_types and not dialect.in_url else (False,))
]
FIELDS = [f"say {WORD}", {"deep": [{"er": f"say {WORD}"}]}, {f"{WORD} it is": 1}]
"""What stands in a field that nobody knows."""


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    providers = "".join(
        f"  {name.replace('_', '-')}: {{kind: openai_compatible, api_key: none, base_url: '{first.url}/{name}',"
        f" speaks: [{name}]}}\n"
        for name in (dialect.name for dialect in dialects() if dialect.takes != "raw")
    )
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
{providers}
keys: [{{name: test, key: {KEY}}}]
breaker: {{enabled: false}}
retry: {{attempts: 1}}
guards:
  projects: {{use: words, with: {{words: {{project: [{WORD}]}}}}}}
  people: {{use: patterns, with: {{patterns: {{person: 'Jo "[A-Z]+"'}}}}, then: tokenise}}
"""
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = json_reply({})
    return first


def ask(gateway, path, body, headers):
    """Status, headers and body, as it came."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def post(gateway, path, body, kind="application/json"):
    return ask(gateway, path, body, {"authorization": f"Bearer {KEY}", "content-type": kind})


def form(fields):
    parts = [f'--b\r\ncontent-disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    return "".join((*parts, "--b--\r\n")).encode(), "multipart/form-data; boundary=b"


def encoded(dialect, fields):
    if dialect.takes == "form":
        return form({key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()})
    return json.dumps(fields).encode(), "application/json"


def is_blocked(answer):
    status, headers, body = answer
    return (status, headers["x-headgate-error-code"]) == (400, "blocked_by_guard") and WORD not in str(body)


@pytest.mark.parametrize("field", FIELDS, ids=["text", "deep", "name"])
def test_no_route_lets_a_request_through(gateway, upstream, field):
    for dialect, path, stream in ROUTES:
        fields = {"model": "openai-chat/m", "x": field, **({"stream": True} if stream else {})}
        answer = post(gateway, place(path, "openai-chat/m"), *encoded(dialect, fields))
        assert is_blocked(answer), (dialect.name, path, stream, answer)
    assert not upstream.requests


WORDS = f"say {WORD}"
MESSAGE = chat.Message(role="user", parts=[chat.Text(text=WORDS)])
ASKED = {
    "chat": chat.ChatRequest(dialect="", model="m", messages=[MESSAGE], max_tokens=5),
    "count_tokens": chat.ChatRequest(dialect="", model="m", messages=[MESSAGE]),
    "embeddings": embeddings.EmbeddingsRequest(dialect="", model="m", inputs=[WORDS], purpose="query"),
    "rerank": rerank.RerankRequest(dialect="", model="m", query="q", documents=[rerank.Entry(text=WORDS)]),
    "moderation": moderation.ModerationRequest(dialect="", model="m", inputs=[[chat.Text(text=WORDS)]]),
    "images": images.ImagesRequest(dialect="", model="m", prompt=WORDS),
    "speech": audio.SpeechRequest(dialect="", model="m", input=WORDS, voice="v"),
}
"""What an operation is about, in the gateway's own words; forms have their test above."""


def test_what_an_operation_is_about_is_looked_at(gateway, upstream):
    for dialect, path, _ in ROUTES:
        if dialect.takes != "json":
            continue
        try:
            said = dialect.write_request(ASKED[dialect.operation], [])
        except Unsupported:  # it takes no conversation
            said = json.dumps({"prompt": WORDS}).encode()
        fields = {**json.loads(said), "model": "openai-chat/m"}
        answer = post(gateway, place(path, "openai-chat/m"), *encoded(dialect, fields))
        assert is_blocked(answer), (dialect.name, path, answer)
    assert not upstream.requests


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"a": WORDS}).encode(),
        json.dumps({"a": WORDS}).replace("b", "\\u0062").encode(),
        b'{"custom_id": "1"}\n' + json.dumps({"body": {"input": WORDS}}).encode() + b"\n",
        WORDS.encode(),
        form({"purpose": "batch", "file": json.dumps({"a": WORDS})})[0],
        gzip.compress(WORDS.encode()),
    ],
    ids=["json", "escaped", "lines", "text", "form", "gzip"],
)
def test_what_is_forwarded_unread_is_looked_at(gateway, upstream, body):
    sent = {"authorization": f"Bearer {KEY}", "content-type": "application/octet-stream"}
    if body[:2] == b"\x1f\x8b":
        sent["content-encoding"] = "gzip"
    if body.startswith(b"--b"):
        sent["content-type"] = form({})[1]
    answer = ask(gateway, "/openai-chat/v1/files", body, sent)
    assert is_blocked(answer), answer
    assert not upstream.requests


@pytest.mark.parametrize("path", ["files?q=say+blue%62ird", f"files/{WORD}"])
def test_urls_that_are_forwarded_are_looked_at(gateway, upstream, path):
    answer = post(gateway, f"/openai-chat/v1/{path}", b"{}")
    assert is_blocked(answer), answer
    assert not upstream.requests


def told(dialect):
    """A reply in this dialect, by the parts in which the word stands."""
    start, call = Start(id="r", model="m", created=1), ToolCall(id="call_1", name="find", block=1)
    end = Stop(reason="stop")
    yield [start, Text(text="a"), Text(text=" blue"), Text(text="bird "), end]
    yield [start, Text(text="a"), call, ToolInput(json='{"q": "blu', block=1), ToolInput(json='ebird"}', block=1), end]
    yield [start, Thinking(text="of a blue"), Thinking(text="bird"), Text(text="a", block=1), end]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0].name}-{'stream' if way[2] else 'whole'}")
@pytest.mark.parametrize("crossed", [False, True], ids=["own", "crossed"])
def test_no_route_lets_a_reply_through(gateway, upstream, way, crossed):
    dialect, path, stream = way
    provider = "openai-chat" if crossed else dialect.name.replace("_", "-")
    model = f"{provider}/m"
    hello = chat.Message(role="user", parts=[chat.Text(text="Hello")], plain=True)
    try:
        said = dialect.write_request(chat.ChatRequest(dialect="", model="m", messages=[hello], max_tokens=10), [])
    except Unsupported:  # it takes no conversation
        said = b'{"prompt": "Hello"}'
    fields = json.loads(said) | ({} if dialect.in_url else {"model": model, "stream": stream})
    voices = [dialect, PLAIN["openai_chat"]] if crossed else [dialect]
    for events in told(dialect):
        if not all(says(voice, events) for voice in voices):
            continue
        upstream.requests.clear()
        upstream.script = answering(events)
        status, headers, body = post(gateway, place(path, model), json.dumps(fields).encode())
        assert upstream.requests, (status, body)
        assert b"ird" not in body, body
        record = gateway.record_of(headers["x-request-id"])
        assert record.get("error") == "blocked_by_guard", body


def says(dialect, events):
    """Whether an API has words for all of it."""
    writer = dialect.writer(False, {}, [])
    return WORD.encode() in (writer.feed(events) + writer.end())


PERSON = 'Jo "ROE"'
"""Hidden from providers; in JSON it is written otherwise."""
HIDDEN = [
    [Text(text="Dear <PER"), Text(text="SON_1"), Text(text=">!")],
    [ToolCall(id="call_1", name="find"), ToolInput(json='{"q": ["<per'), ToolInput(json='son_1>", "a"]}')],
    [Thinking(text="of \\<PERSON\\"), Thinking(text="_1\\> now"), Text(text="a", block=1)],
]
"""What providers say, and what the client is told then."""
COMES = [f"Dear {PERSON}!", {"q": [PERSON, "a"]}, f"of {PERSON} nowa"]


def test_no_route_shows_a_provider_what_is_hidden(gateway, upstream):
    reached = set()
    for dialect, path, stream in ROUTES:
        fields = {"model": f"{dialect.name.replace('_', '-')}/m", "x": PERSON, **({"stream": True} if stream else {})}
        with contextlib.suppress(Unsupported):
            if dialect.takes == "json":
                request = dialect.write_request(ASKED[dialect.operation], [])
                fields = json.loads(request.replace(WORDS.encode(), json.dumps(PERSON)[1:-1].encode())) | fields
        upstream.requests.clear()
        post(gateway, place(path, fields["model"]), *encoded(dialect, fields))
        for each in upstream.requests:
            assert b"ROE" not in each.body, (dialect.name, path, each.body)
            assert b"<PERSON_1>" in each.body, (dialect.name, path, each.body)
            reached.add(dialect.name)
    left = {dialect.name for dialect, _, _ in ROUTES} - reached
    assert not left & {dialect.name for dialect in CHATS}, left
    assert len(left) < 10, left


def told_back(dialect, stream, body):
    """The texts of a reply, or the arguments of its call."""
    reader = dialect.reader(stream)
    events = [*reader.feed(body), *reader.end()]
    arguments = "".join(each.json for each in events if isinstance(each, ToolInput))
    return (
        json.loads(arguments)
        if arguments
        else "".join(each.text for each in events if isinstance(each, Text | Thinking))
    )


@pytest.mark.parametrize("crossed", [False, True], ids=["own", "crossed"])
def test_what_is_hidden_comes_back_on_every_route(gateway, upstream, crossed):
    for dialect, path, stream in WAYS:
        provider = "openai-chat" if crossed else dialect.name.replace("_", "-")
        message = chat.Message(role="user", parts=[chat.Text(text=PERSON)], plain=True)
        try:
            said = dialect.write_request(chat.ChatRequest(dialect="", model="m", messages=[message], max_tokens=10), [])
        except Unsupported:  # it takes no conversation
            said = json.dumps({"prompt": PERSON}).encode()
        fields = json.loads(said) | ({} if dialect.in_url else {"model": f"{provider}/m", "stream": stream})
        for events, wanted in zip(HIDDEN, COMES, strict=True):
            whole = [Start(id="r", model="m", created=1), *events, Stop(reason="stop")]
            if not all(has_words(voice, whole) for voice in (dialect, PLAIN["openai_chat"])[: 1 + crossed]):
                continue
            upstream.script = answering(whole)
            status, _, body = post(gateway, place(path, f"{provider}/m"), json.dumps(fields).encode())
            assert (status, told_back(dialect, stream, body)) == (200, wanted), (dialect.name, path, stream, body)


def has_words(dialect, events):
    writer = dialect.writer(False, {}, [])
    data = (writer.feed(events) + writer.end()).lower()
    return b"son_1" in data or b"\\_1" in data
