"""Conversions of other gateways' configurations for tests: what becomes of a small source, and that it is in order."""

import json
from pathlib import Path

from headgate.config.document import parse
from headgate.migrate.litellm.conversion import checked, convert


class Converted:
    """The result as plain data, and what was told."""

    def __init__(self, made):
        self.text = made.text
        self.variables = made.variables
        self.report = made.report
        self.document = parse(made.text.encode(), "result").plain() or {}

    def __getitem__(self, section):
        return self.document.get(section)

    def told(self, kind="lost"):
        """The places, with what is said of each."""
        return {problem.path: f"{problem.message}; {problem.hint}" for problem in self.report.of(kind)}


def converted(folder, config, tables=None):
    """Of a source (YAML) and tables (plain data, or CSV); the result passes `headgate check`."""
    source = Path(folder) / "config.yaml"
    source.write_text(config)
    exported = None
    if tables is not None:
        exported = Path(folder) / "tables"
        exported.write_text(tables if isinstance(tables, str) else json.dumps(tables))
    made = convert(source, exported)
    written = Path(folder) / "headgate.yaml"
    written.write_text(made.text)
    problems, _ = checked(written, made, {})
    assert not problems, [str(problem) for problem in problems] + [made.text]
    return Converted(made)
