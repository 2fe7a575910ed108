"""Deepgram's, AssemblyAI's and ElevenLabs' transcriptions: what is asked, and what is read of the answers."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.listening import DATA, everything, listened, sent
from headgate.core.audio import Segment, Word
from headgate.core.errors import GatewayError, ProviderNonsense, ProviderRefused, Unsupported
from headgate.core.events import Native, Result, Start, Stop, Used
from headgate.dialects import assemblyai, deepgram_listen, elevenlabs_transcripts, openai_audio, transcripts
from together import together

DIALECTS = [deepgram_listen, assemblyai, elevenlabs_transcripts]
DEEPGRAM = {
    "metadata": {
        "request_id": "a847f427-4ad5-4d67-9b95-db801e58251c", "created": "2026-01-05T18:57:31.155Z", "duration": 3.2,
        "channels": 1, "models": ["30089e05"], "sha256": "9a8b", "model_info": {},
    },
    "results": {
        "channels": [
            {
                "detected_language": "en",
                "language_confidence": 0.99,
                "alternatives": [
                    {
                        "transcript": "Hello friend. Hi!",
                        "confidence": 0.98,
                        "words": [
                            {"word": "hello", "start": 0.1, "end": 0.5, "confidence": 0.9, "punctuated_word": "Hello",
                             "speaker": 0, "speaker_confidence": 0.6},
                            {"word": "friend", "start": 0.6, "end": 1.0, "confidence": 0.9,
                             "punctuated_word": "friend.", "speaker": 0},
                            {"word": "hi", "start": 2.0, "end": 2.4, "confidence": 0.9, "punctuated_word": "Hi!",
                             "speaker": 1},
                        ],
                    }
                ],
            }
        ],
        "utterances": [
            {"start": 0.1, "end": 1.0, "confidence": 0.9, "channel": 0, "transcript": "Hello friend.", "speaker": 0,
             "words": [], "id": "1"},
            {"start": 2.0, "end": 2.4, "confidence": 0.9, "channel": 0, "transcript": "Hi!", "speaker": 1, "words": [],
             "id": "2"},
        ],
    },
}  # fmt: skip
ASSEMBLYAI = {
    "id": "9ea68fd3-f953-42c1-9742-976c447fb463", "status": "completed", "audio_url": "https://cdn.example/a",
    "text": "Hello friend. Hi!", "language_code": "en", "audio_duration": 3, "confidence": 0.98, "error": None,
    "words": [
        {"text": "Hello", "start": 100, "end": 500, "confidence": 0.9, "speaker": "A"},
        {"text": "friend.", "start": 600, "end": 1000, "confidence": 0.9, "speaker": "A"},
        {"text": "Hi!", "start": 2000, "end": 2400, "confidence": 0.9, "speaker": "B"},
    ],
    "utterances": [
        {"text": "Hello friend.", "start": 100, "end": 1000, "confidence": 0.9, "speaker": "A", "words": []},
        {"text": "Hi!", "start": 2000, "end": 2400, "confidence": 0.9, "speaker": "B", "words": []},
    ],
}  # fmt: skip
ELEVENLABS = {
    "language_code": "en", "language_probability": 0.98, "text": "Hello friend. Hi!", "audio_duration_secs": 3.2,
    "transcription_id": "t1",
    "words": [
        {"text": "Hello", "start": 0.1, "end": 0.5, "type": "word", "speaker_id": "speaker_0", "logprob": 0},
        {"text": " ", "start": 0.5, "end": 0.6, "type": "spacing", "speaker_id": "speaker_0", "logprob": 0},
        {"text": "friend.", "start": 0.6, "end": 1.0, "type": "word", "speaker_id": "speaker_0", "logprob": 0},
        {"text": " ", "start": 1.0, "end": 2.0, "type": "spacing", "speaker_id": "speaker_0", "logprob": 0},
        {"text": "Hi!", "start": 2.0, "end": 2.4, "type": "word", "speaker_id": "speaker_1", "logprob": 0},
    ],
}  # fmt: skip
REPLIES = [
    pytest.param(deepgram_listen, DEEPGRAM, 3.2, id="deepgram"),
    pytest.param(assemblyai, ASSEMBLYAI, 3.0, id="assemblyai"),
    pytest.param(elevenlabs_transcripts, ELEVENLABS, 3.2, id="elevenlabs"),
]


def query(request, lost=None):
    body = deepgram_listen.write_request(request, [] if lost is None else lost)
    url = urlsplit(body.path)
    assert url.path == "/v1/listen"
    return parse_qsl(url.query)


async def test_deepgram_is_sent_the_file_and_told_the_rest_in_the_query():
    lost = []
    body = deepgram_listen.write_request(listened(model="nova-3"), lost)
    assert (await sent(body), body.content_type, body.length) == (DATA, b"audio/wav", len(DATA))
    assert query(listened(model="nova-3")) == [
        ("model", "nova-3"), ("smart_format", "true"), ("detect_language", "true"),
    ]  # fmt: skip
    assert lost == []


def test_deepgram_is_told_everything():
    lost = []
    assert query(everything(), lost) == [
        ("model", "m"), ("smart_format", "true"), ("language", "en"), ("keywords", "Headgate"),
        ("keywords", "two words"), ("utterances", "true"), ("diarize", "true"),
    ]  # fmt: skip
    assert sorted(loss.path for loss in lost) == ["include", "languages", "prompt", "temperature"]
    asked = query(listened(model="nova-3-medical", languages=["en", "de"], keywords=["a&b"], format="srt"))
    assert asked[2:] == [
        ("detect_language", "en"), ("detect_language", "de"), ("keyterm", "a&b"), ("utterances", "true"),
    ]  # fmt: skip


async def test_assemblyai_is_told_everything():
    lost = []
    order = assemblyai.write_request(everything(), lost)
    assert json.loads(order.of("https://cdn.example/upload/1").data) == {
        "audio_url": "https://cdn.example/upload/1", "speech_models": ["m"], "language_code": "en",
        "keyterms_prompt": ["Headgate", "two words"], "speaker_labels": True,
    }  # fmt: skip
    assert await sent(order.file) == DATA
    assert sorted(loss.path for loss in lost) == ["include", "languages", "prompt", "temperature"]


def test_assemblyais_newer_models_take_a_prompt():
    lost = []
    order = assemblyai.write_request(
        listened(model="universal-3-pro", prompt="A talk", temperature=0.5, languages=["en", "de"]), lost
    )
    assert json.loads(order.data) == {
        "speech_models": ["universal-3-pro"], "prompt": "A talk", "temperature": 0.5, "language_detection": True,
        "language_detection_options": {"expected_languages": ["en", "de"]},
    }  # fmt: skip
    assert lost == []
    order = assemblyai.write_request(listened(model="universal-3-pro", prompt="A talk", keywords=["x"]), lost)
    assert "prompt" not in json.loads(order.data)
    assert [loss.path for loss in lost] == ["prompt"]


async def test_elevenlabs_is_told_everything():
    lost = []
    body = elevenlabs_transcripts.write_request(everything(), lost)
    data = await sent(body)
    boundary = body.content_type.partition(b"boundary=")[2]
    parts = [part.partition(b"\r\n\r\n") for part in data.split(b"--" + boundary)[1:-1]]
    fields = [(head.split(b'name="')[1].split(b'"')[0].decode(), text[:-2].decode()) for head, _, text in parts]
    assert fields == [
        ("model_id", "m"), ("language_code", "en"), ("temperature", "0.5"), ("timestamps_granularity", "word"),
        ("tag_audio_events", "false"), ("diarize", "true"), ("secondary_language_codes", "en"),
        ("secondary_language_codes", "de"), ("keyterms", "Headgate"), ("keyterms", "two words"),
        ("file", DATA.decode()),
    ]  # fmt: skip
    assert sorted(loss.path for loss in lost) == ["include", "prompt"]
    assert body.length == len(data)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_translation_is_refused(dialect):
    with pytest.raises(Unsupported, match="translate"):
        dialect.write_request(listened(translate=True), [])


@pytest.mark.parametrize(("dialect", "reply", "seconds"), REPLIES)
def test_what_was_said(dialect, reply, seconds):
    events = read(dialect, json.dumps(reply).encode())
    assert isinstance(events[0], Start)
    assert events[0].id in (reply.get("id"), reply.get("transcription_id"), DEEPGRAM["metadata"]["request_id"])
    assert events[-1] == Stop(reason="stop")
    [said] = [event.value for event in events if isinstance(event, Result)]
    assert (said.text, said.language, said.duration) == ("Hello friend. Hi!", "en", seconds)
    assert said.words == [
        Word(text="Hello", start=0.1, end=0.5, speaker="A"),
        Word(text="friend.", start=0.6, end=1.0, speaker="A"),
        Word(text="Hi!", start=2.0, end=2.4, speaker="B"),
    ]
    segments = said.segments or transcripts.grouped(said.words)
    assert segments == [
        Segment(text="Hello friend.", start=0.1, end=1.0, speaker="A"),
        Segment(text="Hi!", start=2.0, end=2.4, speaker="B"),
    ]
    [used] = [event.usage for event in events if isinstance(event, Used)]
    assert used.units == {"seconds": seconds}
    assert len([event for event in events if isinstance(event, Native)]) == 1


@together(("dialect", "reply", "seconds"), REPLIES)
@together(
    ("fields", "begins"),
    [
        ({}, b'{"text":"Hello friend. Hi!","usage":{"type":"duration","seconds":3'),
        ({"response_format": "text"}, b"Hello friend. Hi!\n"),
        ({"response_format": "srt"}, b"1\n00:00:00,100 --> 00:00:01,000\nHello friend.\n\n2\n"),
        ({"response_format": "vtt"}, b"WEBVTT\n\n00:00:00.100 --> 00:00:01.000\nHello friend.\n\n"),
    ],
)
def test_it_reaches_clients_of_openais_api_in_every_format(dialect, reply, seconds, fields, begins):
    lost = []
    writer = openai_audio.writer(False, fields, lost)
    whole = writer.feed(read(dialect, json.dumps(reply).encode())) + writer.end()
    assert whole.startswith(begins)
    assert [loss.path for loss in lost] in (["reply.confidence"], ["reply.language_probability"])


@pytest.mark.parametrize(("dialect", "reply", "seconds"), REPLIES)
@given(data=st.data())
def test_any_split_gives_the_same(dialect, reply, seconds, data):
    body = json.dumps(reply).encode()
    at = data.draw(st.integers(0, len(body)))
    assert read(dialect, body[:at], body[at:]) == read(dialect, body)


@pytest.mark.parametrize(("dialect", "reply", "seconds"), REPLIES)
@given(data=st.data())
def test_what_is_cut_short_is_no_transcript(dialect, reply, seconds, data):
    body = json.dumps(reply).encode()
    with pytest.raises(ProviderNonsense):
        read(dialect, body[: data.draw(st.integers(0, len(body) - 1))])


@pytest.mark.parametrize("dialect", DIALECTS)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: (
            st.lists(each)
            | st.dictionaries(st.sampled_from(["text", "results", "channels", "alternatives", "status", "words"]), each)
        ),
    )
)
def test_nonsense_raises_nothing_else(dialect, value):  # fmt: skip
    with pytest.raises(GatewayError):
        read(dialect, json.dumps({"results": value, "words": value, "status": value}).encode())


@pytest.mark.parametrize(
    ("why", "status"),
    [
        ("Transcoding failed. File does not appear to contain audio.", 400),
        ("Server error, developers have been alerted.", 502),
        (None, 400),
    ],
)
def test_a_transcript_that_failed(why, status):
    with pytest.raises(ProviderRefused) as caught:
        read(assemblyai, json.dumps({"id": "t", "status": "error", "error": why}).encode())
    assert (caught.value.status, caught.value.retryable) == (status, status == 502)
    assert caught.value.message == (why or "the transcription failed")


@pytest.mark.parametrize(
    ("dialect", "body", "message", "kind"),
    [
        (deepgram_listen, {"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials.", "request_id": "u"},
         "Invalid credentials.", "INVALID_AUTH"),
        (deepgram_listen, {"category": "INVALID_JSON", "message": "Bad body.", "details": "At 1.", "request_id": "u"},
         "Bad body. At 1.", "INVALID_JSON"),
        (deepgram_listen, ["odd"], "odd", None),
        (assemblyai, {"error": "Authentication error, API token missing/invalid"},
         "Authentication error, API token missing/invalid", None),
        (elevenlabs_transcripts, {"detail": {"status": "invalid_api_key", "message": "Invalid API key"}},
         "Invalid API key", None),
    ],
)  # fmt: skip
def test_errors(dialect, body, message, kind):
    error = dialect.read_error(401, json.dumps(body).encode())
    assert (error.status, error.kind) == (401, kind)
    assert error.message == message or body == ["odd"]
    assert dialect.read_error(502, b"<html>").status == 502


def test_speakers_have_letters():
    assert [transcripts.speaker(number) for number in (0, 1, 25, 26, 701, 702)] == ["A", "B", "Z", "AA", "ZZ", "AAA"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_clients_do_not_speak_it(dialect):
    assert dialect.paths == ()
    for call in (dialect.writer, dialect.relay):
        with pytest.raises(Unsupported):
            call(False, {}, []) if call is dialect.writer else call(False, {})
    with pytest.raises(Unsupported):
        dialect.read_request({"model": "m"})


def read(dialect, *pieces):
    reader = dialect.reader(False)
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()
