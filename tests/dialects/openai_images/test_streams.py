"""Streams of pictures: their bytes pass, unfinished pictures as they come, the finished ones are counted."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import ImageGenCompletedEvent, ImageGenPartialImageEvent, ImagesResponse

from dialects.whole_laws import read, usage_of, value_of
from headgate.core.errors import ProviderError, ProviderNonsense, ProviderRefused, Unsupported
from headgate.core.events import Failed, Native, Result, Start, Stop
from headgate.core.images import Images, ImagesRequest, Picture
from headgate.core.usage import Usage
from headgate.dialects import openai_images as own
from together import together

DATA = "iVBORw0KGgo="
ABOUT = {"background": "opaque", "output_format": "png", "quality": "high", "size": "1024x1024"}
USAGE = {
    "input_tokens": 30,
    "input_tokens_details": {"image_tokens": 10, "text_tokens": 20},
    "output_tokens": 100,
    "output_tokens_details": {"image_tokens": 90, "text_tokens": 10},
    "total_tokens": 130,
}
COUNTED = {"input": 20, "input_image": 10, "output": 10, "output_image": 90}


def frame(kind, **fields):
    event = {"type": kind, "created_at": 1781048048, **ABOUT, **fields}
    return f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode()


PARTIAL = [frame("image_generation.partial_image", b64_json=DATA, partial_image_index=index) for index in (0, 1)]
DONE = frame("image_generation.completed", b64_json=DATA, usage=USAGE)
STREAM = b"".join([*PARTIAL, DONE])


def pieces(data, cuts):
    cuts = sorted({min(cut, len(data)) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def all_of(part, body):
    return part.feed(body) + part.end()


def events(data, cuts=()):
    reader, found = own.reader(True), []
    for piece in pieces(data, cuts):
        found += reader.feed(piece)
    return found + reader.end()


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_any_split_gives_the_same_events_and_bytes(cuts):
    assert events(STREAM, cuts) == events(STREAM)
    relay = own.relay(True, {})
    assert b"".join(relay.feed(piece) for piece in pieces(STREAM, cuts)) + relay.end() == STREAM
    assert (relay.complete, relay.finish, relay.usage) == (True, "stop", usage_of(events(STREAM)))


def test_what_is_read():
    start, first, second, result, used, stop = events(STREAM)
    assert start == Start(created=1781048048)
    assert (first.name, first.value["partial_image_index"]) == ("image_generation.partial_image", 0)
    assert second.value["partial_image_index"] == 1
    assert result == Result(value=Images(pictures=[Picture(base64=DATA, native=ABOUT)]))
    assert used.usage == Usage(**COUNTED, units={"images": 1.0}, reported=USAGE)
    assert stop.reason == "stop"


def test_what_is_written_is_what_was_read():
    writer = own.writer(True, {}, [])
    written = b"".join(writer.feed([event]) for event in events(STREAM)) + writer.end()
    assert events(written) == events(STREAM)
    partial, _, done = (json.loads(block.partition(b"data: ")[2]) for block in written.strip().split(b"\n\n"))
    assert ImageGenPartialImageEvent.model_validate(partial).partial_image_index == 0
    assert ImageGenCompletedEvent.model_validate(done).usage.output_tokens == 100


def test_a_whole_reply_as_a_stream():
    body = {"created": 5, "data": [{"b64_json": DATA}, {"b64_json": DATA}], **ABOUT, "usage": USAGE}
    ImagesResponse.model_validate(body)
    writer = own.writer(True, {}, [])
    written = writer.feed(read(own, json.dumps(body).encode())) + writer.end()
    found = events(written)
    assert [one.base64 for one in value_of(found).pictures] == [DATA, DATA]
    assert usage_of(found) == Usage(**COUNTED, units={"images": 2.0}, reported=USAGE)


def test_several_pictures():
    body = STREAM + DONE
    relay = own.relay(True, {"n": 2})
    assert relay.feed(STREAM) == STREAM
    assert not relay.complete
    assert relay.feed(DONE + b"data: [DONE]\n\n") == DONE
    assert relay.complete
    assert relay.usage == usage_of(events(body))
    assert (relay.usage.output_image, relay.usage.units) == (180, {"images": 2.0})


def test_fewer_than_were_asked_for_are_an_answer_too():
    relay = own.relay(True, {"n": 3})
    relay.feed(DONE)
    assert not relay.complete
    assert relay.end() == b""
    assert relay.complete


@together("end", range(0, len(STREAM) - 1, 40))
def test_a_stream_cut_anywhere_is_not_complete(end):
    relay = own.relay(True, {})
    passed = relay.feed(STREAM[:end]) + relay.end()
    assert not relay.complete
    assert STREAM.startswith(passed)
    assert passed == b"" or passed.endswith(b"\n\n")
    assert events(STREAM[:end])[-1] == Stop(reason="cut")


def test_an_error_in_the_stream():
    failure = b'event: error\ndata: {"type":"error","error":{"message":"moderation_blocked","code":400}}\n\n'
    relay = own.relay(True, {})
    assert relay.feed(PARTIAL[0] + failure) == PARTIAL[0] + failure
    assert (relay.failed.message, relay.failed.status, relay.complete) == ("moderation_blocked", 400, False)
    relay.end()
    assert not relay.complete
    found = events(PARTIAL[0] + failure)
    assert isinstance(found[-1], Failed)
    with pytest.raises(ProviderRefused):
        own.writer(True, {}, []).feed(found)


@pytest.mark.parametrize(
    "body", [b"<html><title>x</title>", b'{"created":1,"data":[]}', b"\xff\xfe", b"data: nonsense\n\n", b"data: 7\n\n"]
)
def test_what_is_no_stream_is_told(body):
    for part in (own.relay(True, {}), own.reader(True)):
        with pytest.raises(ProviderNonsense):
            all_of(part, body)


def test_an_error_instead_of_a_stream():
    body = b'{"error":{"message":"no such model","code":404}}'
    for part in (own.relay(True, {}), own.reader(True)):
        assert not part.feed(body[:20])
        with pytest.raises(ProviderRefused, match="no such model"):
            part.feed(body[20:])


@given(st.binary(max_size=60), st.integers(0, len(STREAM)))
def test_whatever_comes_is_the_providers_fault(noise, at):
    body = STREAM[:at] + noise + STREAM[at:]
    for part in (own.relay(True, {}), own.reader(True)):
        with contextlib.suppress(ProviderError):
            all_of(part, body)


def test_without_a_picture_nothing_is_written():
    with pytest.raises(ProviderNonsense):
        own.writer(True, {}, []).feed([Start(), Stop(reason="stop")])
    lost = []
    assert own.writer(True, {}, lost).feed([Native(dialect="elsewhere", name="mood", value=1)]) == b""
    assert [loss.path for loss in lost] == ["reply.mood"]


class TestUsage:
    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, {}),
            ({"usage": USAGE}, COUNTED),
            ({"usage": {"input_tokens": 9, "output_tokens": 40}}, {"input": 9, "output_image": 40}),
            (
                {"svg_usage": {"input_tokens": 5, "output_tokens": 70, "reasoning_tokens": 60}},
                {"input": 5, "output": 10, "reasoning": 60},
            ),
        ],
    )
    def test_classes(self, fields, expected):
        relay = own.relay(False, {})
        relay.feed(json.dumps({"data": [{"url": "https://a"}], **fields}).encode())
        reported = fields.get("usage", {})
        assert relay.usage == Usage(**expected, units={"images": 1.0}, reported=reported)

    @pytest.mark.parametrize("item", [{}, {"b64_json": 7}, {"url": None}, 7])
    def test_what_is_no_picture_is_the_providers_fault(self, item):
        with pytest.raises(ProviderNonsense):
            read(own, json.dumps({"data": [item]}).encode())


def test_what_begins_with_pictures_is_refused():
    request = ImagesRequest(dialect="elsewhere", model="m", prompt="x", kind="edit")
    with pytest.raises(Unsupported, match="words alone") as caught:
        own.write_request(request, [])
    assert caught.value.param == "image"
    lost = []
    request = ImagesRequest(dialect="elsewhere", model="m", prompt="x", as_link=True, native={"style": "vivid"})
    body = json.loads(own.write_request(request, lost))
    assert body == {"model": "m", "prompt": "x", "response_format": "url"}
    assert [loss.path for loss in lost] == ["style"]
