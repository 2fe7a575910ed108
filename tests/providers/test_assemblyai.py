"""AssemblyAI: uploads, orders, and asks until a transcript is there."""

import asyncio
import json

import pytest

from dialects.listening import DATA, listened
from headgate.core.errors import ProviderNonsense, ProviderRefused, ProviderTimeout
from headgate.dialects import assemblyai as dialect
from headgate.providers.assemblyai import AssemblyAI
from providers.steps import Host
from providers.test_contract import exchange

KEY = "aai-0123456789abcdef"
PROOF = f"authorization: {KEY}"
DONE = {"id": "t/1", "status": "completed", "text": "Hello"}


def provider(**settings):
    return AssemblyAI("assemblyai", AssemblyAI.Settings(api_key=KEY, poll=0.01, **settings))


async def asked(host, **settings):
    made = provider(**settings)
    wanted = exchange(made, dialect)
    wanted.outgoing = dialect.write_request(listened(model="universal-2"), [])
    return await made.send(wanted, host)


async def test_a_file_is_uploaded_and_its_transcript_waited_for():
    host = Host(PROOF,
        {"upload_url": "https://cdn.assemblyai.com/upload/1"}, {"id": "t/1", "status": "queued"},
        {"id": "t/1", "status": "processing"}, DONE,
    )  # fmt: skip
    reply = await asked(host)
    assert json.loads(reply.body) == DONE
    upload, order, *questions = host.asked
    assert upload == ("POST /v2/upload", DATA, {b"content-type": b"application/octet-stream"})
    assert order[0] == "POST /v2/transcript"
    assert order[2] == {b"content-type": b"application/json"}
    assert json.loads(order[1])["audio_url"] == "https://cdn.assemblyai.com/upload/1"
    assert questions == [("GET /v2/transcript/t%2F1", None, {})] * 2
    assert host.closed == 4
    assert set(host.origins) == {("api.assemblyai.com", True)}


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([(401, {"error": f"wrong key {KEY}"})], ProviderRefused),
        ([{"upload_url": "u"}, (400, {"error": "bad"})], ProviderRefused),
        ([{"upload_url": "u"}, {"id": "t", "status": "queued"}, (500, {"error": "oops"})], ProviderRefused),
        ([{}], ProviderNonsense),
        ([{"upload_url": 1}], ProviderNonsense),
        ([{"upload_url": "u"}, ["odd"]], ProviderNonsense),
        ([{"upload_url": "u"}, {"status": "queued"}], ProviderNonsense),
    ],
)
async def test_what_goes_wrong_on_the_way(answers, error):
    host = Host(PROOF, *answers)
    with pytest.raises(error) as caught:
        await asked(host)
    assert KEY not in caught.value.message
    assert host.closed == len(host.asked)


async def test_it_does_not_wait_for_ever():
    host = Host(PROOF, {"upload_url": "u"}, {"id": "t", "status": "processing"})
    with pytest.raises(ProviderTimeout, match=r"timeouts\.total"):
        await asked(host, timeouts={"total": 0.05})


async def test_who_leaves_ends_it():
    host = Host(PROOF, {"upload_url": "u"}, {"id": "t", "status": "processing"})
    task = asyncio.create_task(asked(host))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = len(host.asked)
    await asyncio.sleep(0.05)
    assert len(host.asked) == before > 2
