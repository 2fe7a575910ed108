"""Black Forest Labs' FLUX: https://docs.bfl.ai/quick_start/generating_images.

A picture is ordered, and asked after until it is there: that is for the provider to do, here are the words. Providers
alone speak it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from headgate.core.chat import Loss
from headgate.core.dialect import Reader
from headgate.core.errors import InvalidRequest, ProviderRefused
from headgate.core.images import Images, ImagesRequest
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import pictures, whole
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.pictures import Order
from headgate.dialects.unreached import read_request, relay, writer
from headgate.dialects.whole import content_type, foreign, in_url, stream_types, wanted

__all__ = [
    "content_type",
    "foreign",
    "in_url",
    "name",
    "operation",
    "paths",
    "read_error",
    "read_request",
    "reader",
    "relay",
    "reply_headers",
    "request_headers",
    "stream_types",
    "takes",
    "upstream_path",
    "wanted",
    "write_error",
    "write_request",
    "writer",
]

name = "bfl"
operation: Operation = "images"
paths: tuple[str, ...] = ()
upstream_path = "/v1/{model}"
takes: Literal["json"] = "json"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

API = "Black Forest Labs' API"
READY = "Ready"
MODERATED = ("Request Moderated", "Content Moderated")
OVER = (READY, *MODERATED, "Error", "Failed", "Task not found")
"""How a task may end: https://docs.bfl.ai/api_integration/errors. What else a status says is on the way to it."""
BILL = ("cost", "input_mp", "output_mp")
"""What an order costs, in credits of a cent, and the megapixels that were counted, as its first answer says."""
_BY_RATIO = re.compile(r"ultra|kontext")
"""Models that take a ratio of sides and no pixels: https://docs.bfl.ai/flux_models/flux_1_1_pro_ultra_raw."""
_EDITS = re.compile(r"flux-2|kontext")
"""Models that take pictures to begin with: https://docs.bfl.ai/flux_2/flux2_image_editing."""
MOST = 8
_NATIVE = (
    "seed", "aspect_ratio", "disable_pup", "finetune_id", "finetune_strength", "guidance", "height",
    "image_prompt", "image_prompt_strength", "input_image", *(f"input_image_{n}" for n in range(2, MOST + 1)),
    "prompt_upsampling", "raw", "safety_tolerance", "steps", "width",
)  # fmt: skip


def write_request(request: ImagesRequest, lost: list[Loss]) -> Order:
    """Raises Unsupported, and InvalidRequest for a model that would be another place."""
    pictures.one(request, API)
    most = MOST if _EDITS.search(request.model) else 0
    files = pictures.begun_with(request, most, f"{request.model} begins with {most or 'no'} pictures")
    native = pictures.leave(request, ("quality", "background", "user"), API, lost, _NATIVE)
    fields: dict[str, Any] = {"prompt": request.prompt}
    if _BY_RATIO.search(request.model):
        fields = whole.set_fields(fields, aspect_ratio=pictures.ratio(request, API, lost))
    elif (size := pictures.sides(request)) is not None:
        fields["width"], fields["height"] = size
    for number, file in enumerate(files, 1):
        fields["input_image" if number == 1 else f"input_image_{number}"] = b64encode(file.read()).decode()
    fields = whole.set_fields(fields, output_format=request.format)
    return Order({**fields, **native}, place(request.model), request.as_link is False)


def place(model: str) -> str:
    """Where a model is asked; names may have a slash (`flux-tools/erase-v1`)."""
    if not all(part.strip(".") for part in model.split("/")):
        raise InvalidRequest("`model` must be one of Black Forest Labs' models", param="model")
    return f"/v1/{quote(model)}"


class _Result(msgspec.Struct, gc=False):
    sample: str
    seed: Any = None
    prompt: str | None = None


class _Reply(msgspec.Struct, gc=False):
    status: str
    id: str = ""
    result: Any = None
    details: Any = None
    cost: Any = None
    input_mp: Any = None
    output_mp: Any = None


_reply = msgspec.json.Decoder(_Reply)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, read)


def read(body: bytes, deep: bool) -> whole.Said:
    """Of a task that is over; raises ProviderRefused for one without a picture."""
    reply = whole.decoded(_reply, body, pictures.WHAT)
    if reply.status in MODERATED:
        raise pictures.moderated(f"Black Forest Labs: {reply.status}{_reasons(reply.details)}", body, reply.status)
    if reply.status != READY:
        why = f"Black Forest Labs: {reply.status[:200]}{_reasons(reply.details)}"
        raise ProviderRefused(why, status=502, body=body, kind=reply.status[:200])
    try:
        result = msgspec.convert(reply.result, _Result)
    except msgspec.ValidationError as error:
        raise whole.nonsense(body, pictures.WHAT, str(error)) from None
    found = pictures.picture(result.sample, body)
    return whole.Said(
        value=Images(pictures=[found]),
        usage=Usage(units={"images": 1.0}, reported=_bill(reply)),
        id=reply.id,
        native={"seed": result.seed} if result.seed is not None else {},
    )


def _bill(reply: _Reply) -> dict[str, Any]:
    return {name: value for name in BILL if (value := getattr(reply, name)) is not None}


def _reasons(details: Any) -> str:
    """`{"Moderation Reasons": ["…"]}`, in whichever form."""
    if not isinstance(details, dict):
        return ""
    found = [one for value in details.values() for one in (value if isinstance(value, list) else [value])]
    words = [one[:200] for one in found if isinstance(one, str)]
    return f" ({', '.join(words)})" if words else ""
