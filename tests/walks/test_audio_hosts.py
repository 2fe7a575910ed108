"""Clients of OpenAI's audio API at hosts with APIs of their own, through a whole gateway and with OpenAI's SDK."""

import json

import openai
import pytest

from dialects.test_listening import ASSEMBLYAI, DEEPGRAM, ELEVENLABS
from gateways import KEY, running
from upstreams import LAST_CHUNK, Close, Sleep, as_chunk, chunked_head, json_reply
from walks.conftest import each, opened, settle

WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(range(256)) * 6000
KEYS = {"elevenlabs": "el-upstream-secret", "deepgram": "dg-upstream-secret", "assemblyai": "aai-upstream-secret"}


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
providers:
  openai: {{api_key: sk-upstream-openai-key, base_url: '{first.url}/openai/v1'}}
  elevenlabs: {{api_key: {KEYS["elevenlabs"]}, base_url: '{first.url}', voices: {{alloy: rachel-id}}}}
  deepgram: {{api_key: {KEYS["deepgram"]}, base_url: '{first.url}'}}
  assemblyai: {{api_key: {KEYS["assemblyai"]}, base_url: '{first.url}', poll: 0.05}}
models:
  listen: {{targets: [openai/gpt-4o-transcribe, deepgram/nova-3, assemblyai/universal-2, elevenlabs/scribe_v2]}}
  shaped:
    targets:
      - {{model: openai/gpt-4o-transcribe, set: {{temperature: 0.2}}, drop: [prompt]}}
      - model: deepgram/nova-3
        set: {{smart_format: false, keyterm: [a b, c]}}
        defaults: {{language: de}}
        drop: [detect_language]
      - {{model: assemblyai/universal-2, set: {{punctuate: false}}, drop: [language_detection]}}
      - {{model: elevenlabs/scribe_v2, set: {{diarize: true}}, defaults: {{num_speakers: 2}}, drop: [tag_audio_events]}}
keys:
  - {{name: test, key: {KEY}}}
