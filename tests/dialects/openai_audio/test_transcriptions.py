"""OpenAI's transcriptions and translations: what is asked, what comes back, in every format it has."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.audio import TranscriptionDiarized, TranscriptionStreamEvent, TranscriptionVerbose
from openai.types.audio.transcription import Transcription
from pydantic import TypeAdapter

from headgate.core.audio import Segment, Transcript, Word
from headgate.core.errors import GatewayError, InvalidRequest, ProviderNonsense, ProviderRefused, Unsupported
from headgate.core.events import Failed, Native, Result, Start, Stop, Text, Used
from headgate.core.form import File
from headgate.core.usage import Usage
from headgate.dialects import openai_audio
from headgate.dialects.multipart import Parser
from headgate.dialects.openai_audio import translations
from headgate.dialects.openai_audio.writing import subtitles
from together import together


class Kept:
    def __init__(self, data):
        self.data, self.size = data, len(data)

    def read(self, start, end):
        return self.data[start:end]


FILE = File(Kept(b"RIFF....WAVE"), 0, 12, 'a "b".wav', "audio/wav")
FIELDS = {
    "model": "gpt-4o-transcribe",
    "file": FILE,
    "language": "en",
    "prompt": "Umm, let me think",
    "temperature": "0.2",
    "response_format": "verbose_json",
    "timestamp_granularities": ["word", "segment"],
    "include": ["logprobs"],
    "chunking_strategy": "auto",
    "known_speaker_names": ["agent"],
    "stream": True,
}
TOKENS = {
    "type": "tokens",
    "input_tokens": 26,
    "input_token_details": {"text_tokens": 5, "audio_tokens": 21},
    "output_tokens": 4,
    "total_tokens": 30,
}
WHOLE = {"text": "Hello friend.", "usage": TOKENS}
VERBOSE = {
    "task": "transcribe",
    "language": "english",
    "duration": 2.5,
    "text": "Hello friend.",
    "segments": [
        {"id": 0, "seek": 0, "start": 0.0, "end": 2.5, "text": " Hello friend.", "tokens": [1, 2], "temperature": 0.0,
         "avg_logprob": -0.2, "compression_ratio": 0.8, "no_speech_prob": 0.01},
    ],
    "words": [{"word": "Hello", "start": 0.0, "end": 0.6}, {"word": "friend", "start": 0.7, "end": 1.4}],
    "usage": {"type": "duration", "seconds": 3},
}  # fmt: skip
DIARIZED = {
    "task": "transcribe",
    "duration": 3.7,
    "text": "Hello. Hi!",
    "segments": [
        {"type": "transcript.text.segment", "id": "seg_0", "start": 0.0, "end": 1.5, "text": "Hello.", "speaker": "A"},
        {"type": "transcript.text.segment", "id": "seg_1", "start": 1.5, "end": 3.1, "text": "Hi!", "speaker": "B"},
    ],
    "usage": TOKENS,
}
STREAM = [
    {"type": "transcript.text.delta", "delta": "Hello"},
    {"type": "transcript.text.delta", "delta": " friend.", "logprobs": [{"token": "x", "logprob": -1, "bytes": [1]}]},
    {"type": "transcript.text.done", "text": "Hello friend.", "usage": TOKENS},
]


def frames(events, end="\n\n"):
    return b"".join(b"data: " + json.dumps(event).encode() + end.encode() for event in events)


def read(data, stream, cuts=()):
    reader = openai_audio.reader(stream)
    found = []
    at = 0
    for cut in (*sorted(cut for cut in cuts if cut < len(data)), len(data)):
        found += reader.feed(data[at:cut])
        at = cut
    return found + reader.end()


def relayed(data, stream, cuts=(), **request):
    relay = openai_audio.relay(stream, request)
    found = b""
    at = 0
    for cut in (*sorted(cut for cut in cuts if cut < len(data)), len(data)):
        found += relay.feed(data[at:cut])
        at = cut
    return found + relay.end(), relay


def written(events, stream, **request):
    lost = []
    writer = openai_audio.writer(stream, request, lost)
    return writer.feed(events) + writer.end(), lost


def values(events, kind):
    return [event for event in events if isinstance(event, kind)]


class TestRequests:
    def test_every_field_is_read(self):
        request = openai_audio.read_request(FIELDS)
        assert (request.language, request.prompt, request.temperature) == ("en", "Umm, let me think", 0.2)
        assert (request.format, request.granularities, request.stream) == ("verbose_json", ["word", "segment"], True)
        assert request.file is FILE
        assert request.native == {
            "include": ["logprobs"], "chunking_strategy": "auto", "known_speaker_names": ["agent"],
        }  # fmt: skip

    async def test_what_is_written_anew_says_the_same(self):
        lost = []
        body = openai_audio.write_request(openai_audio.read_request(FIELDS), lost)
        data = b"".join([piece async for piece in body.pieces()])
        assert len(data) == body.length
        parser = Parser(body.content_type.partition(b"boundary=")[2])
        parser.feed(data)
        said = {}
        for part in parser.end():
            said.setdefault(part.name, []).append(part.text)
        assert said == {
            "model": ["gpt-4o-transcribe"], "file": [None], "language": ["en"], "prompt": ["Umm, let me think"],
            "temperature": ["0.2"], "response_format": ["verbose_json"], "include[]": ["logprobs"],
            "timestamp_granularities[]": ["word", "segment"], "chunking_strategy": ["auto"],
            "known_speaker_names[]": ["agent"], "stream": ["true"],
        }  # fmt: skip
        [file] = [part for part in parser.parts if part.name == "file"]
        assert (data[file.start : file.end], file.content_type, file.filename) == (
            b"RIFF....WAVE", "audio/wav", "a %22b%22.wav",
        )  # fmt: skip
        assert lost == []

    @together(
        ("change", "param"),
        [
            ({"file": "text"}, "file"),
            ({"file": [FILE, FILE]}, "file"),
            ({"response_format": "docx"}, "response_format"),
            ({"response_format": FILE}, "response_format"),
            ({"temperature": "warm"}, "temperature"),
            ({"temperature": "nan"}, "temperature"),
            ({"language": ["en"]}, "language"),
            ({"timestamp_granularities": [FILE]}, "timestamp_granularities"),
        ],
    )
    def test_a_wrong_field_is_named(self, change, param):
        with pytest.raises(InvalidRequest) as caught:
            openai_audio.read_request({**FIELDS, **change})
        assert caught.value.param == param

    def test_a_translation_is_not_a_transcription(self):
        request = translations.read_request({"model": "whisper-1", "file": FILE})
        assert request.translate
        with pytest.raises(Unsupported, match="does not translate"):
            openai_audio.write_request(request, [])
        with pytest.raises(InvalidRequest):
            translations.write_request(openai_audio.read_request({"model": "m", "file": FILE}), [])


class TestWhole:
    @pytest.mark.parametrize("reply", [WHOLE, VERBOSE, DIARIZED, {"text": "Hi", "new_field": [1]}])
    def test_it_passes_as_it_came(self, reply):
        body = json.dumps(reply, indent=1).encode()
        passed, relay = relayed(body, False)
        assert passed == body
        assert relay.complete
        read_usage = [event.usage for event in read(body, False) if isinstance(event, Used)]
        assert [relay.usage] == (read_usage or [None])

    @together("shape", ["text", "srt", "vtt"])
    @together("body", [b"Hello friend.\n", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n", b'{"not json', b""])
    def test_plain_text_passes_where_it_was_asked_for(self, shape, body):
        passed, relay = relayed(body, False, response_format=shape)
        assert (passed, relay.complete) == (body, True)

    @together("body", [b"Hello", b"", b"<html>no</html>", b"{}", b'{"text":1}', b"[]", b'{"text"', b"\xff"])
    def test_what_is_no_transcript_is_told(self, body):
        with pytest.raises(ProviderNonsense):
            relayed(body, False)
        if not body or body[:1] in (b"{", b"<"):
            with pytest.raises(ProviderNonsense):
                relayed(b"<html>", False, response_format="text")

    def test_an_error_with_status_200_is_an_error(self):
        with pytest.raises(ProviderRefused, match="no audio"):
            relayed(b'{"error":{"message":"no audio"}}', False)

    @together(
        ("fields", "usage"),
        [
            ({"usage": TOKENS}, Usage(input=5, input_audio=21, output=4, reported=TOKENS)),
            ({"usage": {"type": "duration", "seconds": 7}}, {"seconds": 7.0}),
            ({"duration": 2.5}, {"seconds": 2.5}),
            ({"usage": {"prompt_audio_seconds": 3, "prompt_tokens": 4, "completion_tokens": 11, "total_tokens": 390,
                        "prompt_tokens_details": {"audio_tokens": 375}}}, (4, 375, 11, {"seconds": 3.0})),
            ({"usage": {"input_tokens": 37, "output_tokens": 12, "total_tokens": 49}}, (37, 0, 12, {})),
            ({"usage": {"input_tokens": -1, "seconds": "x", "output_tokens": 1e400}}, (0, 0, 0, {})),
            ({"usage": "none"}, None),
            ({}, None),
        ],
    )  # fmt: skip
    def test_usage_is_by_tokens_or_by_seconds(self, fields, usage):
        _, relay = relayed(json.dumps({"text": "x", **fields}).replace("Infinity", "0").encode(), False)
        found = relay.usage
        if isinstance(usage, dict):
            assert (found.prompt, found.completion, found.units) == (0, 0, usage)
        elif isinstance(usage, tuple):
            assert (found.input, found.input_audio, found.output, found.units) == usage
        else:
            assert found == usage

    @pytest.mark.parametrize(
        ("reply", "shape", "kind"),
        [
            (WHOLE, "json", Transcription),
            (VERBOSE, "verbose_json", TranscriptionVerbose),
            (DIARIZED, "diarized_json", TranscriptionDiarized),
        ],
    )
    def test_what_is_read_is_written_as_it_was(self, reply, shape, kind):
        request = {"response_format": shape, "timestamp_granularities": ["word", "segment"]}
        body, lost = written(read(json.dumps(reply).encode(), False), False, **request)
        assert json.loads(body) == reply
        assert lost == []
        kind.model_validate(json.loads(body))

    def test_what_a_client_asks_for_is_made_of_words(self):
        words = [
            Word(text="Hello", start=0.0, end=0.4, speaker="1"), Word(text="friend.", start=0.5, end=1.0, speaker="1"),
            Word(text="Hi!", start=1.2, end=1.5, speaker="2"),
        ]  # fmt: skip
        said = Transcript(text="Hello friend. Hi!", language="en", duration=1.5, words=words)
        events = [Start(), Result(value=said), Used(usage=Usage(units={"seconds": 1.5})), Stop(reason="stop")]
        body, _ = written(events, False, response_format="srt")
        assert body.decode() == (
            "1\n00:00:00,000 --> 00:00:01,000\nHello friend.\n\n2\n00:00:01,200 --> 00:00:01,500\nHi!\n\n"
        )
        body, _ = written(events, False, response_format="vtt")
        assert body.startswith(b"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHello friend.\n\n")
        assert written(events, False, response_format="text")[0] == b"Hello friend. Hi!\n"
        body, lost = written(events, False, response_format="verbose_json")
        TranscriptionVerbose.model_validate(json.loads(body))
        assert [loss.path for loss in lost] == ["reply.segments"]
        body, _ = written(events, False, response_format="diarized_json")
        assert [each.speaker for each in TranscriptionDiarized.model_validate(json.loads(body)).segments] == ["1", "2"]
        body, _ = written(events, False)
        assert json.loads(body) == {"text": "Hello friend. Hi!", "usage": {"type": "duration", "seconds": 1.5}}

    def test_what_others_alone_know_is_named(self):
        events = [Start(), Native(dialect="other", name="mood", value=1), Result(value=Transcript(text="x"))]
        _, lost = written([*events, Stop(reason="stop")], False)
        assert [loss.path for loss in lost] == ["reply.mood"]

    @pytest.mark.parametrize(
        "events", [[], [Start(), Stop(reason="stop")], [Start(), Result(value=Transcript(text=""))]]
    )
    def test_no_answer_is_none(self, events):
        with pytest.raises(ProviderNonsense):
            written(events, False)


class TestStream:
    @pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
    @given(cuts=st.lists(st.integers(0, 700), max_size=10))
    def test_any_cut_of_the_bytes_is_the_same(self, end, cuts):
        data = frames(STREAM, end)
        assert read(data, True, cuts) == read(data, True)
        passed, relay = relayed(data, True, cuts)
        assert (passed, relay.complete) == (data, True)
        assert relay.usage == Usage(input=5, input_audio=21, output=4, reported=TOKENS)

    def test_it_says_what_the_whole_says(self):
        events = read(frames(STREAM), True)
        whole = read(json.dumps(WHOLE).encode(), False)
        assert "".join(event.text for event in values(events, Text)) == "Hello friend."
        assert values(events, Result) == values(whole, Result)
        assert values(events, Used) == values(whole, Used)
        assert values(events, Stop) == values(whole, Stop)

    def test_what_is_read_is_written_as_it_was(self):
        body, lost = written(read(frames(STREAM), True), True)
        assert [json.loads(line[6:]) for line in body.split(b"\n\n")[:-1]] == STREAM
        assert lost == []
        for event in STREAM:
            TypeAdapter(TranscriptionStreamEvent).validate_python(event)

    def test_what_came_whole_is_one_delta(self):
        body, _ = written(read(json.dumps(DIARIZED).encode(), False), True, response_format="diarized_json")
        events = [json.loads(line[6:]) for line in body.split(b"\n\n")[:-1]]
        assert [event["type"].removeprefix("transcript.text.") for event in events] == [
            "delta", "segment", "segment", "done",
        ]  # fmt: skip
        assert events[-1]["text"] == "Hello. Hi!"

    def test_a_cut_is_never_an_end(self):
        data = frames(STREAM)
        for end in range(len(data) - 2):
            events = read(data[:end], True)
            assert isinstance(events[-1], Stop)
            assert events[-1].reason == "cut"
            passed, relay = relayed(data[:end], True)
            assert data.startswith(passed)
            assert not relay.complete

    def test_what_nobody_knows_passes(self):
        done = {"type": "transcript.text.done", "text": ""}
        data = frames([{"type": "transcript.new", "x": 1}, done]) + b": ping\n\n"
        assert relayed(data[:-8], True)[0] == data[:-8]
        events = read(data, True)
        assert values(events, Native)[0].value == {"type": "transcript.new", "x": 1}
        assert written(events, True)[0].startswith(b'data: {"type":"transcript.new","x":1}\n\n')

    def test_an_error_in_it_is_one(self):
        data = frames([STREAM[0], {"error": {"message": "overloaded", "type": "server_error"}}])
        assert isinstance(read(data, True)[-1], Failed)
        _, relay = relayed(data, True)
        assert (relay.failed.message, relay.complete) == ("overloaded", False)
        with pytest.raises(GatewayError):
            written(read(data, True), True)

    @pytest.mark.parametrize("body", [b"<html>", b"plain text that goes on", b'{"text":"whole"}', b'{"x":1}'])
    def test_what_is_no_stream_is_told(self, body):
        with pytest.raises(GatewayError):
            relayed(body, True)

    @given(st.binary(max_size=200), st.booleans())
    def test_junk_is_an_error_and_nothing_else(self, junk, stream):
        for act in (read, relayed):
            with contextlib.suppress(GatewayError):
                act(junk, stream)


def test_subtitles_cannot_be_broken_out_of():
    said = subtitles([Segment(text=" a --> b ", start=3661.5, end=3662.0)], "vtt")
    assert said == "WEBVTT\n\n01:01:01.500 --> 01:01:02.000\na -> b\n\n"


@pytest.mark.parametrize(
    ("stream", "shape", "kind"),
    [
        (True, None, b"text/event-stream; charset=utf-8"),
        (False, None, b"application/json"),
        (False, "diarized_json", b"application/json"),
        (False, "srt", b"text/plain; charset=utf-8"),
    ],
)
def test_the_content_type_is_the_formats(stream, shape, kind):
    assert openai_audio.content_type(stream, {"response_format": shape}) == kind
