"""Requests of OpenAI's audio API for transcriptions and translations, read and written; a part of `openai_audio`.

https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from headgate.core.audio import TranscriptFormat, TranscriptionRequest
from headgate.core.chat import Loss
from headgate.core.errors import InvalidRequest
from headgate.core.form import File, Written
from headgate.dialects import transcripts

NAME = "openai_audio"
TRANSLATIONS = "openai_translations"
FORMATS = get_args(TranscriptFormat)
TEXTS = ("text", "srt", "vtt")
"""Formats that are not JSON."""
_KNOWN = frozenset(
    {
        "file", "model", "language", "languages", "prompt", "keywords", "temperature", "response_format",
        "timestamp_granularities", "stream",
    }
)  # fmt: skip


def read(name: str, fields: Mapping[str, Any]) -> TranscriptionRequest:
    """Raises InvalidRequest with `param` naming the field."""
    file = fields.get("file")
    if not isinstance(file, File):
        raise InvalidRequest("`file` must be a file: one part of the form, with a filename", param="file")
    shape = _text(fields, "response_format") or "json"
    if shape not in FORMATS:
        raise InvalidRequest(f"`response_format` must be one of {', '.join(FORMATS)}", param="response_format")
    return TranscriptionRequest(
        dialect=name,
        model=fields["model"],
        stream=bool(fields.get("stream")),
        file=file,
        translate=name == TRANSLATIONS,
        language=_text(fields, "language"),
        languages=_texts(fields, "languages"),
        prompt=_text(fields, "prompt"),
        keywords=_texts(fields, "keywords"),
        temperature=_number(fields, "temperature"),
        format=cast("TranscriptFormat", shape),
        granularities=_texts(fields, "timestamp_granularities"),
        native={key: value for key, value in fields.items() if key not in _KNOWN},
    )


def _text(fields: Mapping[str, Any], key: str) -> str | None:
    value = fields.get(key)
    if value is None or isinstance(value, str):
        return value or None
    raise InvalidRequest(f"`{key}` must be a text, once", param=key)


def _texts(fields: Mapping[str, Any], key: str) -> list[str]:
    value = fields.get(key, [])
    values = value if isinstance(value, list) else [value]
    if all(isinstance(each, str) for each in values):
        return values
    raise InvalidRequest(f"`{key}` must be texts", param=key)


def _number(fields: Mapping[str, Any], key: str) -> float | None:
    text = _text(fields, key)
    try:
        value = float(text) if text is not None else None
    except ValueError:
        value = float("nan")
    if value is not None and not -1e9 < value < 1e9:
        raise InvalidRequest(f"`{key}` must be a number", param=key)
    return value


def write(name: str, request: TranscriptionRequest, lost: list[Loss]) -> Written:
    """A form of the gateway's own."""
    own = request.dialect in (NAME, TRANSLATIONS)
    if name == NAME:
        transcripts.only_transcribed(request, "this API")
    elif not request.translate:
        raise InvalidRequest("a transcription cannot be asked for as a translation", param="model")
    if not own:
        transcripts.leave(request, (), "OpenAI's audio API", lost)
    fields = {
        "model": request.model,
        "language": request.language,
        "languages": request.languages,
        "prompt": request.prompt,
        "keywords": request.keywords,
        "temperature": request.temperature,
        "response_format": request.format,
        "timestamp_granularities": request.granularities,
        "stream": True if request.stream else None,
        **(request.native if own else {}),
        "file": request.file,
    }
    return Written({key: value for key, value in fields.items() if value not in (None, [])})
