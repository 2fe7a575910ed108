"""What guards ask others: what a server answers that fails, and who is asked how often."""

import asyncio
import gc
import warnings
from math import inf

import pytest

from headgate.core.errors import GuardUnavailable, ProviderNonsense, ProviderUnreachable
from headgate.stages.guard.asking import Server, everywhere, several
from together import together


class Answered:
    """A reply of a server."""

    def __init__(self, status, body=b"", headers=()):
        self.status, self.body, self.headers = status, body, headers

    async def read(self, limit):
        return self.body

    def close(self):
        pass


class Fake:
    """Implements Help and Upstream: says one thing after another, the last for ever; an exception is raised."""

    def __init__(self, *said):
        self.upstream, self.said, self.asked, self.until = self, list(said), 0, inf

    async def post(self, endpoint, body, headers=()):
        self.asked += 1
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(said, Exception):
            raise said
        if said is None:
            await asyncio.sleep(60)
        return said


async def failures(server, help, times):
    for _ in range(times):
        with pytest.raises(GuardUnavailable) as error:
            await server.ask(help, b"{}")
    return error.value.message


@together(
    ("said", "asked"),
    [
        (Answered(500), 5), (Answered(429), 5), (Answered(401), 5), (Answered(302), 5), (Answered(400), 8),
        (Answered(413), 8), (ProviderNonsense("too large"), 8), (ProviderUnreachable("away"), 10),
    ],
)  # fmt: skip
def test_only_what_is_wrong_with_a_server_has_it_left_alone(said, asked):
    """What one client says is not to take the guard from all others."""
    help = Fake(said)
    asyncio.run(failures(Server("http://side/look", internal=True), help, 8))
    assert help.asked == asked


async def test_the_name_of_an_error_is_told_and_nothing_else_of_it():
    headers = [(b"x-amzn-errortype", b"ThrottlingException:http://internal/joe@example.com")]
    said = await failures(
        Server("http://side/look", internal=True), Fake(Answered(429, b"joe@example.com", headers)), 1
    )
    assert said == "its server answered with status 429 (ThrottlingException)"


async def test_a_client_who_goes_away_is_no_failure_of_the_server():
    server, now = Server("http://side/look", internal=True), asyncio.get_running_loop().time()
    server._breaker.open(now - 60, "it was away", firm=True)
    probe = asyncio.ensure_future(server.ask(Fake(None), b"{}"))
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert await server.ask(Fake(Answered(200, b"[]")), b"{}") == b"[]"


@together(
    "url",
    ["ftp://side", "http://", "https://joe:secret@side/look", "http://side/a b", "http://side/ä", "http://side:x/"],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError) as error:
        Server(url, internal=True)
    assert "secret" not in str(error.value)


async def test_the_first_failure_ends_all():
    async def one(number):
        if number == 3:
            raise GuardUnavailable("no")
        await asyncio.sleep(60)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(GuardUnavailable):
            await several(one(number) for number in range(100))
        gc.collect()


def test_words_are_found_wherever_they_stand():
    assert everywhere("Acme and ACME", "acme", case=False) == [(0, 4), (9, 13)]
    assert everywhere("İ acme", "ACME", case=False) == [(2, 6)]
    assert everywhere("a.b", "a+b") == everywhere("a.b", "") == [(0, 3)]
