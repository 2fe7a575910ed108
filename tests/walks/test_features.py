"""Every feature asked of every provider, over sockets: one gateway with all of them, one upstream that is anybody.

What becomes of each is on the page of features; here it is seen to be so.
"""

import http.client

import pytest

from anybody import answer
from feature_outcomes import AWS, FEATURES, KEY, configuration, given, outcomes, reached, refusal, request, rows
from gateways import KEY as CLIENT_KEY
from gateways import running
from upstreams import ScriptedUpstream

PROOFS = (f"Bearer {KEY}", KEY, f"AWS4-HMAC-SHA256 Credential={AWS}/")
"""What a provider is shown, in one header or another."""


class Anybody:
    """The upstream's script: it says what it is told to, in the dialect it is asked in."""

    said = None

    async def __call__(self, asked):
        await asked.send(answer(asked.request.path, asked.request.body, self.said).script)


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(Anybody()) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    config = f'{configuration(upstream.url)[:-1]}, "keys": [{{"name": "test", "key": "{CLIENT_KEY}"}}]}}'
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture(scope="module")
def client(gateway):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    yield connection
    connection.close()


def ask(client, asked):
    """Status, headers and body."""
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "content-type": asked.kind}
    client.request("POST", asked.path, asked.body, headers)
    answered = client.getresponse()
    return answered.status, {name.lower(): value for name, value in answered.getheaders()}, answered.read()


def check(upstream, client, row, feature):
    """What is wrong; None where all is as the page says."""
    expected = outcomes()[row, feature.name]
    if expected.word == "silent":
        return "it does not come through, and nobody says so"
    asked = request(row, feature)
    upstream.requests.clear()
    upstream.script.said = feature.said
    status, headers, body = ask(client, asked)
    if expected.word == "no":
        told = [refusal(asked, body)] == list(expected.told) and expected.told[0][0]
        return None if status == 400 and told and not upstream.requests else f"not refused: {status} {body[:300]}"
    if expected.word == "here":
        came = feature.came(given(asked, status, body))
        return None if came and not upstream.requests else f"not answered here: {status} {body[:300]}"
    if not upstream.requests:
        return f"nobody was asked: {status} {body[:300]}"
    for sent in upstream.requests:
        if not any(proof in value for value in sent.headers.values() for proof in PROOFS):
            return f"asked without proof: {sent.headers}"
        if CLIENT_KEY in str(sent.raw_head):
            return "the client's key went to the provider"
    if any(reached(row, feature, sent) for sent in upstream.requests) is not (expected.word in ("yes", "lossy")):
        return f"{expected.word}, but what reached the provider is {sent.path} {sent.body[:500]}"
    lost = [path for path in headers.get("x-headgate-lost", "").split(", ") if path and path[:6] != "reply."]
    if lost != [path for path, _ in expected.told] or bool(lost) is not (expected.word in ("lossy", "without")):
        return f"{expected.word}, but lost is {lost}"
    if expected.answered and not feature.came(given(asked, status, body)):
        return f"what came back: {status} {body[:500]}"
    return None


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.title)
def test_every_feature(gateway, upstream, client, row):
    wrong = {feature.name: check(upstream, client, row, feature) for feature in FEATURES}
    assert not {name: told for name, told in wrong.items() if told}
