"""What hosts with OpenAI's embeddings API call what OpenAI has no word for; a part of `openai_embeddings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core import chat
from headgate.core.chat import Loss
from headgate.core.embeddings import EmbeddingsRequest, Mixed, Purpose
from headgate.core.errors import Unsupported
from headgate.dialects import vectors, whole
from headgate.dialects.openai_embeddings.requests import NAME, own_body


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """One host's words."""

    name: str
    """The dialect's."""
    api: str
    purpose: str
    """The field that says what a vector is for."""
    purposes: Mapping[Purpose, str]
    nearest: Mapping[Purpose, str] = {}
    """What is said for a purpose the host has no word for."""
    assumed: Purpose | None = None
    """The purpose of a request that says none, where the host must be told one."""
    truncate: str
    truncations: Mapping[str, Any]
    """`start`, `end` and `none` as it says them."""
    dimensions: str = "dimensions"
    form: str = "encoding_format"
    """The field for `base64`, and for `float` if `says_float`."""
    says_float: bool = True
    small: str | None = None
    """The field for vectors of small whole numbers."""
    encodings: tuple[str, ...] = ("float", "base64")
    pictures: bool = False


def body(host: Host, request: EmbeddingsRequest, lost: list[Loss]) -> dict[str, Any]:
    """A request in the host's words. Raises Unsupported.

    What a client of OpenAI's API says beside that API is meant for the host, and passes as it came.
    """
    if request.dialect == host.name:
        return own_body(request)
    inputs = [_said(host, request, index) for index in range(len(request.inputs))]
    fields: dict[str, Any] = {"model": request.model, "input": inputs[0] if request.single else inputs}
    purpose = request.purpose or host.assumed
    if purpose is not None:
        fields.update(_purpose(host, request, purpose, lost))
    if request.truncate is not None:
        word = host.truncations.get(request.truncate)
        if word is None:
            word = host.truncations["end"]
            lost.append(Loss(request.called("truncate"), f"{host.api} cuts the end off an input that is too long"))
        fields[host.truncate] = word
    if request.dimensions is not None:
        fields[host.dimensions] = request.dimensions
    fields.update(_form(host, request, lost))
    vectors.leave(request, ("title", "user"), host.api, lost)
    if request.dialect == NAME:
        return {**request.native, **fields}
    vectors.leave_native(request, lost)
    return fields


def _purpose(host: Host, request: EmbeddingsRequest, purpose: Purpose, lost: list[Loss]) -> dict[str, str]:
    word = host.purposes.get(purpose)
    if word is not None:
        return {host.purpose: word}
    word = host.nearest.get(purpose)
    why = f"{host.api} has no such word" + (f"; said as {word}" if word else "")
    lost.append(Loss(request.called("purpose"), why))
    return {host.purpose: word} if word else {}


def _form(host: Host, request: EmbeddingsRequest, lost: list[Loss]) -> dict[str, str]:
    """The host gives one form; a client that wants several gets the first, if the gateway can make the others of it."""
    encodings = vectors.only(request, host.encodings, host.api)
    if len(set(encodings) - vectors.PLAIN) + bool(vectors.PLAIN.intersection(encodings)) > 1:
        raise Unsupported(f"{host.api} gives one form of a vector: ask for one", param=request.called("encodings"))
    if not encodings:
        return {}
    if encodings[0] not in vectors.PLAIN and host.small is not None:
        return {host.small: encodings[0]}
    return {host.form: encodings[0]} if encodings[0] != "float" or host.says_float else {}


def _said(host: Host, request: EmbeddingsRequest, index: int) -> Any:
    one = request.inputs[index]
    match one:
        case Mixed(native=native) if request.dialect == NAME:
            return native
        case Mixed(parts=[chat.Image(source=source)]) if host.pictures:
            url = vectors.link(source)
            if url is not None:
                return {"image": url}
    return vectors.text_of(request, index, host.api)


def plain(host: Host, request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    """`body`, as it is sent."""
    return whole.encode(body(host, request, lost))
