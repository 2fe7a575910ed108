"""What is kept says what was said: streams as the whole answers they come to, without what must not be kept."""

import base64
import hashlib
import json

import pytest

from headgate.core.events import Start, Stop, Text, ToolCall, ToolInput, Used
from headgate.core.kept import Head
from headgate.core.usage import Usage
from headgate.dialects.dialect import dialects
from headgate.records.payloads.making import UNREADABLE, Maker, described
from headgate.records.payloads.payload import Cipher, Damaged, packed, read, unpacked, words
from headgate.records.payloads.waiting import Piece
from headgate.redaction.redactor import mark
from together import together

CHATS = [dialect for dialect in dialects() if dialect.operation == "chat" and dialect.stream_types]
PICTURE = base64.b64encode(b"\x89PNG" + hashlib.sha512(b"x").digest() * 20).decode()
EVENTS = [
    Start(id="msg_1", model="m", created=5),
    Text(text="Hello "),
    Text(text="joe@exa"),
    Text(text="mple.com"),
    ToolCall(id="call_1", name="look", block=1),
    ToolInput(json='{"to": "jo', block=1),
    ToolInput(json='e@example.com"}', block=1),
    Used(usage=Usage(input=3, output=4)),
    Stop(reason="tool_use"),
]


def piece(
    request=b"{}", answer=b"", sent=b"", *, keep="full", stream=False, media=False, dialect="openai_chat", cut=()
):
    head = Head("req_1", 1.5, None, None, keep, media, dialect, "gemini_generate", stream, cut)
    return Piece(head, request, sent, answer, 0)


def content(*given, most=1 << 20, **more):
    return Maker([], most, None).content(piece(*given, **more))


@together("dialect", [pytest.param(dialect, id=dialect.name) for dialect in CHATS])
def test_a_stream_is_kept_as_the_whole_answer(dialect):
    fields = {"model": "m", "messages": []}
    request = json.dumps(fields).encode()
    writer, whole = dialect.writer(True, fields, []), dialect.writer(False, fields, [])
    frames = b"".join(writer.feed([event]) for event in EVENTS) + writer.end()
    reader = dialect.reader(True)
    read = [*reader.feed(frames), *reader.end()]
    wanted = whole.feed(read) + whole.end()
    made = content(request, frames, stream=True, dialect=dialect.name)
    assert made.answer == wanted.decode()
    assert not made.frames
    assert not made.broke_off
    assert "joe@example.com" in made.answer
    hidden = content(request, frames, stream=True, dialect=dialect.name, keep="redacted")
    assert "joe@example.com" not in hidden.answer
    assert mark("email") in hidden.answer
    assert hidden.redacted["email"] >= 1


@together("dialect", [pytest.param(dialect, id=dialect.name) for dialect in CHATS])
def test_a_stream_that_broke_off_is_kept_as_far_as_it_came(dialect):
    fields = {"model": "m", "messages": []}
    writer = dialect.writer(True, fields, [])
    frames = b"".join(writer.feed([event]) for event in EVENTS[:3])
    made = content(json.dumps(fields).encode(), frames, stream=True, dialect=dialect.name)
    assert "Hello joe@exa" in made.answer
    assert made.broke_off
    assert not made.frames
    hidden = content(json.dumps(fields).encode(), frames, stream=True, dialect=dialect.name, keep="redacted")
    assert json.loads(hidden.answer) == json.loads(made.answer)


def test_what_was_said_stays_as_it_was_spelt():
    said = '{ "a" : "\\u00e4",\n "b": 1.0 }'
    assert content(said.encode()).request == said
    assert content(said.encode(), keep="redacted").request == said
    assert content(b"plain words", b"\xff\xfe").request == "plain words"


def test_what_cannot_be_read_is_left_out_where_it_is_to_be_redacted():
    cut = b'{"a": "joe\\u0040example.com'
    for keep, wanted in (("full", cut.decode()), ("redacted", None)):
        made = content(cut, keep=keep, cut=("request",))
        assert made.request == wanted
        assert made.left_out == ({} if wanted else {"request": UNREADABLE})
    frames = b"data: joe@exa\n\ndata: mple.com\n\n"
    assert content(b"{}", frames, stream=True, dialect="unknown").frames
    assert content(b"{}", frames, stream=True, dialect="unknown", keep="redacted").answer is None
    assert content(b"joe@example.com said", keep="redacted").request == "[EMAIL] said"


def test_media_are_described_unless_they_are_wanted():
    said = json.dumps({"a": f"data:image/png;base64,{PICTURE}", "b": PICTURE, "c": "x" * 2000, "d": "a b " * 500})
    digest = hashlib.sha256(base64.b64decode(PICTURE)).hexdigest()
    told = f"[image/png, 1284 bytes, sha256:{digest}]"
    for keep, media in (("full", False), ("redacted", True)):
        found = json.loads(content(said.encode(), keep=keep, media=media).request)
        assert found == {"a": told, "b": told, "c": "x" * 2000, "d": "a b " * 500}
    assert content(said.encode(), media=True).request == said
    sound = b"\xff\xfbsound"
    assert content(b"{}", sound).answer == f"[audio/mpeg, 7 bytes, sha256:{hashlib.sha256(sound).hexdigest()}]"
    assert content(b"{}", sound, media=True).answer == base64.b64encode(sound).decode()
    assert described([1, None, {"x": True}]) == [1, None, {"x": True}]


def test_each_side_is_cut_to_size():
    said = json.dumps({"a": "ü" * 1000}, ensure_ascii=False).encode()
    made = content(said, said, said, most=1001)
    assert made.truncated == ["request", "sent", "answer"]
    assert len(made.request.encode()) <= 1001
    assert made.request == said.decode()[: len(made.request)]
    assert content(b"[1]", cut=("request",)).truncated == ["request"]


def test_of_what_is_cut_off_nothing_is_redacted():
    """It takes seconds for a megabyte of some texts, and a client may send more."""
    said = json.dumps([{"text": "me@example.org " * 100} for _ in range(50)]).encode()
    made = content(said, b"me@example.org " * 5000, keep="redacted", most=2000)
    assert made.truncated == ["request", "answer"]
    assert made.redacted["email"] <= 300
    assert json.loads(made.request)[0]["text"] == "[EMAIL] " * 100
    assert "example" not in made.request + made.answer


def test_a_payload_is_what_was_packed_and_encrypted_nobody_else_s():
    made = content(b'{"a":"secret words"}')
    size, body = packed(made, None, "req_1")
    assert unpacked(body, size, None, "req_1") == made
    cipher = Cipher(b"k" * 32, "sealed")
    size, body = packed(made, cipher, "req_1")
    assert unpacked(body, size, cipher, "req_1") == made
    for other, id in ((Cipher(b"j" * 32, "sealed"), "req_1"), (cipher, "req_2")):
        with pytest.raises(Damaged):
            unpacked(body, size, other, id)
    with pytest.raises(Damaged):
        unpacked(body[:-1], size, cipher, "req_1")


def test_words():
    assert words("Größe, GROSSE naïve foo_bar 日本語 x-1 ÉÉ éé") == [
        "grosse", "naive", "foo", "bar", "日", "本", "語", "x", "1", "ee",
    ]  # fmt: skip
    assert len(words(" ".join(map(str, range(9000))))) == 5000


def test_a_damaged_line_is_none():
    assert [read(line) for line in (b"", b"{", b'{"id":"x"}', b"\xff")] == [None] * 4
