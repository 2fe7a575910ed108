"""Recorded exchanges with every host that speaks OpenAI's audio API: passed on byte for byte, and read."""

import base64
import json
from pathlib import Path

import pytest

from headgate.core.errors import ProviderRefused
from headgate.core.events import Result, Stop, Text, Used
from headgate.dialects import openai_audio
from headgate.dialects.openai_audio import speech
from together import together

EXCHANGES = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges"


def found():
    for path in sorted(EXCHANGES.glob("*/*.json")):
        text = path.read_bytes()
        if b'"api": "audio"' in text or b'"api":"audio"' in text:
            yield pytest.param(json.loads(text), id=f"{path.parent.name}/{path.stem[:60]}")


RECORDED = list(found())


@pytest.mark.skipif(not RECORDED, reason="the recordings are not beside the checkout (../shared/recorded)")
def test_there_are_recordings():
    assert len(RECORDED) > 15


@together("exchange", RECORDED)
def test_it_passes_and_is_read(exchange):
    response = exchange["response"]
    if response["status"] >= 400:
        error = openai_audio.read_error(response["status"], json.dumps(response["body"]).encode())
        assert isinstance(error, ProviderRefused)
        assert error.message
        return
    if exchange["request"]["url"].endswith("/speech"):
        audio = base64.b64decode(response["text"][: len(response["text"]) // 4 * 4])
        relay = speech.relay(True, exchange["request"]["body"])
        assert relay.feed(audio) + relay.end() == audio
        assert relay.usage.units["characters"] == len(exchange["request"]["body"]["input"])
        return
    stream = "sse" in response
    data = response["sse"].encode() if stream else json.dumps(response["body"]).encode()
    relay = openai_audio.relay(stream, {})
    passed = relay.feed(data)
    assert passed + relay.end() == data
    assert relay.complete
    reader = openai_audio.reader(stream)
    events = [*reader.feed(data), *reader.end()]
    assert events[-1] == Stop(reason="stop")
    [said] = [event.value for event in events if isinstance(event, Result)]
    assert said.text
    if stream:
        assert "".join(event.text for event in events if isinstance(event, Text)) == said.text
    assert [event.usage for event in events if isinstance(event, Used)] == ([relay.usage] if relay.usage else [])
    writer = openai_audio.writer(False, {}, [])
    assert json.loads(writer.feed(events) + writer.end())["text"] == said.text
