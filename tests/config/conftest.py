"""What is said of a configuration."""

import pytest

from headgate.config.load import load
from headgate.config.problems import ConfigError


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Everything that is said of a file: (path, message; hint)."""
    monkeypatch.chdir(tmp_path)

    def read(text):
        (tmp_path / "headgate.yaml").write_text(text)
        try:
            load(tmp_path / "headgate.yaml", {})
        except ConfigError as error:
            return [(problem.path, f"{problem.message}; {problem.hint}") for problem in error.problems]
        return []

    return read
