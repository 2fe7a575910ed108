"""Each channel says what its service understands, and tells apart what can be tried again."""

import base64
import hashlib
import hmac
import json
import ssl
import warnings

import msgspec
import pytest
import trustme

from headgate.alerts.alert import Alert
from headgate.alerts.channels.channel import Answer, Channel, Item, Message, Undelivered
from headgate.alerts.channels.email import Email, written
from headgate.alerts.post import Way, Ways
from headgate.core import plugin
from told import mailbox
from upstreams import ScriptedUpstream, json_reply

ALERT = Alert(
    id="abc", rule="failing", of={"provider": "a"}, labels={"provider": "a<b>", "rule": "failing"},
    severity="critical", state="firing", began=1.8e9, fired=1.8e9, value=0.5, limit=0.2,
    summary="error rate is 50 %, above 20 % — provider a<b>[x](https://evil.test)",
)  # fmt: skip
STRANGER = msgspec.structs.replace(
    ALERT, summary="requests", labels={"end_user": "x\nFIRING: call [us](https://evil.test)", "rule": "failing"}
)
HOSTILE = Message("m3", "failing", [Item("firing", STRANGER)])
FIRING = Message("m1", "failing", [Item("firing", ALERT)], "https://gateway.test")
RESOLVED = Message("m2", "failing", [Item("resolved", ALERT)])


class Taken:
    """A way that keeps what is sent."""

    ca_file = None

    def __init__(self, status=200, retry_after=None):
        self.status, self.retry_after, self.sent = status, retry_after, []

    async def post(self, url, body, headers):
        self.sent.append((url, json.loads(body), headers, body))
        return Answer(self.status, self.retry_after, b"")


def channel(kind, way, **settings):
    cls = plugin.load("alerts.channels", kind, Channel)
    return cls(cls.Settings.model_validate(settings), way)


async def test_slack_gets_blocks_in_which_nobody_can_put_a_link():
    way = Taken()
    await channel("slack", way, url="https://hooks.slack.test/services/x").send(FIRING)
    [(url, body, _, _)] = way.sent
    assert url == "https://hooks.slack.test/services/x"
    assert body["text"].startswith("[CRITICAL] failing: error rate is 50 %")
    assert all(len(block["text"]["text"]) <= 3000 for block in body["blocks"] if block["type"] == "section")
    assert "a<b>" not in json.dumps(body)
    assert "&lt;b&gt;" in json.dumps(body)


@pytest.mark.parametrize("kind", ["slack", "teams"])
async def test_what_a_stranger_is_called_is_one_line_and_no_link(kind):
    way = Taken()
    await channel(kind, way, url="https://hooks.test/x").send(HOSTILE)
    said = way.sent[0][3].decode()
    assert r"x\\nFIRING: call" in said  # spelt out
    assert (r"[us]\\(https" if kind == "teams" else "[us](https") in said  # Slack's links are <…>


def test_mail_has_the_name_of_a_stranger_in_one_line():
    settings = Email.Settings.model_validate({"host": "h", "from": "a@b.test", "to": "c@d.test"})
    lines = written(HOSTILE, settings).get_content().splitlines()
    assert [line for line in lines if "evil" in line] == ["  end_user: x\\nFIRING: call [us](https://evil.test)"]


async def test_pagerduty_gets_a_trigger_and_a_resolve_of_the_same_incident():
    way = Taken(202)
    made = channel("pagerduty", way, routing_key="R0")
    await made.send(FIRING)
    await made.send(RESOLVED)
    (url, trigger, _, _), (_, resolve, _, _) = way.sent
    assert url == "https://events.pagerduty.com/v2/enqueue"
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == "headgate-abc"
    assert trigger["payload"]["severity"] == "critical"
    assert trigger["payload"]["custom_details"]["value"] == 0.5
    assert "payload" not in resolve


