"""R7: the configuration changes under load: nothing fails, nothing bad takes effect, nothing leaks."""

import json
import os
import signal
import threading
import time

import pytest

from gateways import KEY, OTHER_KEY, Gateway, config_for, rounds, running
from traffic import Traffic, answering
from upstreams import ScriptedUpstream
from waiting import wait_for

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
SETTLES = 1.0
"""Seconds until a change has been looked at twice (server/watch.py); it is in force within a second more."""


@pytest.fixture
def upstream():
    with ScriptedUpstream(answering("a")) as started:
        yield started


@pytest.fixture
def other():
    with ScriptedUpstream(answering("b")) as started:
        yield started


def with_other(upstream, other, target, extra=""):
    """`chat` stands for `a/m` or `b/m`."""
    return config_for(
        upstream.url, extra + f"log: {{level: {'debug' if 'b/' in target else 'info'}}}\n"
    ).replace(
        "providers:\n",
        f"providers:\n  a: {{kind: openai, api_key: none, base_url: '{upstream.url}/v1'}}\n"
        f"  b: {{kind: openai, api_key: none, base_url: '{other.url}/v1'}}\n",
    ).replace("chat: openai/gpt-4o-mini", f"chat: {target}")  # fmt: skip


def in_place(gateway, text, *, half=False):
    """Written the way a careless program does: truncated first, then filled; `half`: never finished."""
    text = text.replace("{PORT}", str(gateway.port)).replace("{DATA}", str(gateway.data))
    with gateway.config.open("w") as file:
        file.flush()
        time.sleep(0.02)
        file.write(text[: len(text) // 2])
        file.flush()
        if not half:
            time.sleep(0.02)
            file.write(text[len(text) // 2 :])


def descriptors(gateway):
    return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))


def test_many_reloads_under_load(tmp_path, upstream, other):
    good = [with_other(upstream, other, target) for target in ("a/m", "b/m")]
    bad = good[0].replace("chat: a/m", "chat: nowhere/m")
    with running(tmp_path, good[0]) as gateway, Traffic(gateway.port, clients=4, rate=100) as traffic:
        traffic.wait_for(20)
        before = descriptors(gateway)
        applied = refused = 0
        for number in range(rounds(40, 1000)):
            kind = number % 10
            if kind == 3:
                gateway.write(bad)
                refused += 1
            elif kind == 7:
                in_place(gateway, good[number % 2], half=True)
                refused += 1
            else:
                in_place(gateway, good[number % 2]) if kind % 2 else gateway.write(good[number % 2])
                applied += 1
            seen = settled(gateway)
            gateway.signal(signal.SIGHUP)
            wait_for(lambda seen=seen: settled(gateway) > seen)
        traffic.wait_for(20)
        after = descriptors(gateway)
        assert not traffic.failures[:3]
        assert {answer.model for answer in traffic.answers} >= {"a/m", "b/m"}
        # By signal at once, and sometimes by the watcher once more
        assert gateway.metric("headgate_config_reloads_total", outcome="applied") >= applied
        assert gateway.metric("headgate_config_reloads_total", outcome="refused") >= refused
        assert after <= before + 8, "descriptors leak"
        assert "there is no provider `nowhere`" in gateway.output()
    assert "Traceback" not in gateway.output()
    answered = sorted(answer.id for answer in traffic.answers)
    assert sorted(record["id"] for record in gateway.records(ending="complete")) == answered


def settled(gateway):
    """How many reloads there have been."""
    output = gateway.output()
    return output.count("the configuration was reloaded") + output.count("the old one stays in force")


def test_a_changed_file_is_noticed(tmp_path, upstream, other):
    """Row 11: an alias points to another provider while a client runs."""
    with running(tmp_path, with_other(upstream, other, "a/m")) as gateway:
        with Traffic(gateway.port, clients=2, rate=60) as traffic:
            traffic.wait_for(10)
            assert {answer.model for answer in traffic.answers} == {"a/m"}
            written = time.monotonic()
            gateway.write(with_other(upstream, other, "b/m"))
            wait_for(lambda: traffic.answers[-1].model == "b/m", 10)
            traffic.wait_for(10)
        assert not traffic.failures[:3]
        first = min(answer.at for answer in traffic.answers if answer.model == "b/m")
        assert first - written < SETTLES + 3.0
        late = [answer for answer in traffic.answers if answer.model == "a/m" and answer.at > first + 0.5]
        assert not late
        assert gateway.post(QUESTION)[2]["model"] == "b"


def test_a_bad_file_is_refused_with_its_reason_and_the_next_good_one_taken(tmp_path, upstream, other):
    with running(tmp_path, with_other(upstream, other, "a/m")) as gateway:
        gateway.change(with_other(upstream, other, "b/m", extra="retry: {attempts: lots}\n"))
        gateway.says("the old one stays in force")
        assert "headgate.yaml:16: retry.attempts: expected a whole number" in gateway.output()
        assert gateway.post(QUESTION)[2]["model"] == "a"
        gateway.config.unlink()
        gateway.says("the old one stays in force", 2)
        assert gateway.post(QUESTION)[2]["model"] == "a"
        gateway.change(with_other(upstream, other, "b/m"))
        gateway.says("the configuration was reloaded")
        assert gateway.post(QUESTION)[2]["model"] == "b"
        assert gateway.metric("headgate_config_reloads_total", outcome="refused") == 2
        assert gateway.metric("headgate_config_reloads_total", outcome="applied") == 1


def test_a_key_that_is_taken_out_is_refused(tmp_path, upstream):
    config = config_for(upstream.url)
    with running(tmp_path, config) as gateway:
        assert gateway.post({**QUESTION, "model": "sim"}, key=OTHER_KEY)[0] == 200
        gateway.change(config.replace(f"  - {{name: limited, key: {OTHER_KEY}, models: [sim]}}\n", ""))
        gateway.says("the configuration was reloaded")
        assert gateway.post({**QUESTION, "model": "sim"}, key=OTHER_KEY)[0] == 401
        assert gateway.post(QUESTION)[0] == 200


def test_a_secret_in_a_file_is_read_again_when_it_changes(tmp_path, upstream):
    config = config_for(upstream.url).replace(f"key: {KEY}", "key: 'file:client.key'")
    (tmp_path / "client.key").write_text(KEY + "\n")
    with running(tmp_path, config) as gateway:
        assert gateway.post(QUESTION)[0] == 200
        new = "hg-another-key-0123456789abcdef"
        (tmp_path / "client.key").write_text(new + "\n")
        gateway.says("the configuration was reloaded")
        assert gateway.post(QUESTION)[0] == 401
        assert gateway.post(QUESTION, key=new)[0] == 200
    assert new not in gateway.output()


def test_requests_under_way_keep_the_configuration_they_began_with(tmp_path, upstream, other):
    upstream.script = answering("a", pause=0.3)
    with running(tmp_path, with_other(upstream, other, "a/m")) as gateway:
        answers = []
        thread = threading.Thread(target=lambda: answers.append(gateway.post({**QUESTION, "stream": True})))
        thread.start()
        wait_for(lambda: upstream.requests)
        without = with_other(upstream, other, "b/m").replace(f"  - {{name: test, key: {KEY}}}\n", "")
        without = "\n".join(line for line in without.splitlines() if not line.startswith("  a: ")) + "\n"
        gateway.change(without)
        gateway.says("the configuration was reloaded")
        assert not answers, "the stream was over too soon for this test"
        assert gateway.post(QUESTION)[0] == 401
        thread.join(10)
    [(status, headers, body)] = answers
    assert (status, headers["x-headgate-model"]) == (200, "a/m")
    assert body.endswith(b"data: [DONE]\n\n")
    frames = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")]
    assert {frame.get("model") for frame in frames} == {"a"}


def test_what_needs_a_restart_is_said(tmp_path, upstream):
    with running(tmp_path, config_for(upstream.url)) as gateway:
        gateway.change(config_for(upstream.url, server=", drain_timeout: 5"))
        gateway.says("server.drain_timeout has changed; it takes effect at the next start")
        assert gateway.post(QUESTION)[0] == 200


def test_what_is_changed_back_needs_no_restart(tmp_path, upstream):
    """What counts is what the process was started with, not what was read last."""
    waiting = "server.drain_timeout has changed; it takes effect at the next start"
    with running(tmp_path, config_for(upstream.url)) as gateway:
        reloads = 0

        def reload(server, extra=""):
            nonlocal reloads
            reloads += 1
            gateway.change(config_for(upstream.url, extra, server=server))
            gateway.says("the configuration was reloaded", reloads)
            return gateway.output().count(waiting)

        assert reload(", drain_timeout: 5") == 1
        assert reload(", drain_timeout: 5", "retry: {attempts: 2}\n") == 2
        assert reload("") == 2
        reload("", "journal: {fsync: never}\n")
        assert "journal.fsync has changed; it takes effect at the next start" in gateway.output()


def test_each_problem_of_a_refused_file_is_an_entry(tmp_path, upstream):
    with running(tmp_path, config_for(upstream.url)) as gateway:
        gateway.change(config_for(upstream.url, "retry: {attempts: lots}\nlog: {level: loud}\n"))
        gateway.says("log.level: ")
        told = [json.loads(line) for line in gateway.output().splitlines() if line.startswith("{")]
    messages = [entry["message"] for entry in told if entry["level"] == "error"]
    assert messages[0].endswith("the old one stays in force: 2 problems")
    assert "retry.attempts" in messages[1]
    assert "log.level" in messages[2]
    assert len(messages) == 3


def test_a_replaced_admin_key_is_known_without_a_restart(tmp_path, upstream):
    gateway = Gateway(tmp_path, config_for(upstream.url))
    del gateway.environ["HEADGATE_ADMIN_KEY"]
    gateway.start()
    try:
        old = gateway.output().partition("shown this once: ")[2].split()[0]
        assert gateway.post(QUESTION, key=old)[0] == 200
        new = gateway.told_by("key", "admin", "--new").strip()
        gateway.says("the configuration was reloaded")
        assert gateway.post(QUESTION, key=old)[0] == 401
        assert gateway.post(QUESTION, key=new)[0] == 200
    finally:
        assert gateway.stop() == 0