"""
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        output = started.output()
        assert "Traceback" not in output
        assert not [key for key in KEYS.values() if key in output]


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = json_reply({})
    return first


async def listen(client, model, **fields):
    return await settle(
        client.audio.transcriptions.with_raw_response.create(model=model, file=("a.wav", WAV, "audio/wav"), **fields)
    )


async def test_deepgram_listens(openai_client, gateway, upstream):
    upstream.script = json_reply(DEEPGRAM)
    raw = await listen(openai_client, "deepgram/nova-3", response_format="verbose_json", language="en")
    said = raw.parse()
    assert (said.text, said.duration, said.segments[1].text) == ("Hello friend. Hi!", 3.2, "Hi!")
    [request] = upstream.requests
    assert request.path == "/v1/listen?model=nova-3&smart_format=true&language=en&utterances=true"
    assert (request.headers["authorization"], request.headers["content-type"]) == (
        f"Token {KEYS['deepgram']}",
        "audio/wav",
    )
    assert request.body == WAV
    record = gateway.record_of(raw.headers["x-request-id"])
    assert (record["target"], record["usage"]["units"]) == ("deepgram/nova-3", {"seconds": 3.2})
    assert "reply.confidence" in raw.headers["x-headgate-lost"]


async def test_assemblyai_listens(openai_client, gateway, upstream):
    upstream.script = [
        json_reply({"upload_url": "https://cdn.example/upload/1"}),
        json_reply({"id": "t1", "status": "queued"}),
        json_reply({"id": "t1", "status": "processing"}),
        json_reply(ASSEMBLYAI),
    ]
    raw = await listen(openai_client, "assemblyai/universal-2", response_format="diarized_json")
    said = json.loads(raw.content)
    assert [(each["speaker"], each["text"]) for each in said["segments"]] == [("A", "Hello friend."), ("B", "Hi!")]
    assert [(request.method, request.path) for request in upstream.requests] == [
        ("POST", "/v2/upload"), ("POST", "/v2/transcript"), ("GET", "/v2/transcript/t1"), ("GET", "/v2/transcript/t1"),
    ]  # fmt: skip
    assert upstream.requests[0].body == WAV
    assert json.loads(upstream.requests[1].body)["speaker_labels"] is True
    assert {request.headers["authorization"] for request in upstream.requests} == {KEYS["assemblyai"]}
    assert gateway.record_of(raw.headers["x-request-id"])["usage"]["units"] == {"seconds": 3.0}


async def test_elevenlabs_listens(openai_client, upstream):
    upstream.script = json_reply(ELEVENLABS)
    raw = await listen(openai_client, "elevenlabs/scribe_v2", response_format="srt")
    assert raw.content.startswith(b"1\n00:00:00,100 --> 00:00:01,000\nHello friend.\n\n2\n")
    [request] = upstream.requests
    assert (request.path, request.headers["xi-api-key"]) == ("/v1/speech-to-text", KEYS["elevenlabs"])
    assert b'name="model_id"\r\n\r\nscribe_v2\r\n' in request.body
    assert WAV in request.body


@pytest.mark.parametrize("model", ["deepgram/nova-3", "assemblyai/universal-2", "elevenlabs/scribe_v2"])
async def test_a_stream_is_made_of_an_answer_in_one_piece(openai_client, upstream, model):
    replies = {"deepgram": DEEPGRAM, "assemblyai": {**ASSEMBLYAI, "upload_url": "u"}, "elevenlabs": ELEVENLABS}
    upstream.script = json_reply(replies[model.split("/")[0]])
    stream = await settle(openai_client.audio.transcriptions.create(model=model, file=("a.wav", WAV), stream=True))
    events = [event async for event in each(stream)]
    assert [event.type.rpartition(".")[2] for event in events] == ["delta", "done"]
    assert events[-1].text == "Hello friend. Hi!"
    assert events[-1].usage.model_dump()["seconds"] > 2


async def test_the_same_file_goes_from_host_to_host(openai_client, upstream):
    busy = json_reply({"error": "busy"}, status=503)
    uploaded = json_reply({"upload_url": "u"})
    failed = json_reply({"id": "t", "status": "error", "error": "Server error, developers have been alerted."})
    upstream.script = [busy, busy, uploaded, failed, json_reply(ELEVENLABS)]
    raw = await listen(openai_client, "listen")
    assert raw.parse().text == "Hello friend. Hi!"
    assert raw.headers["x-headgate-model"] == "elevenlabs/scribe_v2"
    assert [request.path.partition("?")[0] for request in upstream.requests] == [
        "/openai/v1/audio/transcriptions", "/v1/listen", "/v2/upload", "/v2/transcript", "/v1/speech-to-text",
    ]  # fmt: skip
    assert [WAV in request.body for request in upstream.requests] == [True, True, True, False, True]


async def test_what_targets_say_otherwise_stands_in_forms_orders_and_queries(openai_client, upstream):
    busy = json_reply({"error": "busy"}, status=503)
    upstream.script = [busy, busy, json_reply({"upload_url": "u"}), busy, json_reply(ELEVENLABS)]
    await listen(openai_client, "shaped", prompt="A talk")
    own, query, _, order, form = upstream.requests
    assert b'name="temperature"\r\n\r\n0.2\r\n' in own.body
    assert b'name="prompt"' not in own.body
    assert query.path == "/v1/listen?model=nova-3&smart_format=false&language=de&keyterm=a+b&keyterm=c"
    assert query.body == WAV
    assert json.loads(order.body) == {"audio_url": "u", "speech_models": ["universal-2"], "punctuate": False}
    for name, value in (("diarize", "true"), ("num_speakers", "2"), ("model_id", "scribe_v2")):
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in form.body
    assert b"tag_audio_events" not in form.body
    assert WAV in own.body
    assert WAV in form.body


async def test_an_error_says_what_the_host_said(openai_client, upstream):
    upstream.script = json_reply({"err_code": "Bad Request", "err_msg": "corrupt or unsupported data"}, status=400)
    with pytest.raises(openai.BadRequestError, match="corrupt or unsupported data") as caught:
        await listen(openai_client, "deepgram/nova-3")
    assert caught.value.response.headers["x-headgate-error-origin"] == "provider"


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's word for its own method
async def test_who_cannot_translate_says_so(openai_client, upstream):
    with pytest.raises(openai.BadRequestError, match="does not translate"):
        await settle(openai_client.audio.translations.create(model="deepgram/nova-3", file=("a.wav", WAV)))
    assert not upstream.requests


async def test_elevenlabs_speaks(openai_client, gateway, upstream):
    upstream.script = (
        chunked_head(content_type="audio/mpeg"), as_chunk(b"one"), Sleep(0.5), as_chunk(b"two"), LAST_CHUNK,
    )  # fmt: skip
    manager = openai_client.audio.speech.with_streaming_response.create(
        model="elevenlabs/eleven_v3", voice="alloy", input="Hello there", instructions="Whisper", speed=1.1
    )
    async with opened(manager) as response:
        assert response.headers["content-type"] == "audio/mpeg"
        assert response.headers["x-headgate-lost"].startswith("instructions")
        pieces = [piece async for piece in each(response.iter_bytes())]
        record = gateway.record_of(response.headers["x-request-id"])
    assert pieces == [b"one", b"two"]
    [request] = upstream.requests
    assert request.path == "/v1/text-to-speech/rachel-id/stream?output_format=mp3_44100_128"
    assert json.loads(request.body) == {
        "text": "Hello there", "model_id": "eleven_v3", "voice_settings": {"speed": 1.1},
    }  # fmt: skip
    assert record["usage"]["units"] == {"characters": 11}


async def test_speech_in_events_is_made_of_speech_in_bytes(openai_client, upstream):
    upstream.script = (chunked_head(content_type="audio/pcm"), as_chunk(b"one"), LAST_CHUNK)
    raw = await settle(
        openai_client.audio.speech.with_raw_response.create(
            model="elevenlabs/eleven_v3", voice="v", input="Hi", response_format="pcm", stream_format="sse"
        )
    )
    events = [json.loads(line[6:]) for line in raw.content.decode().split("\n\n") if line]
    assert events[0] == {"type": "speech.audio.delta", "audio": "b25l"}
    assert events[-1]["type"] == "speech.audio.done"


async def test_speech_that_breaks_off_breaks_off(openai_client, gateway, upstream):
    upstream.script = (chunked_head(content_type="audio/mpeg"), as_chunk(b"half"), Sleep(0.1), Close())
    with pytest.raises(openai.APIError):
        await settle(openai_client.audio.speech.create(model="elevenlabs/eleven_v3", voice="v", input="Hello"))
    assert gateway.newest()["ending"] == "cut"
