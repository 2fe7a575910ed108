"""What is kept of what was said: all of it and as it was said, or nothing; and no secret on any disk on the way."""

import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateways import ADMIN_KEY, Gateway, Wire, http_request, running
from headgate.cli import cli
from headgate.records.payloads.waiting import folder_of
from headgate.store.sealing import VARIABLE
from traffic import Traffic, answering
from upstreams import ScriptedUpstream

FULL, REDACTED, OFF, SILENT, BILLING, AUDITOR, LEAD, OTHER = (
    f"hg-{name}-key-0123456789abcdef"
    for name in ("full", "redacted", "off", "silent", "billing", "auditor", "lead", "other")
)
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
records: {{store: true}}
providers:
  openai: {{api_key: sk-up, base_url: 'UPSTREAM/v1'}}
  slow: {{kind: openai_compatible, api_key: sk-up, base_url: 'http://SLOW/v1'}}
  simulator: {{}}
models: {{chat: openai/gpt-4o-mini, sim: simulator/sim, private: {{targets: [simulator/sim], payloads: 'off'}}}}
payloads: {{classes: {{health: 'off'}}}}
teams: {{red: {{payloads: full}}, blue: {{}}}}
users:
  billing: {{role: billing}}
  auditor: {{role: auditor}}
  lead: {{role: team_admin, teams: [red]}}
  other: {{role: team_admin, teams: [blue]}}
keys:
  - {{name: full, team: red, key: {FULL}}}
  - {{name: redacted, team: red, payloads: redacted, key: {REDACTED}}}
  - {{name: 'off', payloads: 'off', key: {OFF}}}
  - {{name: silent, key: {SILENT}}}