async def test_teams_gets_a_card():
    way = Taken()
    await channel("teams", way, url="https://x.test/?sig=secret").send(FIRING)
    [attachment] = way.sent[0][1]["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["body"][0]["color"] == "attention"
    assert "](https" not in json.dumps(attachment["content"]["body"]).replace("]\\\\(", "")


@pytest.mark.parametrize("secret", ["whsec_" + base64.b64encode(b"key").decode(), "key"])
async def test_a_webhook_is_signed_as_standard_webhooks_says(secret):
    way = Taken()
    await channel("webhook", way, url="https://x.test", signing_secret=secret, token="t0").send(FIRING)
    [(_, body, headers, raw)] = way.sent
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
    wanted = base64.b64encode(hmac.digest(b"key", signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert headers["webhook-id"] == "msg_m1"
    assert headers["authorization"] == "Bearer t0"
    assert body["alerts"][0]["labels"]["provider"] == "a<b>"


@pytest.mark.parametrize(
    ("status", "again"), [(400, False), (403, False), (404, False), (429, True), (500, True), (503, True)]
)
async def test_what_a_service_answers_says_whether_it_is_tried_again(status, again):
    way = Taken(status, b"7")
    with pytest.raises(Undelivered) as caught:
        await channel("slack", way, url="https://x.test/secretpath").send(FIRING)
    assert (caught.value.again, caught.value.after) == (again, 7.0)
    assert "secretpath" not in str(caught.value)


async def test_mail_goes_by_starttls_with_a_login(tmp_path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    settings = {"host": "127.0.0.1", "username": "alerts", "from": "Headgate <a@x.test>", "to": "ops@x.test"}
    ways = Ways(ca_file=str(bundle))
    with mailbox(context) as box:
        settings["port"] = box.port
        await channel("email", Way(ways, anywhere=True), password="hunter three", **settings).send(FIRING)
        with pytest.raises(Undelivered, match="does not take the password") as caught:
            await channel("email", Way(ways, anywhere=True), password="wrong", **settings).send(FIRING)
        assert "wrong" not in str(caught.value)
        with pytest.raises(Undelivered, match="cannot be used"):
            await channel("email", Way(Ways(), anywhere=True), password="hunter three", **settings).send(FIRING)
        with pytest.raises(Undelivered, match="not a public one"):
            await channel("email", Way(ways, anywhere=False), password="hunter three", **settings).send(FIRING)
    [(_, _, mail)] = box.mail
    assert mail["message-id"] == "<m1@headgate>"
    assert "error rate is 50 %" in mail.get_content()
    assert ("alerts", "hunter three") in box.logins


async def test_what_the_store_names_leads_to_public_addresses_and_to_those_that_are_allowed():
    with ScriptedUpstream(json_reply({})) as upstream:
        url = f"{upstream.url}/x"
        for networks, anywhere, reached in (((), False, False), (["127.0.0.0/8"], False, True), ((), True, True)):
            ways = Ways(networks)
            before = len(upstream.requests)
            try:
                await channel("slack", Way(ways, anywhere=anywhere), url=url).send(FIRING)
            except Undelivered as error:
                assert "not a public one" in str(error)  # noqa: PT017 - it is not always raised
            assert (len(upstream.requests) > before) == reached
            await ways.close()


@pytest.mark.parametrize("url", ["ftp://x.test", "https://u:p@x.test", "https://x.test/a b", "https://x.test:99999/"])
async def test_what_is_no_url_is_told_without_it(url):
    with pytest.raises(Undelivered) as caught:
        await channel("slack", Way(Ways(), anywhere=True), url=url).send(FIRING)
    assert not caught.value.again
    assert "x.test" not in str(caught.value)


async def test_apprise_knows_a_hundred_services_more():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library's own doing
        from apprise import Apprise

        Apprise.instantiate("json://127.0.0.1")
    with ScriptedUpstream(json_reply({})) as upstream:
        await channel("apprise", None, url=f"json://127.0.0.1:{upstream.port}/hook").send(FIRING)
    [request] = upstream.requests
    assert json.loads(request.body)["title"].startswith("[CRITICAL] failing")
    with pytest.raises(Undelivered, match="does not know"):
        await channel("apprise", None, url="nonsense").send(FIRING)
