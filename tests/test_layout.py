"""The tree keeps its shape: who may import whom, tests that mirror the source, every plug-in in the docs."""

import ast
from functools import cache
from pathlib import Path

import pytest

from together import together

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "headgate"
FILES = sorted(SOURCE.rglob("*.py"))
STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
"""Where imports are; to look through expressions as well takes seconds."""

# Left may import right, never the other way; parts of one rank do not import each other.
RANKS = {
    "__main__": 0,
    "cli": 1,
    "server": 2,
    "admin": 2,
    "runtime": 3,
    "migrate": 3,
    "governance": 3,
    "config": 4,
    "alerts": 5,
    "records": 6,
    "state": 7,
    "store": 7,
    "secrets": 8,
    "identity": 7,
    "journal": 7,
    "telemetry": 7,
    "stages": 8,
    "providers": 9,
    "dialects": 10,
    "upstream": 10,
    "catalog": 10,
    "redaction": 10,
    "injection": 10,
    "similarity": 10,
    "core": 11,
}
# Folders whose files stand for themselves: any may be deleted without touching another.
FREE_STANDING = {
    "dialects": {
        "bedrock_errors",
        "claude",
        "cohere_bodies",
        "cohere_errors",
        "dialect",
        "event_stream",
        "fields",
        "framing",
        "multipart",
        "narrow_schemas",
        "openai_errors",
        "openai_usage",
        "pictures",
        "plain_crossing",
        "ranking",
        "signatures",
        "transcripts",
        "unreached",
        "vectors",
        "whole",
    },
    "providers": {"provider", "settings"},
    "records.sinks": {"sink"},
    "redaction.packs": set(),
    "secrets": {"references", "settings", "source"},
    "alerts.channels": {"channel"},
    "providers.auth": {"auth"},
    "providers.jobs": {"job"},
    "stages": {"stage"},
    "stages.filters": {"filter"},
    "stages.guards": {"guard"},
    "stages.policies": {"policy"},
    "stages.rules": {"clause", "embedder", "expression", "rule", "subject", "words"},
}
PLUGINS = {
    "dialects": "dialects.md",
    "providers": "providers.md",
    "records.sinks": "configuration.md",
    "stages": "stages.md",
    "stages.filters": "stages.md",
    "stages.guards": "stages.md",
    "stages.policies": "stages.md",
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


@cache
def read(path: Path) -> tuple[str | None, set[str]]:
    """What a file opens with, and the modules of ours that it imports, by dotted name without `headgate.`.

    The tree itself is not kept: to look through all of them for garbage takes longer than to read them.
    """
    tree = ast.parse(path.read_text())
    found, left = set(), [tree]
    while left:
        node = left.pop()
        left += [child for child in ast.iter_child_nodes(node) if isinstance(child, STATEMENTS)]
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    imported = {name.removeprefix("headgate.") for name in found if name.startswith("headgate.")}
    return ast.get_docstring(tree), imported


def imports_of(path: Path) -> set[str]:
    return read(path)[1]


def plugins_of(folder: str) -> dict[str, list[Path]]:
    """The plug-ins of a folder with their files: one, or a package's."""
    path = SOURCE / folder.replace(".", "/")
    found = {file.stem: [file] for file in path.glob("*.py") if file.stem != "__init__"}
    for package in path.glob("*/__init__.py"):
        if f"{folder}.{package.parent.name}" not in FREE_STANDING:
            found[package.parent.name] = sorted(package.parent.glob("*.py"))
    return {name: files for name, files in found.items() if name not in FREE_STANDING[folder]}


@together("path", [pytest.param(path, id=name_of(path)) for path in FILES])
def test_imports_run_one_way(path):
    part = name_of(path).split(".")[0]
    if part == "__init__":
        return
    for imported in imports_of(path):
        other = imported.split(".")[0]
        if other != part and other in RANKS:
            assert RANKS[part] < RANKS[other], f"{name_of(path)} imports {imported}"


@together("folder", FREE_STANDING)
def test_siblings_do_not_import_each_other(folder):
    plugins = plugins_of(folder)
    for name, files in plugins.items():
        for path in files:
            for imported in imports_of(path):
                other = imported.removeprefix(f"{folder}.").split(".")[0]
                assert other == name or not imported.startswith(f"{folder}.") or other not in plugins, (
                    f"{name_of(path)} imports its sibling {other}"
                )


@together("path", [pytest.param(path, id=name_of(path)) for path in FILES])
def test_every_module_opens_with_a_sentence(path):
    doc, _ = read(path)
    assert doc, f"{name_of(path)} says nothing of what it is for"
    assert doc.splitlines()[0].strip()


def test_no_name_says_nothing():
    vague = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "base"}
    assert not [name_of(path) for path in FILES if path.stem in vague]


def test_every_folder_of_the_source_has_tests():
    for folder in sorted({path.parent for path in FILES} - {SOURCE}):
        mirrored = ROOT / "tests" / folder.relative_to(SOURCE)
        assert list(mirrored.glob("test_*.py")), f"there are no tests in {mirrored.relative_to(ROOT)}"


def test_tests_mirror_the_source():
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.parent.relative_to(ROOT / "tests")
        if folder.parts and folder.parts[0] not in ("walks", "bench"):
            assert (SOURCE / folder).is_dir(), f"{path.relative_to(ROOT)} tests no folder of the source"


@pytest.mark.parametrize("folder", PLUGINS)
def test_every_plugin_is_in_the_docs(folder):
    page = (ROOT / "docs" / "reference" / PLUGINS[folder]).read_text()
    for name in plugins_of(folder):
        assert f"`{name}`" in page, f"docs/reference/{PLUGINS[folder]} does not mention {name}"


def test_nothing_in_the_tree_lists_the_providers():
    names = set(plugins_of("providers"))
    for path in FILES:
        if path.parent.name == "providers":
            continue
        text = path.read_text()
        named = [name for name in names if f'"{name}"' in text]
        # a few are also the names of companies whose models others host
        assert len(named) < len(names) / 8, f"{name_of(path)} lists providers: {named}"
