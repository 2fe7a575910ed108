"""ElevenLabs' speech: https://elevenlabs.io/docs/api-reference/text-to-speech/stream."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.audio import SpeechRequest
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.core.events import Audio, Start, Stop
from headgate.dialects import elevenlabs_speech as dialect


def said(**changes):
    fields = {"dialect": "openai_speech", "model": "eleven_v3", "input": "Hello", "voice": "21m00Tcm4TlvDq8ikWAM"}
    return SpeechRequest(**fields | changes)


def test_the_voice_and_the_format_stand_in_the_address():
    lost = []
    body = dialect.write_request(said(format="pcm", speed=1.1), lost)
    assert body.path == "/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/stream?output_format=pcm_24000"
    assert body.content_type == b"application/json"
    assert json.loads(body.data) == {"text": "Hello", "model_id": "eleven_v3", "voice_settings": {"speed": 1.1}}
    assert lost == []


@pytest.mark.parametrize(
    ("shape", "theirs"),
    [(None, "mp3_44100_128"), ("mp3", "mp3_44100_128"), ("opus", "opus_48000_64"), ("wav", "wav_24000")],
)
def test_formats(shape, theirs):
    assert dialect.write_request(said(format=shape), []).path.endswith(f"?output_format={theirs}")


def test_what_cannot_be_said_is_named_or_refused():
    lost = []
    dialect.write_request(said(instructions="Whisper", native={"user": "u"}), lost)
    assert [loss.path for loss in lost] == ["instructions", "user"]
    for shape in ("aac", "flac"):
        with pytest.raises(Unsupported) as caught:
            dialect.write_request(said(format=shape), [])
        assert caught.value.param == "response_format"


@pytest.mark.parametrize("voice", ["", ".", ".."])
def test_a_voice_that_would_be_another_place(voice):
    with pytest.raises(InvalidRequest) as caught:
        dialect.write_request(said(voice=voice), [])
    assert caught.value.param == "voice"


def test_a_voice_stays_one_segment():
    path = dialect.write_request(said(voice="../v1/user?x=#y"), []).path
    assert path == "/v1/text-to-speech/..%2Fv1%2Fuser%3Fx%3D%23y/stream?output_format=mp3_44100_128"


@given(st.lists(st.binary(max_size=20)))
def test_any_split_gives_the_same_audio(pieces):
    reader = dialect.reader(True)
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.end()
    assert b"".join(event.data for event in events if isinstance(event, Audio)) == b"".join(pieces)
    assert isinstance(events[0], Start) == any(pieces)
    assert events[-1] == Stop(reason="stop" if any(pieces) else "cut")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"detail": {"status": "invalid_api_key", "message": "Invalid API key"}}, "Invalid API key"),
        ({"detail": {"type": "validation_error", "code": "bad", "message": "No such voice"}}, "No such voice"),
        ({"detail": [{"loc": ["body", "text"], "msg": "Field required", "type": "missing"}]}, "text: Field required"),
    ],
)
def test_errors(body, message):
    error = dialect.read_error(422, json.dumps(body).encode())
    assert error.status == 422
    assert message in error.message


def test_clients_do_not_speak_it():
    for call in (
        lambda: dialect.read_request({}),
        lambda: dialect.writer(True, {}, []),
        lambda: dialect.relay(True, {}),
    ):
        with pytest.raises(Unsupported):
            call()
