"""Bodies of Cohere's embedding models, the same at Cohere's own two APIs and at Amazon: requests and replies.

Format: https://docs.cohere.com/reference/embed and https://docs.cohere.com/v1/reference/embed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core import chat
from headgate.core.chat import Loss
from headgate.core.embeddings import Embeddings, EmbeddingsRequest, Input, Mixed, Purpose, Tokens, Truncation, Vector
from headgate.core.errors import Unsupported
from headgate.core.usage import Usage
from headgate.dialects import vectors, whole
from headgate.dialects.fields import array, optional, others, string, wrong

API = "Cohere's embed API"
WORDS: dict[Purpose, str] = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}
PURPOSES: dict[str, Purpose] = {word: purpose for purpose, word in WORDS.items()}
NEAREST = {"question": "search_query", "fact": "search_query", "code": "search_query", "similarity": "search_document"}
"""What a purpose is said as that Cohere has no word for."""
IMAGE = "image"
"""The word for what the older models take a picture as."""
CUTS: dict[str, Truncation] = {"NONE": "none", "START": "start", "END": "end"}
ENCODINGS = ("float", "int8", "uint8", "binary", "ubinary", "base64")
LISTS = ("texts", "images", "inputs")
"""Where the inputs may stand; a request has one of them."""
_FIELDS = frozenset({"model", "stream", "input_type", "embedding_types", "output_dimension", "truncate", *LISTS})
_WHAT = "a set of embeddings"
_META = frozenset({"api_version", "billed_units", "tokens"})


class _Reply(msgspec.Struct, gc=False):
    embeddings: msgspec.Raw = msgspec.Raw()
    id: Any = None
    meta: Any = None


_reply = msgspec.json.Decoder(_Reply)
_floats = msgspec.json.Decoder(list[list[float]])
_by_type = msgspec.json.Decoder(dict[str, list[Vector] | None])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_decode = msgspec.json.Decoder().decode


def read_request(dialect: str, fields: Mapping[str, Any]) -> EmbeddingsRequest:
    """Raises InvalidRequest."""
    request = EmbeddingsRequest(
        dialect=dialect,
        model=fields["model"],
        inputs=[],
        dimensions=optional(fields, "output_dimension", int),
        native=others(fields, _FIELDS),
        names={
            "inputs": "texts",
            "dimensions": "output_dimension",
            "encodings": "embedding_types",
            "purpose": "input_type",
        },
    )
    types = fields.get("embedding_types")
    if types is not None:
        request.encodings = [string(item, f"embedding_types[{n}]") for n, item in enumerate(_listed(types))]
    for field in LISTS:
        if fields.get(field):
            request.names["inputs"] = field
            request.inputs += [_input(field, item, n) for n, item in enumerate(array(fields[field], field))]
    if not request.inputs:
        raise wrong("texts", "a list that is not empty (or `images`, or `inputs`)", fields.get("texts"))
    kind, cut = optional(fields, "input_type", str), optional(fields, "truncate", str)
    request.purpose = PURPOSES.get(kind or "")
    request.truncate = CUTS.get(cut or "")
    if kind == IMAGE:  # which the inputs say themselves
        request.aliased["input_type"] = kind
    elif kind is not None and request.purpose is None:
        request.native["input_type"] = kind
    if cut is not None and request.truncate is None:
        request.native["truncate"] = cut
    return request


def _listed(types: Any) -> list[Any]:
    return array(types, "embedding_types")


def _input(field: str, value: Any, index: int) -> Input:
    path = f"{field}[{index}]"
    if field == "texts":
        return string(value, path)
    if field == "images":
        return Mixed(parts=[chat.Image(source=vectors.source(string(value, path)))])
    content = value.get("content") if isinstance(value, dict) else None
    if not isinstance(content, list):
        raise wrong(f"{path}.content", "a list", content)
    return Mixed(parts=[_part(piece, f"{path}.content[{n}]") for n, piece in enumerate(content)], native=value)


def _part(value: Any, path: str) -> chat.Part:
    if isinstance(value, dict):
        image = value.get("image_url")
        if isinstance(value.get("text"), str):
            return chat.Text(text=value["text"])
        if isinstance(image, dict) and isinstance(image.get("url"), str):
            return chat.Image(source=vectors.source(image["url"]))
    raise wrong(path, "a text or an image_url", value)


def own_body(request: EmbeddingsRequest) -> dict[str, Any]:
    """A request of one of Cohere's APIs as it was said."""
    words = {purpose: word for word, purpose in PURPOSES.items()}
    cut = request.truncate.upper() if request.truncate else None
    return {
        **whole.set_fields(
            inputs_of(request, request.called("inputs")),
            input_type=words[request.purpose] if request.purpose else None,
            embedding_types=request.encodings or None,
            output_dimension=request.dimensions,
            truncate=cut,
        ),
        **request.aliased,
        **request.native,
    }