""" + "".join(
    f"  - {{name: {name}, user: {name}, operations: [admin], key: {key}}}\n"
    for name, key in (("billing", BILLING), ("auditor", AUDITOR), ("lead", LEAD), ("other", OTHER))
)
ADMIN = {"authorization": f"Bearer {ADMIN_KEY}"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(answering(pause=0.001)) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream):
    with ScriptedUpstream(answering(pause=0.5)) as slow:
        config = CONFIG.replace("UPSTREAM", upstream.url).replace("http://SLOW", slow.url)
        with running(tmp_path_factory.mktemp("kept"), config) as started:
            yield started


def question(text, model="chat", **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def kept(gateway, id, seconds=10):
    """What the admin API tells of a request, waiting for it."""
    until = time.monotonic() + seconds
    while True:
        status, _, found = gateway.get(f"/admin/api/requests/{id}/payload", ADMIN)
        if status == 200:
            return found
        assert time.monotonic() < until, (id, status, found)
        time.sleep(0.05)


def nothing_kept(gateway, id):
    """Once something that came later is there."""
    return gateway.get(f"/admin/api/requests/{id}/payload", ADMIN)[0] == 404


def on_disk(folder, *texts):
    """Which of the texts stand in a file below a folder."""
    data = b"".join(path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())
    return [text for text in texts if text.encode() in data]


def deltas(body):
    frames = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for frame in frames for choice in frame["choices"])


def test_what_is_kept_is_what_was_said(gateway):
    asked = [
        question("a whole answer"),
        question("a stream", stream=True),
        question('wörds \u0007 and\n"marks"', temperature=0.5),
        question("nobody has it", model="nonsense"),
        question("tools", model="sim", tools=[TOOL]),
    ]
    for body in asked:
        status, headers, answer = gateway.post(body, key=FULL)
        found = kept(gateway, headers["x-request-id"])
        assert found["request"] == body
        assert (found["kept"], found["encrypted"], "sent" in found) == ("full", False, False)
        if body.get("stream"):
            said = found["answer"]["choices"][0]["message"]["content"]
            assert said == deltas(answer) == "a stream word word word word"
            assert found["stream"]
        else:
            assert found["answer"] == answer
        assert (status == 200) == (body["model"] != "nonsense")
        assert gateway.record_of(headers["x-request-id"])["payload"] == "full"


def test_across_dialects_what_the_provider_was_asked_is_kept_too(gateway, upstream):
    body = {
        "model": "chat",
        "max_tokens": 50,
        "system": "be kind",
        "messages": [{"role": "user", "content": "over there"}],
    }
    for stream in (False, True):
        _, headers, answer = gateway.post({**body, "stream": stream}, path="/v1/messages", key=FULL)
        found = kept(gateway, headers["x-request-id"])
        assert found["sent"] == json.loads(upstream.requests[-1].body)
        assert found["sent"]["messages"][0] == {"role": "system", "content": "be kind"}
        assert (found["dialect"], found["spoken"]) == ("anthropic_messages", "openai_chat")
        assert found["answer"]["type"] == "message"
        assert found["answer"]["content"][0]["text"].startswith("over there")
        if not stream:
            assert found["answer"] == answer


def test_a_client_that_goes_away_leaves_what_it_was_given(gateway):
    body = json.dumps(question("going", stream=True, model="slow/m")).encode()
    with Wire(gateway.port) as wire:
        wire.send(http_request("/v1/chat/completions", body, key=FULL))
        head = b""
        while b"going" not in head:
            head += wire.sock.recv(65536)
    id = next(line for line in head.decode().split("\r\n") if line.startswith("x-request-id"))[14:]
    found = kept(gateway, id)
    assert found["request"] == json.loads(body)
    assert gateway.record_of(id)["ending"] == "cancelled"
    assert (found["broke_off"], found["answer"]["choices"][0]["message"]["content"]) == (True, "going")


def test_what_is_forwarded_unread_is_kept_as_text_and_files_are_described(gateway, upstream):
    sent = {"messages": [{"role": "user", "content": "unread"}], "mail": "joe@example.com"}
    for key, mail in ((FULL, "joe@example.com"), (REDACTED, "[EMAIL]")):
        _, headers, _ = gateway.post(sent, path="/openai/v1/own/thing", key=key)
        found = kept(gateway, headers["x-request-id"])
        assert found["request"] == {**sent, "mail": mail}
        assert found["answer"]["choices"][0]["message"]["content"] == "unread"
    sound = b"RIFF0000WAVE" + bytes(2000)
    form = (
        b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nsim\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n'
        + sound
        + b"\r\n--b--\r\n"
    )
    headers = {"authorization": f"Bearer {FULL}", "content-type": "multipart/form-data; boundary=b"}
    status, answered, answer = gateway.request("POST", "/v1/audio/transcriptions", form, headers)
    found = kept(gateway, answered["x-request-id"])
    digest = hashlib.sha256(sound).hexdigest()
    assert found["request"]["file"] == {"file": "a.wav", "type": "audio/wav", "size": len(sound), "sha256": digest}
    assert (status, found["request"]["model"], found["answer"]) == (200, "sim", answer)


def test_off_leaves_nothing_anywhere(gateway, upstream):
    canary = "canary-7f3a"
    ids = [
        gateway.post(question(canary), key=OFF)[1],
        gateway.post(question(canary), key=SILENT)[1],
        gateway.post(question(canary, model="private"), key=FULL)[1],
        gateway.post(question(canary), key=FULL, headers={"x-headgate-log": "off"})[1],
        gateway.post(question(canary), key=FULL, headers={"x-headgate-data-class": "health"})[1],
        gateway.post(question(canary), key=SILENT, headers={"x-headgate-log": "full"})[1],
    ]
    kept(gateway, gateway.post(question("later"), key=FULL)[1]["x-request-id"])
    assert all(nothing_kept(gateway, headers["x-request-id"]) for headers in ids)
    assert not any("payload" in gateway.record_of(headers["x-request-id"]) for headers in ids)
    assert on_disk(gateway.folder, canary) == []
    assert on_disk(folder_of(Path("/dev/shm"), gateway.data), canary) == []
    assert gateway.record_of(ids[4]["x-request-id"])["data_class"] == "health"


def test_redacted_leaves_no_secret_on_any_disk(gateway):
    secrets = [
        "jo.public@mail.example", "4111 1111 1111 1111", "DE89370400440532013000", "+49 30 901820 15", "078-05-1120",
        "sk-proj-" + "Ab3dEf6h" * 6, "203.0.113.77",
    ]  # fmt: skip
    for stream in (False, True):
        text = " and ".join(secrets)
        _, headers, answer = gateway.post(question(text, stream=stream), key=REDACTED)
        assert secrets[0] in str(answer), "the client is given what it is given"
        found = kept(gateway, headers["x-request-id"])
        assert found["kept"] == "redacted"
        assert found["redacted"] == dict.fromkeys(
            ("email", "card", "iban", "phone", "ssn", "api_key", "ip"), 2
        )  # fmt: skip
        assert found["request"]["messages"][0]["content"] == (
            "[EMAIL] and [CARD] and [IBAN] and [PHONE] and [SSN] and [API_KEY] and [IP]"
        )
        assert "[EMAIL] and [CARD]" in found["answer"]["choices"][0]["message"]["content"]
    gateway.wait_for_metric(0, "headgate_payloads_behind_bytes")
    assert on_disk(gateway.data, *secrets) == []


def test_it_is_found_by_its_words_and_read_by_whom_it_concerns(gateway):
    id = gateway.post(question("the zebra paid"), key=FULL)[1]["x-request-id"]
    kept(gateway, id)
    gateway.wait_for_metric(0, "headgate_payloads_behind_bytes")
    gateway.wait_for_metric(0, "headgate_records_behind_bytes")

    def seen(key, path):
        return gateway.get(f"/admin/api/requests{path}", {"authorization": f"Bearer {key}"})

    for key in (ADMIN_KEY, AUDITOR, LEAD):
        assert [each["id"] for each in seen(key, "?text=zebra")[2]["items"]] == [id]
        assert seen(key, f"/{id}/payload")[2]["request"]["messages"][0]["content"] == "the zebra paid"
    assert seen(OTHER, "?text=zebra")[2]["items"] == []
    assert [seen(OTHER, f"/{id}/payload")[0], seen(BILLING, f"/{id}/payload")[0]] == [404, 403]
    assert [seen(BILLING, "?text=zebra")[0], seen(ADMIN_KEY, "?text=-")[0]] == [403, 400]
    searched = typed(gateway, "--text", "zeb*", "--json")
    assert id in searched.stdout
    assert "encrypted" not in searched.stderr
    assert "the zebra paid" in typed(gateway, "--id", id, "--payload").stdout
    audit = gateway.get("/admin/api/audit?kind=payloads&limit=20", ADMIN)[2]["items"]
    readers = [each["actor"] for each in audit if each["name"] == id]
    assert readers[0].endswith("(command line)")
    assert readers[1:4] == ["lead (lead)", "auditor (auditor)", "admin"]
    assert next(each["after"] for each in audit if each["action"] == "search") == {"text": "zeb*"}


def typed(gateway, *arguments, environ=None):
    """What comes of `headgate records`."""
    command = ["records", "--config", str(gateway.config), *arguments]
    return CliRunner().invoke(cli, command, env={**gateway.environ, **(environ or {})})


def keeper_of(gateway):
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(gateway.process.pid) and "payloads.keeper" in (process / "cmdline").read_text():
                return int(process.name)
        except OSError:
            continue
    return None


def test_kill_of_gateway_and_keeper_loses_nothing_and_what_is_encrypted_needs_the_key(tmp_path, upstream):
    """R5, of what was said."""
    config = CONFIG.replace("UPSTREAM", upstream.url).replace("payloads: {", "payloads: {keep: full, ", 1)
    key = {VARIABLE: "a passphrase of more than thirty-two characters".replace(" ", "-")}
    gateway = Gateway(tmp_path, config.replace("key: " + SILENT, "key: hg-test-key-0123456789abcdef"), environ=key)
    answered = []
    for victims in ("gateway", "keeper", "both"):
        gateway.start()
        with Traffic(gateway.port, clients=3) as traffic:
            traffic.wait_for(12)
            keeper = keeper_of(gateway)
            if victims != "gateway" and keeper is not None:
                os.kill(keeper, signal.SIGKILL)
            if victims == "keeper":
                traffic.wait_for(24)
            gateway.kill()
        answered += [answer.id for answer in traffic.answers if answer.error is None]
    gateway.start()
    gateway.wait_for_metric(0, "headgate_records_behind_bytes")
    assert len(answered) >= 36
    for id in answered:
        kept(gateway, id, seconds=15)
    found = kept(gateway, answered[0])
    assert found["encrypted"]
    text = found["request"]["messages"][0]["content"]
    assert gateway.stop() == 0
    assert on_disk(gateway.data, text) == []
    asked = ("--id", answered[0], "--payload")
    assert text in typed(gateway, *asked).stdout
    assert "encrypted, which is not searched" in typed(gateway, "--text", "nothing-of-it").output
    shown = typed(gateway, *asked, environ={VARIABLE: "another-passphrase-of-thirty-two-characters"})
    assert (shown.exit_code, text in shown.output, "the key" in shown.output) == (1, False, True)


def test_without_the_key_it_waits_in_memory_and_the_gateway_serves(tmp_path):
    config = CONFIG.replace("UPSTREAM", "http://127.0.0.1:9").replace("http://SLOW", "http://127.0.0.1:9")
    with running(tmp_path, config, environ={VARIABLE: "too-short"}) as gateway:
        status, headers, _ = gateway.post(question("canary-51c0", model="sim"), key=FULL)
        gateway.says("cannot be encrypted, and waits in memory: HEADGATE_SECRET_KEY is too short")
        assert status == 200
        assert gateway.record_of(headers["x-request-id"])["payload"] == "full"
    assert on_disk(gateway.data, "canary-51c0") == []
    shutil.rmtree(folder_of(Path("/dev/shm"), gateway.data))


def test_a_reload_begins_to_keep(tmp_path):
    config = CONFIG.replace("UPSTREAM", "http://127.0.0.1:9").replace("red: {payloads: full}", "red: {}")
    without = config.replace("payloads: redacted, ", "").replace("payloads: {classes", "matching: {lists")
    with running(tmp_path, without.replace("{health: 'off'}", "{}")) as gateway:
        before = gateway.post(question("before", model="sim"), key=SILENT)[1]["x-request-id"]
        assert keeper_of(gateway) is None
        gateway.change(config.replace("payloads: {", "payloads: {keep: full, ", 1))
        gateway.says("the configuration was reloaded")
        after = gateway.post(question("after", model="sim"), key=SILENT)[1]["x-request-id"]
        assert kept(gateway, after)["request"]["messages"][0]["content"] == "after"
        assert nothing_kept(gateway, before)
