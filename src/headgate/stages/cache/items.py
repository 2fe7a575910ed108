"""Embeddings are kept input by input: of a batch only those are asked for that are not there.

What an input used is not told by any vendor for each of a batch. Where one was asked for alone, it is known; else what
the batch used is shared among its inputs by their length (pictures by their number), whole tokens, so that the shares
add up to what the provider counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from headgate.core import chat
from headgate.core.cached import Entry
from headgate.core.dialect import Dialect
from headgate.core.embeddings import Embeddings, EmbeddingsRequest, Input, Mixed, Tokens, Vector
from headgate.core.errors import GatewayError, ProviderNonsense
from headgate.core.events import Event, Result, Used
from headgate.core.usage import Usage
from headgate.dialects.vectors import PLAIN, vectors_in

FORM = "vector"
"""In place of a dialect: that an entry is one of these."""
ALIKE = frozenset({"openai_embeddings", "ollama_embed", "ollama_embeddings", "gemini_embed"})
"""Dialects in which the same words go to a model as the same request."""
TOLD = frozenset({"cohere_embed", "cohere_embed_v1"})
"""The same, where it is said what the vectors are for."""
BESIDE = frozenset(EmbeddingsRequest.__struct_fields__)
_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


class Item(msgspec.Struct, array_like=True, frozen=True):
    """What is kept of one input: encoding → its vector, as it came, and its share of what was used."""

    vectors: dict[str, Vector]
    usage: Usage


_unpack = msgspec.msgpack.Decoder(Item).decode


def meant(request: EmbeddingsRequest) -> tuple[Any, ...] | None:
    """What its inputs have in common. None: they are not to be told apart, as one may bear on another's vector
    (`late_chunking`), or have settings of its own."""
    if request.native or request.bound or request.title:
        return None
    if any(getattr(request, name) for name in type(request).__struct_fields__ if name not in BESIDE):
        return None
    plain = not request.aliased and all(_words(one) is not None for one in request.inputs)
    alike = plain and (request.dialect in ALIKE or (request.purpose is not None and request.dialect in TOLD))
    return (
        "vector",
        None if alike else request.dialect,
        request.dimensions,
        request.purpose,
        request.truncate,
        "plain" if _plain(request) else request.encodings,
        request.aliased,
    )


def _plain(request: EmbeddingsRequest) -> bool:
    """Whether the vectors are wanted in one of the forms that the gateway makes of each other."""
    return len(request.encodings) < 2 and PLAIN.issuperset(request.encodings) and "encodings" not in _renamed(request)


def _renamed(request: EmbeddingsRequest) -> set[str]:
    """What is said in another vendor's word."""
    return {field for field, name in request.names.items() if name in request.aliased}


def keys(key: bytes, inputs: Sequence[Input]) -> list[bytes]:
    """`key`: of what they have in common."""
    return [blake2b(_said(one), key=key, digest_size=24).digest() for one in inputs]


def together(key: bytes, keys: Sequence[bytes]) -> bytes:
    """A key for all of these; for one it is its own."""
    if len(keys) == 1:
        return keys[0]
    return blake2b(b"".join(keys), key=key, digest_size=24).digest()


def _said(one: Input) -> bytes:
    words = _words(one)
    if words is not None:
        return _encode(words)
    return _encode(one.ids if isinstance(one, Tokens) else [repr(one)])


def _words(one: Input) -> str | None:
    """None where it is anything but a text; Google's SDK says of one that it is a user's."""
    if isinstance(one, str):
        return one
    if isinstance(one, Mixed) and len(one.parts) == 1 and one.native.keys() <= {"parts", "role"}:
        part = one.parts[0]
        return part.text if isinstance(part, chat.Text) and not part.native else None
    return None


def parts(dialect: Dialect, body: bytes, inputs: Sequence[Input]) -> list[Item]:
    """An answer by its inputs; [] where it has not one vector for each."""
    reader = dialect.reader(False)
    try:
        events = [*reader.feed(body), *reader.end()]
    except GatewayError:
        return []
    return _parted(events, inputs)


def _parted(events: Sequence[Event], inputs: Sequence[Input]) -> list[Item]:
    value: Embeddings | None = next((each.value for each in events if isinstance(each, Result)), None)
    usage = next((each.usage for each in events if isinstance(each, Used)), Usage())
    if value is None or not value.vectors or any(len(each) != len(inputs) for each in value.vectors.values()):
        return []
    shares = shared(usage, inputs)
    return [
        Item({encoding: vectors[place] for encoding, vectors in value.vectors.items()}, shares[place])
        for place in range(len(inputs))
    ]


