"""`headgate import litellm` from outside: what it prints and writes, and a gateway on the result."""

import contextlib
import json
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from gateways import free_port, running
from headgate.cli import cli
from headgate.config.secrets import hash_key
from upstreams import ScriptedUpstream, json_reply
from walks.vendors import Said, whole

SAMPLE = Path(__file__).parent / "litellm" / "sample"
IN_CLEAR = ("sk-ant-in-clear-0123456789", "lf-in-clear-0123456789")


class Finished:
    """What a command did, run in this process, as a new one takes a second."""

    def __init__(self, result):
        refused = result.exception if isinstance(result.exception, click.ClickException) else None
        if result.exception is not None and refused is None:
            raise result.exception
        self.returncode = refused.exit_code if refused else result.return_value
        self.stdout, self.stderr = result.stdout, result.stderr + (refused.message if refused else "")


def imported(*arguments, cwd):
    with contextlib.chdir(cwd):
        return Finished(CliRunner().invoke(cli, ["import", "litellm", *map(str, arguments)], standalone_mode=False))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("import")
    return imported(SAMPLE / "config.yaml", "--keys", SAMPLE / "tables.json", cwd=folder), folder / "headgate.yaml"


def test_the_sample_becomes_a_configuration_in_order(done):
    finished, written = done
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == ""
    assert "headgate.yaml: in order; " in finished.stderr.splitlines()[-1]
    assert written.stat().st_mode & 0o777 == 0o600
    assert written.read_text() == (SAMPLE / "headgate.yaml").read_text(), "write it anew, if it is better"


def test_what_has_no_counterpart_is_listed_with_its_place_and_what_to_do(done):
    said = done[0].stderr
    place = f"{SAMPLE / 'config.yaml'}:"
    for line in (
        "46: model_list[4].litellm_params.tags: a deployment cannot be told this; give targets `traits`",
        "76: model_list[9].litellm_params.model: there is no provider `oci` here, so this deployment is left out;",
        "110: general_settings.alerting: it has no counterpart; alert on the metrics",
        "119: guardrails: a section that has no counterpart; there are no guardrails yet",
    ):
        assert f"  {place}{line}" in said
    assert "LiteLLM_VerificationToken.spend: what was spent so far" in said
    assert "environment variables to set: AZURE_EU_API_KEY, AZURE_US_API_BASE" in said


def test_no_secret_is_told(done):
    finished, written = done
    for secret in IN_CLEAR:
        assert secret not in finished.stderr
    assert "config.yaml:44: model_list[4].litellm_params.api_key: a secret stands here in clear" in finished.stderr
    text = written.read_text()
    assert "os.environ" not in text
    assert 'api_key: "${AZURE_EU_API_KEY}"' in text
    assert IN_CLEAR[1] not in text


def test_a_file_is_not_overwritten_unasked(tmp_path):
    (tmp_path / "headgate.yaml").write_text("mine")
    (tmp_path / "config.yaml").write_text("model_list: []\n")
    refused = imported("config.yaml", cwd=tmp_path)
    assert (refused.returncode, (tmp_path / "headgate.yaml").read_text()) == (1, "mine")
    assert "headgate.yaml is there already; choose another --output, or --force" in refused.stderr
    assert imported("config.yaml", "--force", cwd=tmp_path).returncode == 0
    assert (tmp_path / "headgate.yaml").read_text() != "mine"


def test_strict_json_and_standard_output(tmp_path):
    (tmp_path / "config.yaml").write_text("general_settings: {alerting: [slack]}\n")
    strict = imported("config.yaml", "-o", "-", "--strict", "--json", cwd=tmp_path)
    assert strict.returncode == 1
    assert yaml.safe_load(strict.stdout) is None, "nothing but comments"
    told = json.loads(strict.stderr)
    assert (told["ok"], told["output"], told["variables"]) == (True, "-", [])
    assert [problem["path"] for problem in told["lost"]] == ["general_settings.alerting"]
    assert [problem["line"] for problem in told["todo"]] == [1], "there is no master key"
    assert list(tmp_path.iterdir()) == [tmp_path / "config.yaml"]


def test_what_cannot_be_read_at_all_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("include: [gone.yaml]\n")
    refused = imported("config.yaml", cwd=tmp_path)
    assert refused.returncode == 2
    assert "gone.yaml: cannot be read: No such file or directory; check the path" in refused.stderr
    (tmp_path / "config.yaml").write_text("[1]")
    refused = imported("config.yaml", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("config.yaml:1: not a configuration of LiteLLM;")


KEY = "sk-of-litellm-0123456789abcdef"
SOURCE = """
model_list:
  - model_name: chat
    litellm_params: {{model: openai/gpt-4o, api_base: "{bad}/v1", api_key: os.environ/THE_KEY}}
  - model_name: other
    litellm_params: {{model: hosted_vllm/llama, api_base: "{good}/v1", temperature: 0.25}}
  - model_name: forbidden
    litellm_params: {{model: hosted_vllm/big, api_base: "{good}/v1"}}
litellm_settings: {{num_retries: 0, fallbacks: [{{chat: [other]}}]}}
general_settings: {{master_key: os.environ/MASTER}}
"""
ROW = {"token": hash_key(KEY), "key_alias": "shop", "models": ["chat"], "rpm_limit": 1000, "max_parallel_requests": 5}
TABLES = {
    "LiteLLM_VerificationToken": [{**ROW, "team_id": "t", "max_budget": 10, "budget_duration": "30d"}],
    "LiteLLM_TeamTable": [{"team_id": "t", "team_alias": "Search", "models": [], "rpm_limit": 2}],
}


def test_a_gateway_on_the_result_takes_the_keys_falls_back_and_limits(tmp_path):
    failing = json_reply(b'{"error": {"message": "down"}}', status=500)
    with ScriptedUpstream(failing) as bad, ScriptedUpstream(whole("openai", Said(text="from the other"))) as good:
        source = SOURCE.format(bad=f"http://127.0.0.1:{bad.port}", good=f"http://127.0.0.1:{good.port}")
        (tmp_path / "config.yaml").write_text(source)
        (tmp_path / "tables.json").write_text(json.dumps(TABLES))
        finished = imported("config.yaml", "--keys", "tables.json", cwd=tmp_path)
        assert finished.returncode == 0, finished.stderr
        text = (tmp_path / "headgate.yaml").read_text().replace("money: 10", "money: 10, unpriced: free")
        port = free_port()
        options = {"port": port, "arguments": ["--port", str(port), "--data-dir", str(tmp_path / "data")]}
        with running(tmp_path, text, environ={"THE_KEY": "sk-of-the-provider-1"}, **options) as gateway:
            body = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
            status, headers, answer = gateway.post(body, key=KEY)
            assert (status, headers["x-headgate-model"]) == (200, "vllm/llama"), answer
            assert bad.requests[0].headers["authorization"] == "Bearer sk-of-the-provider-1"
            assert json.loads(good.requests[0].body)["temperature"] == 0.25
            assert gateway.post({**body, "model": "forbidden"}, key=KEY)[0] == 403
            assert gateway.post(body, key="sk-of-nobody-0123456789abcdef")[0] == 401
            statuses = [gateway.post(body, key=KEY) for _ in range(2)]
            assert [status for status, _, _ in statuses] == [200, 429]
            assert statuses[1][1]["x-headgate-limit"] == "team Search"
            assert gateway.records(1, status=200)[0]["key"] == "shop"
