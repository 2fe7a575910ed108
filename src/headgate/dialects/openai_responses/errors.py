"""Errors of the Responses API, which are OpenAI's, and its way to say one in a stream; a part of `openai_responses`."""

from __future__ import annotations

import msgspec

from headgate.core.errors import GatewayError
from headgate.dialects.openai_errors import write_error as write_whole

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def write_error(error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
    """`streaming`: an `error` event and `response.failed`, as the API sends them.

    The event holds the error under `error` too, as the API does though its reference has it flat: OpenAI's SDKs raise
    it by that key. Codex and others know only `response.failed`. The numbers and the response's id of the stream so far
    are not known here; the error ends it.
    """
    body = write_whole(error, request_id, streaming=False)
    if not streaming:
        return body
    said = _decode(body)["error"]
    flat = {"code": said["code"], "message": said["message"], "param": said["param"]}
    event = {"type": "error", "sequence_number": 0, **flat, "error": said}
    response = {
        "id": f"resp_{request_id}",
        "object": "response",
        "created_at": 0,
        "status": "failed",
        "error": {"code": said["code"] or said["type"], "message": said["message"]},
        "incomplete_details": None,
        "model": "",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }
    failed = {"type": "response.failed", "sequence_number": 1, "response": response}
    return b"event: error\ndata: %b\n\nevent: response.failed\ndata: %b\n\n" % (_encode(event), _encode(failed))
