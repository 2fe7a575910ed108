"""OpenAI's speech: audio as it is, or in events."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.audio import SpeechRequest
from headgate.core.errors import GatewayError, InvalidRequest, ProviderCut
from headgate.core.events import Audio, Failed, Start, Stop, Used
from headgate.core.usage import Usage
from headgate.dialects.openai_audio import speech

FIELDS = {
    "model": "gpt-4o-mini-tts", "input": "Hello there", "voice": "alloy", "instructions": "Warmly.", "speed": 1.5,
    "response_format": "wav", "stream_format": "audio", "seed": 7,
}  # fmt: skip
USED = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}


def events_of(*pieces):
    said = [{"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()} for piece in pieces]
    said.append({"type": "speech.audio.done", "usage": USED})
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in said)


def read(data, cuts=()):
    reader = speech.reader(True)
    found = []
    at = 0
    for cut in (*sorted(cut for cut in cuts if cut < len(data)), len(data)):
        found += reader.feed(data[at:cut])
        at = cut
    return found + reader.end()


def heard(events):
    return b"".join(event.data for event in events if isinstance(event, Audio))


def test_every_field_is_read_and_written():
    request = speech.read_request(FIELDS)
    assert (request.input, request.voice, request.format, request.speed) == ("Hello there", "alloy", "wav", 1.5)
    assert (request.instructions, request.events, request.native) == ("Warmly.", False, {"seed": 7})
    fields = json.loads(speech.write_request(request, []))
    assert fields == {key: value for key, value in FIELDS.items() if key != "stream_format"}
    events = speech.read_request({**FIELDS, "stream_format": "sse", "voice": {"id": "voice_1"}})
    assert (events.events, events.voice) == (True, "voice_1")
    assert json.loads(speech.write_request(events, []))["stream_format"] == "sse"


def test_another_dialects_fields_are_named():
    lost = []
    request = SpeechRequest(dialect="other", model="m", input="x", voice="v", native={"style": 1})
    assert json.loads(speech.write_request(request, lost)) == {"model": "m", "input": "x", "voice": "v"}
    assert [loss.path for loss in lost] == ["style"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": None}, "input"), ({"input": ["x"]}, "input"), ({"voice": 1}, "voice"), ({"voice": {}}, "voice.id"),
        ({"speed": "fast"}, "speed"), ({"response_format": "ogg"}, "response_format"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(change, param):
    with pytest.raises(InvalidRequest) as caught:
        speech.read_request({**FIELDS, **change})
    assert caught.value.param == param


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_audio_is_what_came_however_it_is_cut(data, cuts):
    relay = speech.relay(True, {"input": "Hello"})
    assert relay.feed(data) + relay.end() == data
    assert (relay.complete, relay.usage.units) == (True, {"characters": 5})
    if not data.startswith((b"data:", b"event:", b"\xef\xbb\xbfdata:")):
        assert heard(read(data, cuts)) == data
        assert read(data, cuts)[-1] == Stop(reason="stop")


@given(st.lists(st.binary(max_size=40), max_size=4), st.lists(st.integers(0, 500), max_size=6))
def test_audio_in_events_is_the_same_audio(pieces, cuts):
    data = events_of(*pieces)
    found = read(data, cuts)
    assert heard(found) == b"".join(pieces)
    assert found[-2:] == [Used(usage=Usage(input=14, output_audio=101, reported=USED)), Stop(reason="stop")]
    relay = speech.relay(True, {"input": "Hello", "stream_format": "sse"})
    at, passed = 0, b""
    for cut in (*sorted(cut for cut in cuts if cut < len(data)), len(data)):
        passed += relay.feed(data[at:cut])
        at = cut
    assert passed + relay.end() == data
    assert (relay.complete, relay.usage.output_audio, relay.usage.units) == (True, 101, {"characters": 5})


def test_a_cut_is_never_an_end():
    data = events_of(b"abc", b"def")
    for end in range(6, len(data) - 2):
        assert read(data[:end])[-1] == Stop(reason="cut")
        relay = speech.relay(True, {"stream_format": "sse"})
        relay.feed(data[:end])
        relay.end()
        assert not relay.complete
    assert read(b"")[-1] == Stop(reason="cut")


def test_it_is_written_as_the_client_wants_it():
    events = [Start(), Audio(data=b"abc"), Used(usage=Usage(input=1, output_audio=2)), Stop(reason="stop")]
    writer = speech.writer(True, {}, [])
    assert writer.feed(events) + writer.end() == b"abc"
    writer = speech.writer(True, {"stream_format": "sse"}, [])
    frames = [json.loads(line[6:]) for line in writer.feed(events).split(b"\n\n")[:-1]]
    assert frames == [
        {"type": "speech.audio.delta", "audio": "YWJj"},
        {"type": "speech.audio.done", "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}},
    ]


def test_errors():
    data = b'data: {"type":"error","error":{"message":"no voice"}}\n\n'
    assert isinstance(read(data)[-1], Failed)
    with pytest.raises(GatewayError, match="no voice"):
        speech.writer(True, {}, []).feed(read(data))
    assert speech.write_error(ProviderCut("x"), "r", streaming=True) == b"", "nothing can be said inside audio"
    assert b"provider_cut" in speech.write_error(ProviderCut("x"), "r", streaming=False)


@given(st.binary(max_size=200))
def test_junk_in_events_is_passed_over(junk):
    with contextlib.suppress(GatewayError):
        read(b"data: " + junk)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, b"audio/mpeg"),
        ({"response_format": "wav"}, b"audio/wav"),
        ({"response_format": "odd"}, b"application/octet-stream"),
        ({"stream_format": "sse"}, b"text/event-stream; charset=utf-8"),
    ],
)
def test_the_content_type_is_the_formats(fields, kind):
    assert speech.content_type(True, fields) == kind
