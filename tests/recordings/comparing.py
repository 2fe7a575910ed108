"""What went up and what came back, compared with the recording; whatever differs by intention is named here."""

import json
import re
from urllib.parse import unquote

from recordings.hosts import theirs
from recordings.replay import sent

CHANGES = (
    # provider or dialect, path in the body, why
    (
        "",
        r"\$\.stream_options(\.include_usage)?",
        "token counts are asked for where the client did not, for the record",
    ),
    ("", r"\$\.model", "the client of a gateway says the model where a vendor's deployment or default would do"),
    ("gemini_generate", r"\$\.model", "stands in the URL; Google refuses another one in the body"),
    (
        "gemini_count_tokens",
        r"\$\.generateContentRequest\.systemInstruction\.parts",
        "a request that holds a model of its own is written anew, and one part is a list of one",
    ),
    (
        "openai",
        r"\$\.max_(completion_)?tokens",
        "models that reason refuse `max_tokens`, and get it as `max_completion_tokens`",
    ),
    ("mistral", r"\$\.messages\[\d+\]\.(tool_calls\[\d+\]\.id|tool_call_id)", "ids in the form Mistral insists on"),
)
"""Changes of requests in their own dialect."""
_LLAMA = "ollama/llama-stack__integration.responses."
_VERTEX = "vertex/vertexai-sdk-test-data__mock-responses.vertexai."
NO_REPLIES = {
    **dict.fromkeys(
        (
            f"{_LLAMA}011f70e24ce4.0-77becc",
            f"{_LLAMA}1f48f4b2ae33.0-9daa24",
            f"{_LLAMA}43e106de6736.0-65d697",
            f"{_LLAMA}477f8946bf7d.0-d86f0f",
            f"{_LLAMA}56ac6a7c6df0.0-c7ad61",
            f"{_LLAMA}61be36ad8ccd.0-aa4581",
            f"{_LLAMA}83c2ffb72daa.0-b55a93",
        ),
        "a reply of /api/embed, written down under the address of /api/embeddings",
    ),
    **dict.fromkeys(
        (
            f"{_VERTEX}streaming-failure-invalid-json.0-6199c1",
            f"{_VERTEX}streaming-failure-malformed-content.0-2fbc5e",
            f"{_VERTEX}unary-failure-malformed-content.0-93c570",
        ),
        "broken on purpose: the gateway says that this is no reply of the API",
    ),
}
"""Recordings whose replies are none, and why: they are answered with 502."""
QUERIES = {
    "anthropic": {"beta": "true"},  # the SDK's mark for what the header `anthropic-beta` says
    "gemini": {"$alt": "json;enum-encoding=int"},  # of Google's generated clients, which read names of enums too
    "vertex": {"$alt": "json;enum-encoding=int"},
}
"""Fields of queries that say nothing to the host, and stay behind."""
KEYS = re.compile(rb"\b(?:sk|gsk|xai|pplx|csk|nvapi|rk|pk)[-_][A-Za-z0-9_.*-]{5,}[A-Za-z0-9_*-]")
LAST = re.compile(
    r"^event: ?(message_stop|response\.(completed|incomplete|failed))$"
    r'|"type": ?"(message_stop|response\.(completed|incomplete|failed))"|^data: ?\[DONE\]$',
    re.MULTILINE,
)
"""The frame with which a stream ends; some hosts send the marker of another API after it, which is left out."""
UNASKED = re.compile(r',\s?"usage":\s?null')
ASTRAY = "The API does not seem to be there: check base_url"
BLANK = re.compile(r"\r?\n\r?\n")


def changed(found, host, face, seen):
    """What is wrong with the request that the provider got; None if nothing is."""
    if found["request"].get("body") is not None:
        for item in seen["diff"].get("items", ()):
            names = ("", found["provider"], face.dialect.name)
            allowed = any(who in names and re.fullmatch(path, item["path"]) for who, path, _ in CHANGES)
            if item["level"] == "hard" and not allowed:
                return f"request: {item}"
    query = seen.get("query_diff", {}).get("recorded", {})
    missing = query.items() - seen["query"].items() - QUERIES.get(found["provider"], {}).items()
    if missing and missing != {("alt", "sse")}:
        return f"query: {seen['query_diff']}"
    if face.dialect.in_url and not seen["path_same"]:
        theirs_and_ours = [unquote(path).rpartition("/models/")[2] for path in (seen["path_recorded"], seen["path"])]
        if found["provider"] != "vertex" or len(set(theirs_and_ours)) > 1:  # its projects and places are the gateway's
            return f"path: {seen['path']}, not {seen['path_recorded']}"
    if not face.dialect.in_url and not seen["path"].endswith(theirs(face.dialect, host)):
        return f"path: {seen['path']}"
    for name in face.dialect.request_headers:
        said = found["request"]["headers"].get(name.decode())
        if said and said != "REDACTED" and seen["headers"].get(name.decode()) != said:
            return f"header {name}: {seen['headers'].get(name.decode())}, not {said}"
    return None


