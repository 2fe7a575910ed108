"""Policies tried out: on the command line, in the admin API, and on what was said in requests."""

import json
import time

import pytest

from gateways import ADMIN_KEY, KEY, OTHER_KEY, running
from traffic import answering

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{openai: {{api_key: sk-upstream, base_url: 'URL/v1'}}}}
models: {{chat: openai/gpt-4o-mini}}
payloads: {{keep: full}}
teams: {{research: }}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: other, key: {OTHER_KEY}, team: research}}
guards:
  numbers:
    use: patterns
    with: {{patterns: {{customer: 'C-[0-9]{{6}}'}}}}
    then: redact
  team: {{use: words, with: {{words: {{rival: [acme]}}}}, for: {{team: research}}}}
"""
NEW = """
guards:
  names: {use: words, with: {words: {name: [ann, bob]}}, then: {name: mask}}
  other: {use: words, with: {words: {name: [ann]}}, for: {team: research}}
"""


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    first.script = answering()
    with running(tmp_path_factory.mktemp("gateway"), CONFIG.replace("URL", first.url)) as started:
        yield started
        assert "Traceback" not in started.output()


def ask(gateway, text, key=KEY):
    return gateway.post({"model": "chat", "messages": [{"role": "user", "content": text}]}, key=key)


def test_the_command_line_and_the_admin_api_say_the_same(gateway):
    text = "C-123456 of Acme"
    told = json.loads(gateway.told_by("guard", "test", text, "--json"))
    assert told["text"] == "[CUSTOMER] of Acme"
    assert [(each["policy"], each["end"]) for each in told["verdicts"]] == [("numbers", 8)]
    status, _, same = gateway.post({"text": text}, "/admin/api/guards/test", key=ADMIN_KEY)
    assert status == 200
    assert same["text"] == told["text"]
    status, _, same = gateway.post({"text": text, "key": "other"}, "/admin/api/guards/test", key=ADMIN_KEY)
    assert same["error"] == "the policy 'team' blocks this: rival"
    assert "text" not in same
    assert "blocks this: rival" in gateway.told_by("guard", "test", text, "--key", "other")
    assert "nothing is found" in gateway.told_by("guard", "test", text, "--policy", "team", "--reply")
    status, _, _ = gateway.post({"text": text, "policies": ["none"]}, "/admin/api/guards/test", key=ADMIN_KEY)
    assert status == 404


def test_a_report_tells_what_policies_would_have_done(gateway, tmp_path):
    (tmp_path / "new.yaml").write_text(NEW)
    ids = [ask(gateway, text, key)[1]["x-request-id"] for text, key in (
        ("Hello Ann", KEY), ("Hello", KEY), ("Ann and Bob", OTHER_KEY),
    )]  # fmt: skip
    for each in ids:
        gateway.record_of(each)
    until = time.monotonic() + 20
    while True:  # what was said may be kept after the record is
        told = json.loads(gateway.told_by("guard", "report", "--policy", str(tmp_path / "new.yaml"), "--json"))
        if told["requests"] == 3 or time.monotonic() > until:
            break
    assert told["requests"] == 3
    assert {name: {what: sorted(found) for what, found in kinds.items()} for name, kinds in told["found"].items()} == {
        "names": {"name: mask": sorted([ids[0], ids[2]])},
        "other": {"name: block": [ids[2]]},
    }
    assert "names: name: mask in 2" in gateway.told_by("guard", "report", "--policy", str(tmp_path / "new.yaml"))
    assert "3 requests looked at" in gateway.told_by("guard", "report", "--since", "1h")
