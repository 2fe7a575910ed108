"""What the simulator answers where nobody chats: deterministic, near where words are shared, of the asked form."""

import base64
import struct
import zlib

import pytest

from headgate.core import chat
from headgate.core.embeddings import EmbeddingsRequest, Mixed, Tokens
from headgate.core.errors import InvalidRequest
from headgate.core.images import ImagesRequest
from headgate.core.moderation import ModerationRequest
from headgate.core.rerank import Entry, RerankRequest
from headgate.providers.simulator import operations


def embedded(*inputs, **fields):
    return operations.embedded(EmbeddingsRequest(dialect="d", model="m", inputs=list(inputs), **fields))


def dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


class TestEmbeddings:
    def test_texts_that_share_words_are_near(self):
        value, usage = embedded("the cat sat", "the cat ran", "quantum chromodynamics")
        cat, also, other = value.vectors["float"]
        assert dot(cat, cat) == pytest.approx(1, abs=1e-5)
        assert dot(cat, also) > 0.5 > abs(dot(cat, other))
        assert (len(cat), usage.input) == (256, 8)
        assert embedded("the cat sat")[0].vectors["float"] == [cat]

    def test_any_input_has_a_vector(self):
        picture = Mixed(parts=[chat.Text(text="a"), chat.Image(source=chat.Link("https://e"))])
        value, usage = embedded("", Tokens([1, 2, 3]), picture, "\ud800", dimensions=8)
        assert [len(vector) for vector in value.vectors["float"]] == [8] * 4
        assert usage.input == 5

    def test_every_form(self):
        forms = ["float", "base64", "int8", "uint8", "binary", "ubinary"]
        found = embedded("a b c", dimensions=16, encodings=forms)[0].vectors
        assert list(found) == [form for form in forms if form != "base64"]
        assert all(-127 <= number <= 127 for number in found["int8"][0])
        assert [number - 128 for number in found["uint8"][0]] == found["int8"][0]
        assert len(found["ubinary"][0]) == len(found["binary"][0]) == 2
        assert [byte - 128 for byte in found["ubinary"][0]] == found["binary"][0]

    @pytest.mark.parametrize("size", [-1, 4097])
    def test_its_size_has_bounds(self, size):
        with pytest.raises(InvalidRequest) as caught:
            embedded("a", dimensions=size, names={"dimensions": "output_dimension"})
        assert caught.value.param == "output_dimension"


def test_documents_are_ranked_by_the_querys_words():
    documents = [Entry(text=text) for text in ("nothing", "a red cat", "the cat", "")]
    request = RerankRequest(dialect="d", model="m", query="red cat", documents=documents, top=3)
    value, usage = operations.ranked(request)
    assert [(one.index, one.score) for one in value.ranks] == [(1, 1.0), (2, 0.5), (0, 0.0)]
    assert usage.units == {"searches": 1.0}
    request = RerankRequest(dialect="d", model="m", query="", documents=documents[:1], top=-5)
    assert operations.ranked(request)[0].ranks == []


def test_nothing_is_flagged():
    request = ModerationRequest(dialect="d", model="m", inputs=[[chat.Text(text="a")], [chat.Text(text="b")]])
    value, _ = operations.judged(request)
    assert [one.flagged for one in value.verdicts] == [False, False]
    assert not any(value.verdicts[0].categories.values())


class TestPictures:
    def test_they_are_png(self):
        value, usage = operations.painted(ImagesRequest(dialect="d", model="m", prompt="a cat", n=2))
        first, second = (base64.b64decode(one.base64) for one in value.pictures)
        assert first != second
        assert usage.units == {"images": 2.0}
        assert chunks(first)[b"IHDR"] == struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
        assert len(zlib.decompress(chunks(first)[b"IDAT"])) == 4
        assert "simulated" in value.pictures[0].revised_prompt

    def test_as_an_address(self):
        request = ImagesRequest(dialect="d", model="m", prompt="a cat", as_link=True)
        assert operations.painted(request)[0].pictures[0].url.startswith("data:image/png;base64,")

    @pytest.mark.parametrize("n", [0, 11])
    def test_their_number_has_bounds(self, n):
        with pytest.raises(InvalidRequest):
            operations.painted(ImagesRequest(dialect="d", model="m", prompt="a", n=n))


def chunks(data):
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    found, at = {}, 8
    while at < len(data):
        [length] = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + content)
        found[kind] = content
        at += 12 + length
    return found


def test_directives_stand_in_the_last_text():
    words = "[sim status=503]"
    assert operations.asked(EmbeddingsRequest(dialect="d", model="m", inputs=["a", words])) == words
    assert operations.asked(RerankRequest(dialect="d", model="m", query=words, documents=[])) == words
    assert operations.asked(ImagesRequest(dialect="d", model="m", prompt=words)) == words
    parts = [chat.Text(text="a"), chat.Text(text=words)]
    assert operations.asked(ModerationRequest(dialect="d", model="m", inputs=[parts])) == words
    assert operations.asked(EmbeddingsRequest(dialect="d", model="m", inputs=[Tokens([1])])) == ""