def differs(found, face, answer, got):
    """What is wrong with the reply that the client got; None if nothing is."""
    response = found["response"]
    data = sent(found)
    if found["id"] in NO_REPLIES:
        return None if answer.status == 502 else f"status {answer.status}: {got[:300]!r}"
    if answer.status >= 400 > response["status"] and json.dumps(message_of(json.loads(got)))[1:-1] in data.decode():
        return None  # the provider's error stands in the first event, so the status can tell it
    if answer.status != response["status"]:
        return f"status {answer.status}: {got[:300]!r}"
    for name in face.dialect.reply_headers:
        said = response.get("headers", {}).get(name.decode())
        if said and answer.getheader(name.decode()) != said:
            return f"header {name}: {answer.getheader(name.decode())}, not {said}"
    if answer.status >= 400:
        return wrong_error(KEYS.sub(b"[key]", data), got)
    if got == data or ("sse" in response and streamed_alike(found, face.dialect.name, data.decode(), got.decode())):
        return None
    if "sse" in response and b'"error' in data and data == got + b"data: [DONE]\n\n":
        return None  # a failure is the end of a stream; what comes after it in a piece of its own is not waited for
    at = next((at for at, (one, other) in enumerate(zip(data, got, strict=False)) if one != other), len(got))
    return (
        f"reply from {at} of {len(data)}: {got[max(0, at - 60) : at + 100]!r}, not {data[max(0, at - 60) : at + 100]!r}"
    )


def streamed_alike(found, dialect, data, got):
    """Whether frame by frame it is the recorded stream, but for what the gateway says it changes."""
    expected, seen = frames(data), frames(got)
    if dialect in ("openai_chat", "openai_completions"):
        body = found["request"].get("body")
        if body is not None and not (body.get("stream_options") or {}).get("include_usage"):
            expected = [UNASKED.sub("", frame) for frame in expected if not only_usage(frame)]
        if not any(frame.endswith("[DONE]") for frame in expected):
            expected.append("data: [DONE]")
    end = next((at for at, frame in enumerate(expected) if LAST.search(frame)), len(expected))
    expected = expected[: end + 1]
    if seen == expected:
        return True
    if expected[-1:] == ["data: [DONE]"] and not data.rstrip().endswith("[DONE]"):
        expected.pop()  # it was not the end, so none was made up
    return seen[:-1] == expected and '"error"' in seen[-1]


def frames(stream):
    return [frame for frame in BLANK.split(stream) if frame.strip()]


def only_usage(frame):
    """A chunk that the provider sends because it was asked for usage."""
    text = frame.partition("data:")[2]
    if '"usage"' not in text:
        return False
    chunk = json.loads(text)
    return not chunk.get("choices") and bool(chunk["usage"]) and "error" not in chunk


def wrong_error(data, got):
    """An error is the provider's own where it has the dialect's form; else its words stand in that form."""
    if got == data:
        return None
    try:
        said = json.loads(data)
    except ValueError:
        said = data.decode()
    words = message_of(said)
    theirs = message_of(json.loads(got))
    if words is None or words not in theirs:
        return f"error: {theirs!r}, not {words!r}"
    inner = said.get("error") if isinstance(said, dict) and not said.get("choices") else None
    if isinstance(inner, dict) and isinstance(inner.get("message"), str) and ASTRAY not in theirs:
        return f"error in the dialect's own form, and not passed on: {got!r}"
    return None


def message_of(said):
    """What an error of any host says."""
    if isinstance(said, list) and said:
        said = said[0]
    if isinstance(said, dict):
        for name in ("message", "error", "detail", "msg"):
            if isinstance(said.get(name), dict | list | str) and said[name]:
                return message_of(said[name])
        return None
    return said if isinstance(said, str) else None
