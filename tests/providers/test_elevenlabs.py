"""ElevenLabs: its key's header, and voices by other names."""

from headgate.core.audio import SpeechRequest
from headgate.dialects import elevenlabs_speech, elevenlabs_transcripts, openai_audio
from headgate.providers.elevenlabs import ElevenLabs, ElevenLabsSettings
from providers.test_contract import Recorded, exchange

KEY = "el-0123456789abcdef"


async def spoken(voice, **settings):
    host = ElevenLabs("elevenlabs", ElevenLabsSettings(api_key=KEY, **settings))
    asked = exchange(host, elevenlabs_speech, stream=True)
    said = SpeechRequest(dialect="openai_speech", model="eleven_v3", input="Hello", voice=voice, format="wav")
    asked.outgoing = elevenlabs_speech.write_request(said, [])
    upstream = Recorded((b"content-type", b"audio/wav"))
    reply = await host.send(asked, upstream)
    assert reply.stream
    return upstream


async def test_where_it_is_asked():
    upstream = await spoken("21m00Tcm4TlvDq8ikWAM")
    lines = upstream.endpoint.head.decode().split("\r\n")
    assert lines[0] == "POST /v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/stream?output_format=wav_24000 HTTP/1.1"
    assert "host: api.elevenlabs.io" in lines
    assert f"xi-api-key: {KEY}" in lines
    assert upstream.passed == [(b"content-type", b"application/json")]


async def test_voices_have_other_names():
    upstream = await spoken("alloy", voices={"alloy": "21m00Tcm4TlvDq8ikWAM"})
    assert b"/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/stream?output_format=wav_24000 " in upstream.endpoint.head
    assert upstream.sent.data == b'{"text":"Hello","model_id":"eleven_v3"}'


def test_it_listens_too():
    host = ElevenLabs("elevenlabs", ElevenLabsSettings(api_key=KEY))
    assert host.dialect_for(openai_audio, "scribe_v2") is elevenlabs_transcripts
