"""Every recorded reply of a chat, to clients of other dialects: the vendor's own SDK hears what was said.

A plain question is asked in the client's dialect and answered by the recording, whole or streamed as that was. Text,
tool calls, the reason for the end and the sums of tokens are read from the recording, and from what the SDK has parsed,
by `recordings/saying.py`, which is none of the gateway's.

`make test` takes every recording once, with a client in turn, so that each pair of dialects is covered and a run is
like any other. HEADGATE_SOAK=1 takes every recording with every other client.
"""

import re

import pytest

from gateways import rounds
from recordings.comparing import NO_REPLIES, message_of
from recordings.hosts import SPOKEN
from recordings.saying import FILTER, STOP, UNFINISHED, arguments, recorded, said
from recordings.sdks import ERRORS, Clients, status_of, told

APIS = {
    "chat_completions": "openai_chat",
    "responses": "openai_responses",
    "messages": "anthropic_messages",
    "generateContent": "gemini_generate",
    "converse": "bedrock_converse",
    "chat_v2": "cohere_chat",
    "ollama_chat": "ollama_chat",
}
KEYS = re.compile(r"\b(?:sk|gsk|xai|pplx|csk|nvapi|rk|pk)[-_][A-Za-z0-9_.*-]{5,}[A-Za-z0-9_*-]")
WORDLESS = ("cohere_chat", "ollama_chat")
"""Dialects that have no word for an answer that was held back; the gateway names it as lost."""
PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What Anthropic and Amazon take for the id of a call; others are spelt in it."""
_BLOCKS = "bedrock/ai__amazon-bedrock.amazon-bedrock-json-"
DEFECTS = {
    **NO_REPLIES,
    f"{_BLOCKS}tool-with-answer.1.0-cbaea5": "written by hand: blocks with a `type`, which Converse does not have",
    f"{_BLOCKS}with-tools.1.0-42be30": "the same",
    "vertex/vertexai-sdk-test-data__mock-responses.vertexai.streaming-failure-error-mid-stream.0-2169d8": "written by "
    "hand: an error after the reason for which the reply had ended",
}
"""Recordings that are no replies of their API, and why."""


@pytest.fixture(scope="module")
def clients(gateway):
    with Clients(gateway) as made:
        yield made


def shared_out(replay, source, client, refused=False):
    """The recorded replies (or errors) of a dialect that this client gets: its share, or all of them."""
    turns = [dialect for dialect in SPOKEN if dialect != source]
    chats = [
        id
        for id, listed in sorted(replay.store.by_id.items())
        if APIS.get(listed.api) == source and listed.method == "POST" and (listed.status >= 400) is refused
    ]
    step, start = rounds((len(turns), turns.index(client)), (1, 0))
    return [found for found in map(replay.store.load, chats[start::step]) if found["id"] not in DEFECTS]


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("source", SPOKEN)
def test_what_was_said_is_heard(replay, gateway, clients, source, client):
    if source == client:
        return
    wrong = []
    for found in shared_out(replay, source, client):
        if is_many(found):
            continue
        replay.pin(found)
        try:
            heard = said(client, clients.ask(client, source, found["stream"]))
        except ERRORS as error:
            heard = error
        amiss = differs(recorded(source, found), heard, client)
        if amiss:
            wrong.append(f"{found['id']}: {amiss}")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("source", SPOKEN)
def test_an_error_is_raised_as_one(replay, gateway, clients, source, client):
    if source == client:
        return
    wrong = []
    for found in shared_out(replay, source, client, refused=True):
        replay.pin(found)
        try:
            wrong.append(f"{found['id']}: no error, but {clients.ask(client, source, found['stream'])}")
        except ERRORS as error:
            body = found["response"].get("body", found["response"].get("text", ""))
            words = message_of(body) or ""
            if status_of(error) != found["response"]["status"] or KEYS.sub("[key]", words) not in told(error):
                wrong.append(f"{found['id']}: {status_of(error)} {told(error)!r}, not {words!r}")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


def is_many(found):
    """Two replies in one stream, one after the other: no API sends that."""
    return any(found["response"].get("sse", "").count(f'"type":"{name}"') > 1 for name in BEGINNINGS)


BEGINNINGS = ("message_start", "response.created")


def differs(expected, heard, client):
    """What was heard otherwise than it was said; None if nothing was."""
    if expected.error is not None:
        if (isinstance(heard, Exception) or heard.error is not None) and expected.error in str(heard):
            return None
        return f"no error, but {heard!r}, for {expected.error!r}"
    if isinstance(heard, Exception) or heard.error is not None:
        return None if not expected.complete and BROKEN in str(heard) else f"{heard!r}"
    if heard.text != expected.text:
        return f"text {heard.text[-300:]!r}, not {expected.text[-300:]!r}"
    if [bare(call) for call in known(heard, expected)] != [bare(call) for call in known(expected, expected)]:
        return f"calls {heard.calls}, not {expected.calls}"
    for (theirs, *_), (id, *_) in zip(heard.calls, expected.calls, strict=True):
        if id and theirs not in (None, id) and (client not in ENCODING or PLAIN_ID.fullmatch(id)):
            return f"id {theirs}, not {id}"
    if not expected.complete:
        return None
    finish = STOP if expected.finish == FILTER and client in WORDLESS else expected.finish
    meant = (finish, expected.prompt, expected.completion)
    got = (heard.finish, heard.prompt, heard.completion)
    return None if got == meant else f"{got}, not {meant}"


BROKEN = "broke off before its end"
ENCODING = ("anthropic_messages", "bedrock_converse")


def bare(call):
    """Name and arguments; what a custom tool gets is text, for APIs without such tools the one field `input`."""
    _, name, given = call
    if isinstance(given, dict) and list(given) == ["input"] and isinstance(given["input"], str):
        given = arguments(given["input"])
    return name, given


def known(heard, expected):
    """The calls but those whose recorded arguments broke off: each API has its own way with half a JSON."""
    return [call for call, (*_, given) in zip(heard.calls, expected.calls, strict=False) if given is not UNFINISHED] + [
        *heard.calls[len(expected.calls) :]
    ]
