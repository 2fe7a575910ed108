"""Every recorded exchange in its own dialect: the vendor's client asks through the gateway and notices nothing of it.

What reaches the provider is what was recorded, what reaches the client is the recorded reply, byte for byte, also where
it is an error. `recordings/comparing.py` names whatever may differ.
"""

import collections

import pytest

from gateways import KEY
from recordings.asking import in_own_words, recorded
from recordings.comparing import changed, differs
from recordings.hosts import face_of, host_of, served, unread
from recordings.replay import PROVIDERS, sent


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_asked_in_its_own_words_passes_unchanged(replay, gateway, wire, provider):
    wrong = []
    for found in replay.exchanges(lambda listed: listed.provider == provider):
        host = host_of(found)
        face = face_of(found, host) if served(host) else None
        if face is None:
            continue
        amiss = passes(replay, wire, found, host, face)
        if amiss:
            wrong.append(f"{found['id']}: {amiss}")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


def test_hardly_any_recording_is_left_out(replay):
    counts = collections.Counter()
    for found in replay.exchanges(lambda listed: True):
        host = host_of(found)
        if not served(host):
            counts["no provider"] += 1
        elif face_of(found, host) is not None:
            counts["own words"] += 1
        else:
            counts["reply only" if no_request(found) else "unread"] += 1
    assert counts["no provider"] == 0
    assert counts["own words"] > 3700
    assert counts["reply only"] < 50
    assert counts.total() == len(replay.store.by_id)


def no_request(found):
    """All that was kept is the reply, so there is nothing to forward unread."""
    return found["request"]["method"] == "POST" and recorded(found)[0] is None


def passes(replay, wire, found, host, face):
    """What is wrong with an exchange through the gateway; None if nothing is."""
    path, body, kind = in_own_words(found, host, face)
    headers = {
        name: value
        for name, value in found["request"]["headers"].items()
        if name.encode() in face.dialect.request_headers
    }
    replay.pin(found)
    wire.request("POST", path, body, {**headers, "authorization": f"Bearer {KEY}", "content-type": kind})
    answer = wire.getresponse()
    got = answer.read()
    seen = replay.received()
    if seen is None:
        return f"it was not asked: {answer.status} {got[:300]!r}"
    return changed(found, host, face, seen) or differs(found, face, answer, got)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_no_dialect_understands_is_forwarded_unread(replay, gateway, wire, provider):
    wrong = []
    for found in replay.exchanges(lambda listed: listed.provider == provider):
        host, request = host_of(found), found["request"]
        if not served(host) or face_of(found, host) is not None:
            continue
        if no_request(found):
            continue
        body, kind = recorded(found)
        replay.pin(found)
        headers = {"authorization": f"Bearer {KEY}"} | ({"content-type": kind} if body else {})
        wire.request(request["method"], unread(found, host), body, headers)
        answer = wire.getresponse()
        got = answer.read()
        seen = replay.received()
        if seen is None or not seen["path_same"] or seen["method"] != request["method"]:
            wrong.append(f"{found['id']}: {answer.status} {got[:200]!r}, {seen}")
        elif seen["diff"]["verdict"] not in ("equal", "no-recorded-request", "multipart"):
            wrong.append(f"{found['id']}: request {seen['diff']}")
        elif "query_diff" in seen:
            wrong.append(f"{found['id']}: query {seen['query_diff']}")
        elif (answer.status, got) != (found["response"]["status"], sent(found)):
            wrong.append(f"{found['id']}: {answer.status} {got[:300]!r}")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)