def packed(item: Item) -> bytes:
    return _pack(item)


def shared(usage: Usage, inputs: Sequence[Input]) -> list[Usage]:
    """What each of them used."""
    texts = [_length(one) for one in inputs]
    pictures = [_pictures(one) for one in inputs]
    text = _split(usage.input, texts)
    image = _split(usage.input_image, pictures if any(pictures) else texts)
    units = {name: _split(int(number), pictures if any(pictures) else texts) for name, number in usage.units.items()}
    return [
        Usage(
            input=text[place],
            input_image=image[place],
            units={name: float(numbers[place]) for name, numbers in units.items() if numbers[place]},
            tier=usage.tier,
        )
        for place in range(len(inputs))
    ]


def _split(number: int, weights: Sequence[int]) -> list[int]:
    """In whole numbers that add up to it, by largest remainders."""
    whole = sum(weights)
    if not number or not whole:
        return [0] * len(weights)
    shares = [number * weight // whole for weight in weights]
    rest = sorted(range(len(weights)), key=lambda place: (-(number * weights[place] % whole), place))
    for place in rest[: number - sum(shares)]:
        shares[place] += 1
    return shares


def _length(one: Input) -> int:
    match one:
        case str():
            return len(one) or 1
        case Tokens(ids=ids):
            return len(ids) or 1
        case Mixed(parts=parts):
            return sum(len(part.text) for part in parts if isinstance(part, chat.Text)) or 1


def _pictures(one: Input) -> int:
    return sum(not isinstance(part, chat.Text) for part in one.parts) if isinstance(one, Mixed) else 0


def value(request: EmbeddingsRequest, items: Sequence[Item]) -> Embeddings:
    """All of them as one answer. Raises ProviderNonsense where they do not go together."""
    if _plain(request):
        form = request.encodings[0] if request.encodings else "float"
        return Embeddings(vectors={form: [vectors_in(_one(each), form)[0] for each in items]})
    return Embeddings(vectors={form: [vectors_in(_one(each), form)[0] for each in items] for form in items[0].vectors})


def _one(item: Item) -> Embeddings:
    return Embeddings(vectors={form: [vector] for form, vector in item.vectors.items()})


class Kept:
    """Of a batch, the vectors that there are, all of one target: those of two models are not to be compared."""

    def __init__(
        self,
        request: EmbeddingsRequest,
        keys: Sequence[bytes],
        entries: Sequence[Entry | None],
        oldest: float,
        now: float,
        late: float = 0.0,
    ) -> None:
        """`oldest`: seconds since an entry was asked for, above which it does not count; `late`: those after its time
        in which it does."""
        self.request = request
        fresh = [
            each
            if each is not None and each.dialect == FORM and now < each.until + late and now - each.time < oldest + 1
            else None
            for each in entries
        ]
        counts = Counter(each.target for each in fresh if each is not None)
        self.target = counts.most_common(1)[0][0] if counts else None
        """Who gave most of them."""
        good = [each if each is not None and each.target == self.target else None for each in fresh]
        self.items = [_read(each) if each is not None else None for each in good]
        self.there = [item for item in self.items if item is not None]
        self.all = len(self.there) == len(entries)
        self.entries = [each for each in good if each is not None]
        self.lacking = [key for key, item in zip(keys, self.items, strict=True) if item is None]
        self.asked = [one for one, item in zip(request.inputs, self.items, strict=True) if item is None]
        self.usage = Usage()
        for each in self.there:
            self.usage = self.usage.plus(each.usage)

    async def fill(self, events: list[Event]) -> list[Event]:
        """A filter: makes of an answer to those that were lacking one to all. Raises ProviderNonsense where it is none
        to those."""
        new = iter(_parted(events, self.asked))
        whole = [item for each in self.items if (item := each or next(new, None)) is not None]
        if len(whole) < len(self.items):
            raise ProviderNonsense(f"the provider was asked for {len(self.asked)} embeddings and gave another number")
        return [self._filled(event, whole) for event in events]

    def _filled(self, event: Event, items: Sequence[Item]) -> Event:
        if isinstance(event, Result):
            return Result(value=value(self.request, items))
        return Used(usage=event.usage.plus(self.usage)) if isinstance(event, Used) else event


def _read(entry: Entry) -> Item | None:
    try:
        return _unpack(entry.body)
    except msgspec.DecodeError:
        return None
