"""A reply whose stream is taken out of a packing."""

import pytest

from headgate.core.errors import ProviderNonsense
from headgate.upstream.unpacked import Unpacked


class Packed:
    status = 200
    headers = ((b"content-type", b"x/packed"),)

    def __init__(self, *chunks):
        self.chunks = [*chunks, b""]
        self.ended = []

    def header(self, name):
        return dict(self.headers).get(name)

    async def read(self, limit):
        return b"".join(self.chunks)[:limit]

    async def chunk(self):
        return self.chunks.pop(0)

    def finish(self):
        self.ended.append("finish")

    def close(self):
        self.ended.append("close")


class Halves:
    """Gives two bytes for every two."""

    types = (b"x/packed",)

    def __init__(self):
        self.held = b""

    def feed(self, data):
        if b"!" in data:
            raise ProviderNonsense("no packing")
        self.held += data
        whole = len(self.held) // 2 * 2
        given, self.held = self.held[:whole].upper(), self.held[whole:]
        return given


async def test_a_piece_that_holds_nothing_is_not_the_end():
    response = Unpacked(Packed(b"a", b"bc", b"d"), Halves())
    assert [await response.chunk(), await response.chunk(), await response.chunk()] == [b"AB", b"CD", b""]


async def test_what_is_not_the_packing_is_said():
    with pytest.raises(ProviderNonsense):
        await Unpacked(Packed(b"a!"), Halves()).chunk()


async def test_all_else_is_the_responses():
    packed = Packed(b"ab")
    response = Unpacked(packed, Halves())
    assert (response.status, response.header(b"content-type")) == (200, b"x/packed")
    assert await response.read(9) == b"ab"
    response.finish()
    response.close()
    assert packed.ended == ["finish", "close"]
