"""Black Forest Labs: orders, questions where the order's answer says, and pictures as data."""

import asyncio
import json

import pytest

from dialects.test_pictures import BFL as DONE
from dialects.test_pictures import wished
from headgate.core.errors import ProviderError, ProviderNonsense, ProviderRefused, ProviderTimeout
from headgate.dialects import bfl as dialect
from headgate.providers.bfl import BFL
from providers.steps import Host
from providers.test_contract import exchange

KEY = "bfl-0123456789abcdef"
PROOF = f"x-key: {KEY}"
ORDERED = {"id": "5d", "polling_url": "https://api.us1.bfl.ai/v1/get_result?id=5d", "cost": 3, "output_mp": 1.98}
PENDING = {"id": "5d", "status": "Pending", "result": None}
READY = {"id": "5d", "status": "Ready", "result": DONE["result"]}


async def asked(host, *, as_link=None, **settings):
    made = BFL("bfl", BFL.Settings(**{"api_key": KEY, "poll": 0.01, **settings}))
    wanted = exchange(made, dialect)
    wanted.outgoing = dialect.write_request(wished(dialect, as_link=as_link), [])
    return json.loads((await made.send(wanted, host)).body)


async def test_a_picture_is_ordered_and_waited_for_where_the_answer_says():
    host = Host(PROOF, ORDERED, PENDING, {**PENDING, "status": "Reviewing"}, READY)
    assert await asked(host) == {"cost": 3, "output_mp": 1.98, **READY}
    order, *questions = host.asked
    assert order == ("POST /v1/flux-2-pro", b'{"prompt":"A red hat"}', {b"content-type": b"application/json"})
    assert questions == [("GET /v1/get_result?id=5d", None, {})] * 3
    assert host.origins == [("api.bfl.ai", True)] + [("api.us1.bfl.ai", True)] * 3
    assert host.closed == 4


async def test_a_client_that_wants_data_gets_it():
    host = Host(PROOF, ORDERED, READY, b"\xff\xd8picture")
    result = (await asked(host, as_link=False))["result"]
    assert result == {**DONE["result"], "sample": "data:image/jpeg;base64,/9hwaWN0dXJl"}
    assert host.asked[-1] == ("GET /results/5d/sample.jpeg?sig=a%2Fb", None, {})
    assert host.origins[-1] == ("delivery.eu2.bfl.ai", False)  # without the key
    assert host.closed == 3


@pytest.mark.parametrize(
    ("base", "url", "path", "host"),
    [
        (None, "https://api.us1.bfl.ai/v1/get_result?id=5d", "/v1/get_result?id=5d", "api.us1.bfl.ai"),
        ("https://api.eu.bfl.ai", "https://api.eu2.bfl.ai/v1/x", "/v1/x", "api.eu2.bfl.ai"),
        (None, "https://evil.example/v1/get_result?id=5d", "/v1/get_result?id=5d", "api.bfl.ai"),
        (None, "https://api.bfl.ai.evil.example/v1/x", "/v1/x", "api.bfl.ai"),
        (None, "http://api.us1.bfl.ai/v1/x", "/v1/x", "api.bfl.ai"),
        (None, "https://api.us1.bfl.ai:8443/v1/x", "/v1/x", "api.bfl.ai"),
        (None, "https://delivery.us1.bfl.ai/v1/x", "/v1/x", "api.bfl.ai"),
        ("https://proxy.example/bfl", "https://api.us1.bfl.ai/v1/x?a=b", "/bfl/v1/x?a=b", "proxy.example"),
    ],
)
async def test_the_key_goes_to_the_vendor_and_nowhere_else(base, url, path, host):
    asked_of = Host(PROOF, {**ORDERED, "polling_url": url}, READY)
    await asked(asked_of, base_url=base)
    assert asked_of.asked[-1][0] == f"GET {path}"
    assert asked_of.origins[-1] == (host, True)


@pytest.mark.parametrize(
    "sample",
    [
        "https://evil.example/a.png",
        "https://bfl.ai.evil.example/a.png",
        "https://notbfl.ai/a.png",
        "http://delivery.eu1.bfl.ai/a.png",
        "https://delivery.eu1.bfl.ai:22/a.png",
        "https://169.254.169.254/latest/meta-data",
        "https://u@delivery.eu1.bfl.ai/a.png",
        "https://delivery.eu1.bfl.ai/a.png HTTP/1.1\r\nx: y",
        "file:///etc/passwd",
    ],
)
async def test_pictures_are_got_where_they_lie_and_nowhere_else(sample):
    host = Host(PROOF, ORDERED, {**READY, "result": {"sample": sample}}, b"secret")
    with pytest.raises(ProviderNonsense):
        await asked(host, as_link=False)
    assert len(host.asked) == 2


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([(402, {"detail": f"no credits for {KEY}"})], ProviderRefused),
        ([ORDERED, (500, {"detail": "oops"})], ProviderRefused),
        ([ORDERED, (302, {})], ProviderNonsense),
        ([{}], ProviderNonsense),
        ([{"polling_url": 1}], ProviderNonsense),
        ([{"polling_url": "/v1/get_result"}], ProviderNonsense),
        ([["odd"]], ProviderNonsense),
        ([ORDERED, READY, (404, b"gone")], ProviderNonsense),
    ],
)
async def test_what_goes_wrong_on_the_way(answers, error):
    host = Host(PROOF, *answers)
    with pytest.raises(error) as caught:
        await asked(host, as_link=False)
    assert KEY not in caught.value.message
    assert host.closed == len(host.asked) == len(answers)


async def test_it_does_not_wait_for_ever():
    with pytest.raises(ProviderTimeout, match=r"timeouts\.total"):
        await asked(Host(PROOF, ORDERED, PENDING), timeouts={"total": 0.03})


async def test_a_step_that_hangs_ends_with_the_time_for_all():
    class Hanging(Host):
        async def post(self, *args):
            await asyncio.sleep(60)

    with pytest.raises(ProviderTimeout, match=r"timeouts\.total"):
        await asked(Hanging(PROOF, ORDERED), timeouts={"total": 0.03})


async def test_who_leaves_ends_it():
    host = Host(PROOF, ORDERED, PENDING)
    task = asyncio.create_task(asked(host))
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = len(host.asked)
    await asyncio.sleep(0.03)
    assert len(host.asked) == before > 1


async def test_what_is_no_order_is_asked_as_usual():
    made = BFL("bfl", BFL.Settings(api_key=KEY))
    with pytest.raises(ProviderError):
        await made.send(exchange(made, dialect), Host(PROOF, (400, {"detail": "bad"})))
