"""`headgate audit verify` says what it cannot check, and with which keys it checked."""

import json

import pytest
from click.testing import CliRunner

from headgate.cli import cli


@pytest.fixture
def run(tmp_path):
    (tmp_path / "headgate.yaml").write_text("data_dir: data\nproviders: {simulator: }\n")

    def run(*arguments):
        return CliRunner().invoke(cli, [*arguments, "--config", str(tmp_path / "headgate.yaml")])

    return run


def test_where_nothing_was_written_there_is_nothing_to_check(run, tmp_path):
    assert run("audit", "verify").stderr == "nothing was written yet\n"
    assert not (tmp_path / "data").exists()


def test_keys_and_checkpoints_that_are_none(run, tmp_path):
    path = tmp_path / "kept.jsonl"
    path.write_text('{"chain": "audit"}\n')
    assert "no checkpoints can be read there" in run("audit", "verify", "--checkpoints", str(path)).stderr
    assert "a key is what `headgate audit key` prints" in run("audit", "verify", "--key", "abc").stderr
    assert "neither `latest` nor the number" in run("audit", "verify", "--since", "yesterday").stderr


def test_a_file_brings_its_own_checkpoints(run, tmp_path):
    (tmp_path / "file").write_text("")
    for more in (("--since", "latest"), ("--checkpoints", str(tmp_path / "file"))):
        done = run("audit", "verify", str(tmp_path / "file"), *more)
        assert "a FILE brings its own checkpoints" in done.output


def test_the_key_is_made_once_and_sealed(run, tmp_path):
    (tmp_path / "data").mkdir()
    first = run("audit", "key").stdout
    assert first == run("audit", "key").stdout
    assert len(first.splitlines()) == 1
    assert "there is no genuine checkpoint 7 of the audit" in run("audit", "verify", "--since", "7").stderr
    assert json.loads(run("audit", "verify", "--json").stdout)[0]["whole"]
