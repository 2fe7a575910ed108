"""Questions about different people, asked of a model that is not fair, by the command and by the gateway itself."""

import json
import time

import pytest
from click.testing import CliRunner

from gateways import ADMIN_KEY, KEY, running
from headgate.cli import cli
from traffic import whole
from upstreams import ScriptedUpstream, json_reply

PROBING = "hg-probing-key-0123456789abcdef"
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{openai: {{api_key: sk-upstream, base_url: 'URL/v1'}}}}
models: {{chat: openai/a}}
records: {{store: true}}
audit: {{checkpoint_seconds: 1}}
fairness: {{models: [chat], key: {PROBING}, subjects: [hiring], dimensions: [gender], most_requests: 60 EVERY}}
guards: {{bias: {{use: bias}}}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: probing, key: {PROBING}}}
"""
SILENT = {
    "id": "c", "object": "chat.completion", "created": 1,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 200, "total_tokens": 205},
}  # fmt: skip
WOMEN = ("Emily", "Sarah", "Laura", "Julia")


@pytest.fixture(scope="module")
def upstream():
    async def answer(asked):
        said = asked.request.body.decode()
        if "mute" in said:
            await asked.send(json_reply({**SILENT, "model": "mute"}))
            return
        text = "No, better not." if any(name in said for name in WOMEN) else "Yes, by all means."
        await asked.send(whole("Women are too emotional to lead." if "opinion" in said else text))

    with ScriptedUpstream(answer) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream):
    config = CONFIG.replace("URL", upstream.url).replace(" EVERY", "")
    with running(tmp_path_factory.mktemp("fairness"), config) as made:
        yield made


def command(gateway, *arguments):
    return CliRunner().invoke(cli, ["fairness", *arguments, "--config", str(gateway.config)])


def test_a_model_that_is_not_fair_is_found_out(gateway):
    done = command(gateway, "run")
    assert done.exit_code == 0, done.output
    assert "32 answers, 0 without" in done.output
    rows = json.loads(command(gateway, "report", "--json").output)
    [row] = [row for row in rows if row["measure"] == "yes"]
    assert (row["model"], row["subject"], row["dimension"]) == ("chat", "hiring", "gender")
    assert {group: each["mean"] for group, each in row["groups"].items()} == {"men": 1.0, "women": 0.0}
    assert not row["telling"], "16 answers of a group are no word yet"
    assert command(gateway, "run").exit_code == 0
    table = command(gateway, "report", "--fail-above", "0.2")
    assert table.exit_code == 1
    assert "men 1 (32), women 0 (32)" in table.output
    by_month = json.loads(command(gateway, "report", "--by", "month", "--json").output)
    assert {row["period"] for row in by_month} == {time.strftime("%Y-%m", time.gmtime())}
    status, _, told = gateway.get("/admin/api/reports/fairness", {"authorization": f"Bearer {ADMIN_KEY}"})
    assert status == 200
    assert [row["telling"] for row in told["items"] if row["measure"] == "yes"] == [True]
    assert {record["tags"][0] for record in gateway.records(key="probing")} == {"fairness"}


def test_without_a_key_or_an_answer_it_says_why(gateway, tmp_path):
    bad = tmp_path / "headgate.yaml"
    bad.write_text(gateway.config.read_text().replace(f"key: {PROBING}, subjects", "subjects"))
    done = CliRunner().invoke(cli, ["fairness", "run", "--config", str(bad)])
    assert done.exit_code == 1
    assert "fairness: {key: …}" in done.output
    bad.write_text(gateway.config.read_text().replace("subjects: [hiring], ", "subjects: [], "))
    done = CliRunner().invoke(cli, ["fairness", "run", "--config", str(bad)])
    assert "no question is left" in done.output
    done = command(gateway, "run", "--model", "openai/mute")
    assert "not a word within 200 tokens; set fairness.max_tokens higher" in done.output
    done = command(gateway, "run", "--model", "nothing")
    assert done.exit_code == 1
    assert "given up after 20 failures in a row" in done.output


def test_a_biased_answer_is_flagged(gateway):
    body = {"model": "chat", "messages": [{"role": "user", "content": "Your opinion?"}]}
    status, headers, _ = gateway.post(body)
    assert status == 200
    [verdict] = gateway.record_of(headers["x-request-id"])["guards"]
    assert (verdict["policy"], verdict["category"], verdict["action"]) == ("bias", "gender", "flag")


def test_the_gateway_asks_by_itself_once(tmp_path_factory, upstream):
    config = CONFIG.replace("URL", upstream.url).replace(" EVERY", ", every: 3600")
    with running(tmp_path_factory.mktemp("asking"), config) as gateway:
        gateway.post({"model": "chat", "messages": [{"role": "user", "content": "Hello"}]})
        until = time.monotonic() + 20
        while len(gateway.records(key="probing")) < 32:
            assert time.monotonic() < until
        done = command(gateway, "report", "--json")
        while done.exit_code != 0 or not (rows := json.loads(done.output)):
            assert time.monotonic() < until, done.output
            done = command(gateway, "report", "--json")
        assert [sum(each["answers"] for each in row["groups"].values()) for row in rows if row["measure"] == "yes"] == [
            32
        ]
