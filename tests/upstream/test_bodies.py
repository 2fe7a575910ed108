"""Content encodings, whole and as they stream, and what does not decode."""

import asyncio
import zlib
from itertools import pairwise

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ProviderCut, ProviderNonsense
from headgate.upstream.bodies import PIECE, decoder_for
from upstreams import LAST_CHUNK, ScriptedUpstream, Sleep, Stall, as_chunk, chunked_head, reply

TEXT = b"".join(b'{"number": %d, "square": %d}\n' % (number, number * number) for number in range(2000))


class Raw:
    """Deflate without its wrapper, as some servers send it."""

    def __init__(self, wbits):
        self._deflate = zlib.compressobj(wbits=wbits)

    def piece(self, data):
        return self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def end(self):
        return self._deflate.flush()


class Br:
    def __init__(self):
        self._brotli = brotli.Compressor()

    def piece(self, data):
        return self._brotli.process(data) + self._brotli.flush()

    def end(self):
        return self._brotli.finish()


class Zst:
    def __init__(self):
        self._zstd = zstandard.ZstdCompressor().compressobj()

    def piece(self, data):
        return self._zstd.compress(data) + self._zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def end(self):
        return self._zstd.flush()


CODINGS = {
    "gzip": ("gzip", lambda: Raw(31)),
    "x-gzip": ("X-GZip", lambda: Raw(31)),
    "deflate": ("deflate", lambda: Raw(15)),
    "raw deflate": ("deflate", lambda: Raw(-15)),
    "br": ("br", Br),
    "zstd": ("zstd", Zst),
}
each_coding = pytest.mark.parametrize(("name", "encoder"), CODINGS.values(), ids=CODINGS)


def whole(encoder, data):
    made = encoder()
    return made.piece(data) + made.end()


def decode(name, pieces):
    decoder = decoder_for(name.encode())
    out = []
    for piece in pieces:
        decoder.feed(piece)
        while data := decoder.pull():
            out.append(data)
    return b"".join(out), decoder


@each_coding
async def test_a_whole_reply_is_decoded(client, to, name, encoder):
    body = whole(encoder, TEXT)
    with ScriptedUpstream(reply(body, headers=[("Content-Encoding", name)])) as upstream:
        for _ in range(2):
            assert await (await client.post(to(upstream), b"{}")).read(1 << 20) == TEXT
        assert upstream.connections == 1


@each_coding
async def test_a_streamed_reply_is_decoded_as_it_comes(client, to, name, encoder):
    made = encoder()
    events = [b"data: %d\n\n" % number for number in range(4)]
    steps = [step for event in events for step in (as_chunk(made.piece(event)), Sleep(0.03))]
    script = (chunked_head(headers=[("Content-Encoding", name)]), *steps, as_chunk(made.end()), LAST_CHUNK)
    with ScriptedUpstream(script) as upstream:
        response = await client.post(to(upstream), b"{}")
        chunks = []
        while chunk := await response.chunk():
            chunks.append(chunk)
        assert chunks == events


@each_coding
async def test_a_bomb_is_given_out_in_bounded_pieces_and_refused_whole(client, to, name, encoder):
    bomb = whole(encoder, bytes(20_000_000))
    assert len(bomb) < 100_000
    with ScriptedUpstream(reply(bomb, headers=[("Content-Encoding", name)])) as upstream:
        response = await client.post(to(upstream), b"{}")
        with pytest.raises(ProviderNonsense, match="larger than the 1000000 bytes"):
            await response.read(1_000_000)
        response = await client.post(to(upstream), b"{}")
        for _ in range(20):
            assert 0 < len(await response.chunk()) <= 2 * PIECE
        response.close()


@each_coding
async def test_what_does_not_decode_is_nonsense(client, to, name, encoder):
    body = b"\xff" + b"{ not compressed at all }" * 10
    script = (chunked_head(headers=[("Content-Encoding", name)]), as_chunk(body), Stall())
    with ScriptedUpstream(script) as upstream:
        response = await client.post(to(upstream), b"{}")
        with pytest.raises(ProviderNonsense, match="content-encoding"):
            await response.read(1 << 20)
        await asyncio.to_thread(upstream.wait_for_close)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
async def test_an_encoding_that_ends_too_early_is_a_cut(client, to, name):
    body = whole(CODINGS[name][1], TEXT)[:-6]
    with (
        ScriptedUpstream(reply(body, headers=[("Content-Encoding", name)])) as upstream,
        pytest.raises(ProviderCut, match="middle of its content encoding"),
    ):
        await (await client.post(to(upstream), b"{}")).read(1 << 20)


@each_coding
async def test_an_empty_body_needs_no_encoding(client, to, name, encoder):
    with ScriptedUpstream(reply(b"", headers=[("Content-Encoding", name)])) as upstream:
        assert await (await client.post(to(upstream), b"{}")).read(1 << 20) == b""


async def test_gzip_that_was_not_announced_passes_as_bytes(client, to):
    body = whole(CODINGS["gzip"][1], TEXT)
    with ScriptedUpstream(reply(body)) as upstream:
        assert await (await client.post(to(upstream), b"{}")).read(1 << 20) == body


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_members_and_frames_may_follow_each_other(name):
    encoder = CODINGS[name][1]
    data, decoder = decode(name, [whole(encoder, b"one "), whole(encoder, b"two")])
    assert data == b"one two"
    assert decoder.whole()
    assert decode(name, [whole(encoder, b"one ") + whole(encoder, b"two")])[0] == b"one two"


@pytest.mark.parametrize("name", ["gzip", "br"])
def test_bytes_after_the_end_are_nonsense(name):
    with pytest.raises(ProviderNonsense):
        decode(name, [whole(CODINGS[name][1], b"one"), b"garbage"])


def test_identity_is_no_encoding():
    assert decoder_for(b"identity") is None
    assert decoder_for(b" ") is None


@pytest.mark.parametrize("coding", [b"snappy", b"gzip, br", b"compress", b"\xff"])
def test_other_encodings_are_named_in_the_error(coding):
    with pytest.raises(ProviderNonsense, match="gzip, deflate, br and zstd"):
        decoder_for(coding)


@given(
    coding=st.sampled_from(list(CODINGS)),
    data=st.binary(max_size=3000),
    cuts=st.lists(st.integers(0, 3000), max_size=8),
)
def test_any_split_decodes_to_the_same(coding, data, cuts):
    name, encoder = CODINGS[coding]
    encoded = whole(encoder, data)
    edges = sorted({0, len(encoded), *(each for each in cuts if each < len(encoded))})
    pieces = [encoded[start:end] for start, end in pairwise(edges)]
    decoded, decoder = decode(name, pieces)
    assert decoded == data
    assert decoder.whole()
