"""Speech and transcription through a whole gateway, with OpenAI's SDK: to hosts of its API, and to the simulator."""

import gzip
import hashlib
import http.client
import io
import json
import wave

import openai
import pytest

from gateways import KEY, free_port, running
from upstreams import LAST_CHUNK, Close, Sleep, as_chunk, chunked_head, json_reply, reply, sse_event
from walks.conftest import each, opened, settle

WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(range(256)) * 40
DELTAS = [
    {"type": "transcript.text.delta", "delta": "Hello"},
    {"type": "transcript.text.delta", "delta": " friend."},
    {"type": "transcript.text.done", "text": "Hello friend.", "usage": {
        "type": "tokens", "input_tokens": 26, "output_tokens": 4, "total_tokens": 30,
        "input_token_details": {"text_tokens": 5, "audio_tokens": 21},
    }},
]  # fmt: skip


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}, max_body_bytes: 67108864}}
data_dir: {{DATA}}
retry: {{attempts: 4, backoff: 0.01}}
breaker: {{enabled: false}}
providers:
  openai: {{api_key: sk-upstream-openai-key, base_url: '{first.url}/v1', timeouts: {{first_byte: 5, idle: 5}}}}
  dead: {{kind: openai, api_key: sk-dead-key-0123456, base_url: 'http://127.0.0.1:{free_port()}/v1'}}
  simulator: {{}}
models:
  listen: openai/gpt-4o-transcribe
  speak: openai/gpt-4o-mini-tts
  listen-spare: {{targets: [dead/whisper-1, openai/gpt-4o-transcribe]}}
keys:
  - {{name: test, key: {KEY}}}
