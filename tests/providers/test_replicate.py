"""Replicate: predictions that are there at once, or later, or never."""

import json

import pytest

from dialects.test_pictures import REPLICATE as DONE
from dialects.test_pictures import wished
from headgate.core.errors import ProviderNonsense, ProviderRefused, ProviderTimeout
from headgate.dialects import replicate as dialect
from headgate.providers.replicate import Replicate
from providers.steps import Host
from providers.test_contract import exchange

KEY = "r8-0123456789abcdef"
PROOF = f"authorization: Bearer {KEY}"
STARTED = {"id": "a/b", "status": "starting", "output": None}


async def asked(host, *, as_link=None, **settings):
    made = Replicate("replicate", Replicate.Settings(**{"api_key": KEY, "poll": 0.01, **settings}))
    wanted = exchange(made, dialect)
    wanted.outgoing = dialect.write_request(wished(dialect, as_link=as_link), [])
    return json.loads((await made.send(wanted, host)).body)


async def test_a_prediction_may_be_there_at_once():
    host = Host(PROOF, (201, DONE))
    assert await asked(host) == DONE
    [(line, body, headers)] = host.asked
    assert line == "POST /v1/models/black-forest-labs/flux-schnell/predictions"
    assert body == b'{"input":{"prompt":"A red hat"}}'
    assert headers == {
        b"content-type": b"application/json", b"prefer": b"wait=60", b"cancel-after": b"900s",
    }  # fmt: skip


async def test_a_prediction_is_waited_for():
    host = Host(PROOF, (202, STARTED), {**STARTED, "status": "processing"}, DONE)
    assert await asked(host) == DONE
    assert host.asked[1:] == [("GET /v1/predictions/a%2Fb", None, {})] * 2
    assert set(host.origins) == {("api.replicate.com", True)}
    assert host.closed == 3


@pytest.mark.parametrize(
    ("timeouts", "wait", "life"),
    [
        ({"first_byte": 30}, b"wait=29", b"900s"),
        ({"total": 2.5}, b"wait=1", b"5s"),
        ({"total": 40}, b"wait=39", b"40s"),
    ],
)
async def test_it_is_told_how_long_we_wait(timeouts, wait, life):
    host = Host(PROOF, DONE)
    await asked(host, timeouts=timeouts)
    assert (host.asked[0][2][b"prefer"], host.asked[0][2][b"cancel-after"]) == (wait, life)


async def test_a_client_that_wants_data_gets_it():
    host = Host(PROOF, DONE, b"one", b"two")
    assert (await asked(host, as_link=False))["output"] == [
        "data:image/jpeg;base64,b25l", "data:image/jpeg;base64,dHdv",
    ]  # fmt: skip
    assert host.origins[1:] == [("replicate.delivery", False)] * 2  # without the key


@pytest.mark.parametrize("output", ["https://evil.example/a.png", ["https://replicate.delivery.evil.example/a"]])
async def test_pictures_are_got_where_they_lie_and_nowhere_else(output):
    host = Host(PROOF, {**DONE, "output": output}, b"secret")
    with pytest.raises(ProviderNonsense):
        await asked(host, as_link=False)
    assert len(host.asked) == 1


async def test_what_is_no_address_is_left_to_the_reader():
    odd = {**DONE, "output": ["https://replicate.delivery/a", 1]}
    assert await asked(Host(PROOF, odd), as_link=False) == odd


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([(422, {"title": "Input validation failed", "detail": f"bad {KEY}"})], ProviderRefused),
        ([STARTED, (500, {"detail": "oops"})], ProviderRefused),
        ([{"status": "starting"}], ProviderNonsense),
        ([{"status": "starting", "id": ".."}], ProviderNonsense),
    ],
)
async def test_what_goes_wrong_on_the_way(answers, error):
    host = Host(PROOF, *answers)
    with pytest.raises(error) as caught:
        await asked(host)
    assert KEY not in caught.value.message


async def test_it_does_not_wait_for_ever():
    with pytest.raises(ProviderTimeout, match=r"timeouts\.total"):
        await asked(Host(PROOF, STARTED), timeouts={"total": 0.03})