def body(request: EmbeddingsRequest, lost: list[Loss]) -> dict[str, Any]:
    """A request of another dialect in Cohere's words, but for the model.

    A vector's purpose must be said. Where the client did not, its texts are taken for documents, as most clients of
    other APIs mean them. Raises Unsupported.
    """
    pictures = [_is_picture(one) for one in request.inputs]
    field = (
        "images" if all(pictures) else "inputs" if any(isinstance(one, Mixed) for one in request.inputs) else "texts"
    )
    encodings = ["float" if one in vectors.PLAIN else one for one in vectors.only(request, ENCODINGS, API)]
    purpose = request.purpose
    word = WORDS.get(purpose or "document")
    if word is None:
        word = NEAREST[purpose or ""]
        lost.append(Loss(request.called("purpose"), f"{API} has no such word; said as {word}"))
    fields = whole.set_fields(
        inputs_of(request, field),
        input_type=IMAGE if field == "images" and purpose is None else word,
        embedding_types=list(dict.fromkeys(encodings)) or ["float"],
        output_dimension=request.dimensions,
        truncate=request.truncate.upper() if request.truncate else None,
    )
    vectors.leave(request, ("title", "user"), API, lost)
    vectors.leave_native(request, lost)
    return fields


def _is_picture(one: Input) -> bool:
    return isinstance(one, Mixed) and len(one.parts) == 1 and isinstance(one.parts[0], chat.Image)


def inputs_of(request: EmbeddingsRequest, field: str) -> dict[str, Any]:
    """The inputs under one of Cohere's three names. Raises Unsupported."""
    listed: list[Any] = []
    for index, one in enumerate(request.inputs):
        match one:
            case Tokens():
                raise vectors.without_tokens(request, index, API)
            case str() if field == "inputs":
                listed.append({"content": [{"type": "text", "text": one}]})
            case str():
                listed.append(one)
            case Mixed(native=native) if native and request.called("inputs") == field == "inputs":
                listed.append(native)
            case Mixed(parts=[chat.Image(source=source)]) if field == "images":
                listed.append(_data(source, vectors.place(request, index)))
            case Mixed(parts=parts):
                place = vectors.place(request, index)
                listed.append({"content": [_piece(part, place) for part in parts]})
    return {field: listed}


def _piece(part: chat.Part, place: str) -> dict[str, Any]:
    match part:
        case chat.Text(text=text):
            return {"type": "text", "text": text}
        case chat.Image(source=source):
            return {"type": "image_url", "image_url": {"url": _data(source, place)}}
    raise Unsupported(f"{API} embeds texts and pictures", param=place)


def _data(source: chat.Source, place: str) -> str:
    url = vectors.link(source)
    if url is None or not url.startswith("data:"):
        raise Unsupported(f"{API} takes a picture's data, not its address: send a data: URL", param=place)
    return url


def read(body: bytes, deep: bool) -> whole.Said:
    """A reply of any of these APIs. Raises ProviderNonsense."""
    reply = whole.decoded(_reply, body, _WHAT)
    raw = reply.embeddings
    first = whole.first_byte(raw)
    if first not in (b"[", b"{"):
        raise whole.nonsense(body, _WHAT, "no `embeddings`")
    meta = reply.meta if isinstance(reply.meta, dict) else {}
    said = whole.Said(usage=_usage(meta), id=whole.text(reply.id))
    if deep:
        if first == b"[":
            found: dict[str, list[Vector]] = {"float": [*whole.decoded(_floats, raw, _WHAT)]}
        else:
            found = {key: value for key, value in whole.decoded(_by_type, raw, _WHAT).items() if value is not None}
        said.value = Embeddings(vectors=found)
        known = ("embeddings", "id", "response_type", "texts", "meta")
        members = whole.decoded(_members, body, _WHAT)
        said.native = {key: _decode(value) for key, value in members.items() if key not in known}
        if meta.keys() - _META:  # a warning, say
            said.native["meta"] = meta
    return said


def _usage(meta: dict[str, Any]) -> Usage | None:
    """`billed_units`; Amazon's replies have none."""
    billed = meta.get("billed_units")
    if not isinstance(billed, dict):
        return None
    images = whole.count(billed.get("images"))
    return Usage(
        input=whole.count(billed.get("input_tokens")) or whole.count(billed.get("text_tokens")),
        input_image=whole.count(billed.get("image_tokens")),
        units={"images": float(images)} if images else {},
        reported=billed,
    )


def write(said: whole.Said, request: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The fields of a reply of one of Cohere's own APIs."""
    value: Embeddings = said.value
    types = request.get("embedding_types")
    wanted = [one for one in types if isinstance(one, str)] if isinstance(types, list) else []
    given = {one: vectors.vectors_in(value, one) for one in wanted or ["float"]}
    usage = said.usage or Usage()
    billed: dict[str, Any] = {"input_tokens": usage.prompt - usage.input_image}
    if usage.input_image:
        billed["image_tokens"] = usage.input_image
    if usage.units.get("images"):
        billed["images"] = usage.units["images"]
    texts = request.get("texts")
    fields: dict[str, Any] = {
        "id": said.id,
        "texts": texts if isinstance(texts, list) else [],
        "embeddings": given if wanted or version != "1" else given["float"],
        "meta": {"api_version": {"version": version}, "billed_units": billed},
        "response_type": "embeddings_by_type" if wanted or version != "1" else "embeddings_floats",
    }
    return fields
