"""A proof that ends is renewed before it does, and nobody waits for that but the first."""

import asyncio
import logging

import pytest

from headgate.core.errors import NoCredentials, ProviderTimeout
from headgate.providers.auth.auth import AGAIN, EARLY, Grant, Renewed, endpoint


class Office:
    """Gives one proof after the other, when it is let."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, upstream):
        self.asked += 1
        await self.open.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def made(*answers):
    office, clock = Office(*answers), Clock()
    return office, clock, Renewed("the proof", office, clock)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_is_fetched_once_however_many_need_it():
    office, _, proof = made(Grant("a", 9000.0))
    office.open.clear()
    waiting = [asyncio.create_task(proof.get(None)) for _ in range(20)]
    await settle()
    office.open.set()
    assert await asyncio.gather(*waiting) == ["a"] * 20
    assert await proof.get(None) == "a"
    assert office.asked == 1


async def test_one_who_gives_up_does_not_take_it_from_the_others():
    office, _, proof = made(Grant("a"))
    office.open.clear()
    first, second = asyncio.create_task(proof.get(None)), asyncio.create_task(proof.get(None))
    await settle()
    first.cancel()
    office.open.set()
    assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_it_is_renewed_beside_the_requests():
    office, clock, proof = made(Grant("a", 1000.0 + 3600), Grant("b", 1000.0 + 7200))
    assert await proof.get(None) == "a"
    clock.now += 3600 - EARLY - 1
    assert await proof.get(None) == "a"
    assert office.asked == 1
    clock.now += 2
    office.open.clear()
    assert [await proof.get(None) for _ in range(5)] == ["a"] * 5
    await settle()
    assert office.asked == 2
    office.open.set()
    await settle()
    assert await proof.get(None) == "b"


async def test_one_that_ended_is_waited_for():
    office, clock, proof = made(Grant("a", 2000.0), Grant("b", 9000.0))
    assert await proof.get(None) == "a"
    clock.now = 2000.0
    assert await proof.get(None) == "b"
    assert office.asked == 2


async def test_a_renewal_that_fails_is_tried_again_while_the_old_one_holds(caplog):
    office, clock, proof = made(Grant("a", 4600.0), NoCredentials("no one there"), Grant("b", 9000.0))
    assert await proof.get(None) == "a"
    clock.now = 4600 - EARLY
    with caplog.at_level(logging.WARNING):
        assert await proof.get(None) == "a"
        await settle()
    assert "no one there" in caplog.text
    assert await proof.get(None) == "a"
    await settle()
    assert office.asked == 2
    clock.now += AGAIN
    assert await proof.get(None) == "a"
    await settle()
    assert await proof.get(None) == "b"


async def test_without_one_the_error_says_why(caplog):
    office, _, proof = made(ProviderTimeout("it took too long"), NoCredentials("not there"), Grant("a", 900.0))
    with caplog.at_level(logging.CRITICAL):
        with pytest.raises(NoCredentials, match="the proof cannot be had: it took too long"):
            await proof.get(None)
        with pytest.raises(NoCredentials, match="not there"):
            await proof.get(None)
        with pytest.raises(NoCredentials, match="had ended already"):
            await proof.get(None)
    assert office.asked == 3


async def test_one_without_an_end_is_looked_at_again_when_it_says():
    _, clock, proof = made(Grant("a", renew=1300.0), Grant("b", renew=9000.0))
    assert await proof.get(None) == "a"
    clock.now = 1300.0
    assert await proof.get(None) == "a"
    await settle()
    assert await proof.get(None) == "b"


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://h/a\r\nx: y", {}),
        ("http://h/", {"authorization": "a\r\nx: y"}),
        ("http://h:port/", {}),
        ("http://h/é", {}),
        ("http://[h/", {}),
    ],
)
def test_nothing_is_smuggled_into_a_request(url, headers):
    try:
        head = endpoint("GET", url, headers).head
    except NoCredentials:
        return
    assert head.count(b"\r\n") == 3 + len(headers)
    assert b"x: y\r\n" not in head.split(b" HTTP/1.1\r\n", 1)[1]


def test_the_head_is_the_request():
    made = endpoint("PUT", "http://169.254.169.254:81/latest/api/token?a=b", {"x-ttl": "5"})
    assert made.head == (
        b"PUT /latest/api/token?a=b HTTP/1.1\r\nhost: 169.254.169.254:81\r\nuser-agent: headgate\r\nx-ttl: 5\r\n"
    )
    assert (made.origin.host, made.origin.port) == ("169.254.169.254", 81)
