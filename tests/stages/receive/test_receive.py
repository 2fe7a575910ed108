"""Forms are kept within bounds, in memory or in a file without a name, and forgotten at the end."""

import os
import time

import pytest

from headgate.core.errors import InternalError, InvalidRequest, TooLarge, UnsupportedMedia
from headgate.core.exchange import Exchange, Place
from headgate.core.record import Record
from headgate.dialects import openai_chat
from headgate.dialects.opaque import Opaque
from headgate.stages.receive import Receive
from headgate.stages.receive.spool import Spool


class Form:
    """As much of a dialect as this stage looks at."""

    takes = "form"
    operation = "transcription"
    name = "form"
    stream_types = (b"text/event-stream",)


class Body:
    def __init__(self, data, size=1000, error=None):
        self.data, self.size, self.error = data, size, error
        self.length = len(data)

    async def pieces(self, *, decoded):
        for start in range(0, len(self.data), self.size):
            yield self.data[start : start + self.size]
        if self.error is not None:
            raise self.error


def exchange(dialect, body, headers=(), place=None):
    record = Record(id="req_1", time=time.time())
    return Exchange("req_1", dialect, "/", list(headers), None, time.perf_counter(), record, place, body)


def asked(*fields, file=b"RIFF"):
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields]
    parts.append(b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + file)
    body = b"".join(b"--XX\r\n" + part + b"\r\n" for part in parts) + b"--XX--\r\n"
    return exchange(Form, Body(body), [(b"content-type", b"multipart/form-data; boundary=XX")]), body


async def given_back(exchange):
    return exchange


async def test_a_forms_fields_are_the_fields():
    made, body = asked(("model", "whisper-1"), ("stream", "true"), ("response_format", "json"))
    seen = await Receive()(made, given_back)
    assert (seen.model, seen.stream, seen.fields["response_format"]) == ("whisper-1", True, "json")
    assert seen.fields["file"].read() == b"RIFF"
    assert seen.record.bytes_in == len(body)
    assert b"".join([piece async for piece in seen.form.pieces()]) == body


@pytest.mark.parametrize("word", ["true", "True", "1"])
async def test_a_forms_stream_is_a_word(word):
    made, _ = asked(("model", "m"), ("stream", word))
    assert (await Receive()(made, given_back)).stream is True


@pytest.mark.parametrize(
    ("fields", "param"), [([("a", "b")], "model"), ([("model", "m"), ("stream", "maybe")], "stream")]
)
async def test_a_forms_wrong_field_is_named(fields, param):
    made, _ = asked(*fields)
    with pytest.raises(InvalidRequest) as caught:
        await Receive()(made, given_back)
    assert caught.value.param == param


async def test_a_model_that_is_a_file_is_none():
    body = b'--XX\r\nContent-Disposition: form-data; name="model"; filename="m"\r\n\r\nm\r\n--XX--'
    made = exchange(Form, Body(body), [(b"content-type", b"multipart/form-data; boundary=XX")])
    with pytest.raises(InvalidRequest, match="`model` is missing"):
        await Receive()(made, given_back)


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"application/json")]])
async def test_another_content_type_is_told(headers):
    with pytest.raises(UnsupportedMedia, match="multipart/form-data"):
        await Receive()(exchange(Form, Body(b"{}"), headers), given_back)


@pytest.mark.parametrize("size", [10_000, 3 << 20])
async def test_whatever_happens_nothing_is_left(tmp_path, size):
    for error in (None, TooLarge("too large")):
        made, body = asked(("model", "m"), file=b"\0" * size)
        made.incoming.error = error
        before = len(os.listdir("/proc/self/fd"))
        if error is None:
            seen = await Receive(tmp_path)(made, given_back)
            assert b"".join([piece async for piece in seen.form.pieces()]) == body
        else:
            with pytest.raises(TooLarge):
                await Receive(tmp_path)(made, given_back)
        assert list(tmp_path.iterdir()) == [], "a file with a name would stay after a crash"
        await made.ending.aclose()
        assert len(os.listdir("/proc/self/fd")) == before


async def test_a_disk_that_takes_nothing_is_told(tmp_path):
    made, _ = asked(("model", "m"), file=b"\0" * (2 << 20))
    with pytest.raises(InternalError, match="could not be kept"):
        await Receive(tmp_path / "gone")(made, given_back)
    await made.ending.aclose()


@pytest.mark.parametrize("memory", [0, 10, 100])
def test_what_is_kept_is_the_same_in_memory_and_in_a_file(memory):
    spool = Spool(None, memory)
    for start in range(0, 60, 7):
        spool.write(bytes(range(start, min(start + 7, 60))))
    assert spool.size == 60
    assert spool.read(0, 60) == bytes(range(60))
    assert spool.read(20, 25) == bytes(range(20, 25))
    assert spool.read(50, 90) == bytes(range(50, 60))
    spool.close()
    spool.close()
    assert spool.read(0, 60) == b""


async def test_what_passes_unread_is_not_read():
    place = Place("http://gw/openai", "openai/*", b"", b"/v1/files")
    seen = await Receive()(exchange(Opaque(openai_chat), Body(b"x" * 2500), place=place), given_back)
    assert (seen.model, seen.record.bytes_in, seen.passing.again, seen.spent) == ("openai/*", 0, True, False)
    assert b"".join([piece async for piece in seen.passing.pieces()]) == b"x" * 2500
    assert (seen.record.bytes_in, seen.spent) == (2500, True)


async def test_an_effort_is_taken_from_the_name_before_anything_goes_by_it():
    async def receive():
        return b'{"model": "smart:high", "messages": []}'

    for names, found in ((), ("smart", "high")), (["smart:high"], ("smart:high", None)):
        made = Exchange("req_1", openai_chat, "/", [], receive, 0.0, Record(id="req_1", time=0.0))
        seen = await Receive(None, names)(made, given_back)
        assert (seen.model, seen.effort, seen.asked) == (*found, "smart:high")
