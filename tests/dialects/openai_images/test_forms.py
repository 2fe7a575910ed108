"""OpenAI's image edits and variations: forms with pictures in them."""

import json

import pytest

from dialects.listening import DATA, FILE, sent
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.core.events import Result, Stop
from headgate.core.images import ImagesRequest
from headgate.dialects import openai_images
from headgate.dialects.openai_images import edits, variations
from together import together

FIELDS = {
    "model": "gpt-image-1.5", "prompt": "A red hat", "image": [FILE, FILE], "mask": FILE, "n": "2", "size": "auto",
    "quality": "high", "background": "opaque", "output_format": "webp", "user": "u", "input_fidelity": "high",
    "partial_images": "1", "stream": True,
}  # fmt: skip


async def parts(body):
    boundary = body.content_type.partition(b"boundary=")[2]
    data = await sent(body)
    assert len(data) == body.length
    found = [part.partition(b"\r\n\r\n") for part in data.split(b"--" + boundary)[1:-1]]
    return [(head.split(b'name="')[1].split(b'"')[0].decode(), content[:-2].decode()) for head, _, content in found]


async def test_an_edit_is_read_and_written_without_loss():
    request = edits.read_request(FIELDS)
    assert (request.kind, request.n, request.stream, request.images, request.mask) == (
        "edit",
        2,
        True,
        [FILE] * 2,
        FILE,
    )
    assert request.native == {"input_fidelity": "high", "partial_images": "1"}
    lost = []
    written = await parts(edits.write_request(request, lost))
    files = [("image[]", DATA.decode())] * 2 + [("mask", DATA.decode())]
    told = [(key, value) for key, value in FIELDS.items() if isinstance(value, str)]
    assert sorted(written) == sorted([*told, *files, ("stream", "true")])
    assert lost == []


async def test_a_variation():
    request = variations.read_request({"image": FILE, "response_format": "b64_json"})
    assert (request.kind, request.model, request.as_link) == ("variation", "dall-e-2", False)
    written = await parts(variations.write_request(request, []))
    assert written == [("model", "dall-e-2"), ("response_format", "b64_json"), ("image", DATA.decode())]


@together(
    ("dialect", "changes", "param"),
    [
        (edits, {"image": None}, "image"),
        (edits, {"image": "https://example.com/a.png"}, "image"),
        (edits, {"image": []}, "image"),
        (edits, {"mask": "no"}, "mask"),
        (edits, {"prompt": None}, "prompt"),
        (edits, {"n": "two"}, "n"),
        (edits, {"n": "-1"}, "n"),
        (edits, {"size": FILE}, "size"),
        (variations, {"image": [FILE, FILE]}, "image"),
    ],
)
def test_what_is_not_one_is_refused(dialect, changes, param):
    with pytest.raises(InvalidRequest) as caught:
        dialect.read_request({**FIELDS, **changes})
    assert caught.value.param == param


def test_kinds_do_not_cross():
    edit = edits.read_request(FIELDS)
    made = ImagesRequest(dialect="openai_images", model="m", prompt="a")
    for dialect, request in ((openai_images, edit), (variations, edit), (edits, made)):
        with pytest.raises(Unsupported):
            dialect.write_request(request, [])


def test_what_only_another_dialect_knows_is_named():
    request = edits.read_request(FIELDS)
    request.dialect = "another"
    lost = []
    edits.write_request(request, lost)
    assert [loss.path for loss in lost] == ["input_fidelity", "partial_images"]


@pytest.mark.parametrize("dialect", [edits, variations])
def test_replies_are_those_of_generations(dialect):
    body = json.dumps({"created": 1, "data": [{"b64_json": "aGk="}]}).encode()
    relay = dialect.relay(False, {})
    assert relay.feed(body) + relay.end() == body
    assert relay.usage.units == {"images": 1.0}
    reader = dialect.reader(False)
    events = reader.feed(body) + reader.end()
    assert [event.value.pictures[0].base64 for event in events if isinstance(event, Result)] == ["aGk="]
    writer = dialect.writer(False, {}, [])
    assert json.loads(writer.feed(events) + writer.end()) == json.loads(body)


def test_a_stream_of_edits_ends_with_the_last_picture():
    event = {"type": "image_edit.completed", "b64_json": "aGk=", "created_at": 1}
    frame = b"event: image_edit.completed\ndata: " + json.dumps(event).encode() + b"\n\n"
    relay = edits.relay(True, {"n": "2"})
    assert relay.feed(frame) == frame
    assert not relay.complete
    assert relay.feed(frame) == frame
    assert relay.complete
    reader = edits.reader(True)
    events = reader.feed(frame) + reader.end()
    assert events[-1] == Stop(reason="stop")
    writer = edits.writer(True, {}, [])
    assert writer.feed(events).startswith(b"event: image_edit.completed\n")
