"""The guard of the company's own code: marks, copyrights, registered files."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from headgate.cli import cli
from headgate.core.guard import Asked, Passage
from headgate.redaction import looking
from headgate.stages.guards.code import Code, CodeSettings
from together import together

SOURCE = Path(looking.__file__)


def found(guard, text):
    return [(text[each.start : each.end], each.category) for each in guard.look([Passage(text)], Asked())]


@together(
    ("text", "said"),
    [
        ("# CONFIDENTIAL\nx = 1", "CONFIDENTIAL"), ("this is confidential, he said", None), ("/* Internal\n * use only */", "Internal\n * use only"),
        ("// not-for-distribution", "not-for-distribution"), ("for internal use only", "for internal use only"), ("print('hello')", None),
    ],
)  # fmt: skip
def test_marks(text, said):
    assert [word for word, _ in found(Code(CodeSettings()), text)] == ([said] if said else [])


def test_marks_and_copyrights_of_ones_own():
    guard = Code(CodeSettings(markers=["ACME internal"], owners=["ACME Ltd."]))
    assert found(guard, "CONFIDENTIAL – acme Internal") == [("acme Internal", "marker")]
    assert found(guard, "// Copyright (c) 2024 ACME Ltd.\nint x;") == [("Copyright (c) 2024 ACME Ltd.", "copyright")]
    assert found(guard, "Copyright (c) 2024 The Others") == []


def test_registered_files(tmp_path):
    kept = tmp_path / "known"
    done = CliRunner().invoke(cli, ["guard", "register", str(SOURCE), "--to", str(kept)])
    assert (done.exit_code, done.output.split()[:2]) == (0, ["1", "files,"])
    guard = Code(CodeSettings(registered=kept, markers=[]))
    piece = SOURCE.read_text()[2000:3200]
    [(text, category)] = found(guard, f"Größe: warum geht das nicht?\n\n{piece}\n\nDanke!")
    assert category == "registered"
    assert text in piece
    assert not [kind for _, kind in found(guard, Path(__file__).read_text()) if kind == "registered"]
    assert CliRunner().invoke(cli, ["guard", "register", __file__, "--to", str(kept), "--add"]).exit_code == 0
    assert (
        len(
            found(
                Code(CodeSettings(registered=kept, markers=[])),
                f"{piece}\n{'and so on ' * 30}\n{Path(__file__).read_text()}",
            )
        )
        == 2
    )


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        Code(CodeSettings(registered=tmp_path / "none"))
    (tmp_path / "other").write_text("other")
    with pytest.raises(ValueError, match="holds no fingerprints"):
        Code(CodeSettings(registered=tmp_path / "other"))
    done = CliRunner().invoke(cli, ["guard", "register", __file__, "--to", str(tmp_path / "other"), "--add"])
    assert done.exit_code == 1
    assert "holds no fingerprints" in done.output
