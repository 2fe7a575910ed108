"""What a fresh machine is set up from: pinned by hash, from nowhere in particular, and few."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ["requirements.txt", "requirements-all.txt", "requirements-dev.txt", "requirements-uv.txt"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MOST = 15


def pinned(name):
    text = (ROOT / name).read_text().replace("\\\n", " ")
    return {line.split("==")[0]: line for line in text.splitlines() if line.strip()}


def normal(requirement):
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_by_hash(name):
    lines = pinned(name)
    assert lines
    for line in lines.values():
        assert re.match(r"[a-z0-9-]+==[^ ]+ ", line), line
        assert "--hash=sha256:" in line, line


@pytest.mark.parametrize("name", LOCKS)
def test_no_requirement_names_an_address(name):
    text = (ROOT / name).read_text()
    for word in ("://", "index-url", "find-links", "file:", "@"):
        assert word not in text


def test_the_pins_cover_what_the_project_asks_for():
    runtime, dev = pinned("requirements.txt"), pinned("requirements-dev.txt")
    assert {normal(entry) for entry in PROJECT["project"]["dependencies"]} <= runtime.keys()
    assert {normal(entry) for entry in PROJECT["dependency-groups"]["dev"]} <= dev.keys()


def test_tests_run_with_the_versions_that_serve():
    dev, everything = pinned("requirements-dev.txt"), pinned("requirements-all.txt")
    for name, line in everything.items():
        assert dev[name].split(" ")[0] == line.split(" ")[0]
    for name, line in pinned("requirements.txt").items():
        assert everything[name].split(" ")[0] == line.split(" ")[0]


def test_the_gateway_needs_few_packages():
    assert len(pinned("requirements.txt")) <= MOST


def test_ci_runs_what_a_developer_runs():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert "set -euo pipefail" in lines
    assert lines[-1] == "make check test"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