"""
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = json_reply({"text": "Hello friend.", "usage": {"type": "duration", "seconds": 2}})
    return first


def record_of(gateway, raw):
    return gateway.record_of(raw.headers["x-request-id"])


async def test_a_transcription_arrives_as_the_sdk_sent_it(openai_client, gateway, upstream):
    raw = await settle(
        openai_client.audio.transcriptions.with_raw_response.create(
            model="listen", file=("hello there.wav", WAV, "audio/wav"), language="en", temperature=0.5,
            timestamp_granularities=["word", "segment"], extra_body={"new_field": "kept"},
        )
    )  # fmt: skip
    assert raw.parse().text == "Hello friend."
    [request] = upstream.requests
    kind = request.headers["content-type"]
    boundary = kind.partition("boundary=")[2].encode()
    assert (request.path, kind.partition(";")[0]) == ("/v1/audio/transcriptions", "multipart/form-data")
    assert request.body.startswith(b"--" + boundary + b"\r\n")
    assert request.body.endswith(b"--" + boundary + b"--\r\n")
    assert int(request.headers["content-length"]) == len(request.body)
    assert b'name="model"\r\n\r\ngpt-4o-transcribe\r\n' in request.body
    assert WAV in request.body
    for said in (b'name="new_field"\r\n\r\nkept', b'filename="hello there.wav"', b'name="timestamp_granularities[]"'):
        assert said in request.body
    found = record_of(gateway, raw)
    assert (found["model"], found["target"], found["dialect"]) == ("listen", "openai/gpt-4o-transcribe", "openai_audio")
    assert found["usage"]["units"] == {"seconds": 2.0}
    assert found["bytes_in"] > len(WAV)


async def test_every_format_comes_back_as_it_is(openai_client, upstream):
    for shape, body, kind in [
        ("srt", b"1\n00:00:00,000 --> 00:00:01,000\nHello\n\n", "text/plain; charset=utf-8"),
        ("text", b"Hello\n", "text/plain; charset=utf-8"),
        ("vtt", b"WEBVTT\n\n", "text/vtt"),
    ]:
        upstream.script = reply(body, content_type=kind)
        raw = await settle(
            openai_client.audio.transcriptions.with_raw_response.create(
                model="listen", file=("a.wav", WAV), response_format=shape
            )
        )
        assert (raw.content, raw.headers["content-type"]) == (body, kind)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's word for its own method
async def test_a_translation_goes_to_its_own_path(openai_client, upstream):
    said = await settle(openai_client.audio.translations.create(model="openai/whisper-1", file=("a.wav", WAV)))
    assert said.text == "Hello friend."
    assert upstream.requests[0].path == "/v1/audio/translations"
    assert b'name="model"\r\n\r\nwhisper-1\r\n' in upstream.requests[0].body


async def test_a_streamed_transcription(openai_client, gateway, upstream):
    upstream.script = (chunked_head(), *(as_chunk(sse_event(event)) for event in DELTAS), LAST_CHUNK)
    stream = await settle(openai_client.audio.transcriptions.create(model="listen", file=("a.wav", WAV), stream=True))
    events = [event async for event in each(stream)]
    assert [event.type.rpartition(".")[2] for event in events] == ["delta", "delta", "done"]
    assert events[-1].usage.total_tokens == 30
    assert b'name="stream"\r\n\r\ntrue' in upstream.requests[0].body
    found = gateway.newest()
    assert (found["stream"], found["usage"]["input_audio"], found["usage"]["output"]) == (True, 21, 4)


async def test_a_host_that_does_not_stream_is_bridged(openai_client, upstream):
    """whisper-1 answers in one piece, whatever is asked."""
    stream = await settle(openai_client.audio.transcriptions.create(model="listen", file=("a.wav", WAV), stream=True))
    events = [event async for event in each(stream)]
    assert [event.type.rpartition(".")[2] for event in events] == ["delta", "done"]
    assert events[-1].text == "Hello friend."


async def test_another_target_is_sent_the_same_file(openai_client, gateway, upstream):
    upstream.script = [json_reply({"error": {"message": "busy"}}, status=503), upstream.script]
    raw = await settle(
        openai_client.audio.transcriptions.with_raw_response.create(model="listen-spare", file=("a.wav", WAV * 200))
    )
    assert raw.headers["x-headgate-attempts"] == "4"
    bodies = [request.body for request in upstream.requests]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert WAV * 200 in bodies[0]


async def test_a_providers_error_is_the_clients(openai_client, upstream):
    upstream.script = json_reply({"error": {"message": "Audio file is too short.", "type": "invalid_request_error",
                                            "param": "file", "code": "audio_too_short"}}, status=400)  # fmt: skip
    with pytest.raises(openai.BadRequestError) as caught:
        await settle(openai_client.audio.transcriptions.create(model="listen", file=("a.wav", WAV)))
    assert caught.value.code == "audio_too_short"
    assert caught.value.response.headers["x-headgate-error-origin"] == "provider"


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_speech_comes_as_it_comes(openai_client, gateway, upstream, size):
    audio = bytes(range(256)) * (size // 256 + 1)
    upstream.script = (chunked_head(content_type="audio/mpeg"), as_chunk(audio), LAST_CHUNK)
    raw = await settle(
        openai_client.audio.speech.with_raw_response.create(model="speak", voice="alloy", input="Hello there")
    )
    assert (raw.content, raw.headers["content-type"]) == (audio, "audio/mpeg")
    assert json.loads(upstream.requests[0].body) == {
        "model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello there",
    }  # fmt: skip
    found = record_of(gateway, raw)
    assert (found["usage"]["units"], found["bytes_out"]) == ({"characters": 11}, len(audio))


async def test_speech_is_heard_before_it_is_over(openai_client, upstream):
    upstream.script = (
        chunked_head(content_type="audio/mpeg"),
        as_chunk(b"one"),
        Sleep(0.8),
        as_chunk(b"two"),
        LAST_CHUNK,
    )
    manager = openai_client.audio.speech.with_streaming_response.create(model="speak", voice="alloy", input="Hello")
    async with opened(manager) as response:
        pieces = [piece async for piece in each(response.iter_bytes())]
    assert pieces == [b"one", b"two"]


def test_speech_that_breaks_off_breaks_off(gateway, upstream):
    """No error can be said inside audio, so it must not look complete."""
    upstream.script = (chunked_head(content_type="audio/mpeg"), as_chunk(b"half"), Sleep(0.1), Close())
    body = json.dumps({"model": "speak", "voice": "alloy", "input": "Hello"})
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    connection.request("POST", "/v1/audio/speech", body, headers)
    response = connection.getresponse()
    with pytest.raises((http.client.HTTPException, OSError)):
        response.read()
    response.close()
    connection.close()
    found = gateway.record_of(response.getheader("x-request-id"))
    assert (found["ending"], found["error"]) == ("cut", "provider_cut")


async def test_the_simulator_speaks_and_listens(openai_client):
    first, again = [
        await settle(openai_client.audio.speech.create(model="simulator/tts", voice="any", input="one two three"))
        for _ in range(2)
    ]
    assert first.content == again.content
    with wave.open(io.BytesIO(first.content)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getnframes()) == (1, 24_000, 3 * 1920)
    said = await settle(openai_client.audio.transcriptions.create(model="simulator/stt", file=("a.wav", first.content)))
    assert str(len(first.content)) in said.text
    assert hashlib.sha256(first.content).hexdigest()[:8] in said.text
    stream = await settle(
        openai_client.audio.transcriptions.create(model="simulator/stt", file=("a.wav", first.content), stream=True)
    )
    events = [event async for event in each(stream)]
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == said.text
    verbose = await settle(
        openai_client.audio.transcriptions.create(
            model="simulator/stt", file=("a.wav", first.content), response_format="verbose_json"
        )
    )
    assert verbose.segments[-1].end == verbose.duration - 0.1
    srt = await settle(
        openai_client.audio.transcriptions.create(
            model="simulator/stt", file=("a.wav", first.content), response_format="srt"
        )
    )
    assert str(srt).startswith("1\n00:00:00,000 --> ")


def form(*parts, boundary="XX"):
    body = b"".join(b"--XX\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--XX--\r\n"
    return body, {"content-type": f"multipart/form-data; boundary={boundary}", "authorization": f"Bearer {KEY}"}


MODEL = b'name="model"\r\n\r\nlisten'


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([MODEL], 200, None),
        ([MODEL, b'name="model"\r\n\r\nopenai/other'], 400, "invalid_request"),
        ([b'name="file"; filename="a"\r\n\r\nx'], 400, "invalid_request"),
        ([b'name="model"\r\n\r\nno-such-model'], 404, "model_not_found"),
        ([MODEL, b'name="prompt"\r\n\r\n' + b"x" * (1 << 21)], 413, "request_too_large"),
        ([MODEL, b'name="stream"\r\n\r\nperhaps'], 400, "invalid_request"),
    ],
)
def test_forms_are_read_before_anybody_is_asked(gateway, upstream, parts, status, code):
    body, headers = form(*parts)
    got, answer, _ = gateway.request("POST", "/v1/audio/transcriptions", body, headers)
    assert (got, answer.get("x-headgate-error-code")) == (status, code)
    assert bool(upstream.requests) is (status == 200)


def test_a_form_is_refused_at_once_without_a_key(gateway, upstream):
    body, headers = form(MODEL)
    got, _, _ = gateway.request("POST", "/v1/audio/transcriptions", body, {**headers, "authorization": "Bearer no"})
    assert got == 401
    got, answer, _ = gateway.request("POST", "/v1/audio/transcriptions", b"{}", {"authorization": f"Bearer {KEY}"})
    assert (got, answer["x-headgate-error-code"]) == (415, "unsupported_media_type")


def test_a_compressed_form_is_undone(gateway, upstream):
    body, headers = form(MODEL, b'name="file"; filename="a"\r\n\r\nx')
    got, _, _ = gateway.request(
        "POST", "/v1/audio/transcriptions", gzip.compress(body), {**headers, "content-encoding": "gzip"}
    )
    assert got == 200
    assert upstream.requests[0].body == body.replace(b"listen", b"gpt-4o-transcribe")
    assert "content-encoding" not in upstream.requests[0].headers


def test_fifty_megabytes_take_little_memory(gateway, upstream):
    """Kept in a file without a name, and sent from it."""
    start = b"--XX\r\nContent-Disposition: form-data; " + MODEL + b"\r\n--XX\r\n"
    start += b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    size, piece = 50 << 20, bytes(1 << 20)
    end = b"\r\n--XX--\r\n"
    _, headers = form()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    gateway.request("POST", "/v1/audio/transcriptions", *form(MODEL))  # what is made once has been made
    before = gateway.memory()
    gateway.forget_peak()
    headers["content-length"] = str(len(start) + size + len(end))
    connection.request("POST", "/v1/audio/transcriptions", iter([start, *[piece] * 50, end]), headers)
    response = connection.getresponse()
    assert json.loads(response.read())["text"] == "Hello friend."
    connection.close()
    assert gateway.memory("VmHWM") - before < 12 << 20
    assert len(upstream.requests[-1].body) == len(start) + size + len(end) + len("gpt-4o-transcribe") - len("listen")
    assert not [path for path in gateway.data.iterdir() if path.is_file() and path.stat().st_size > 1 << 20]
    record = gateway.record_of(response.getheader("x-request-id"))
    assert record["bytes_in"] == len(start) + size + len(end)
