"""`headgate sinks` says of each sink how far it is and what is wrong with it."""

from headgate.records import progress
from headgate.records.sent import show
from made_records import written


def test_the_table_says_what_waits_and_why(tmp_path, records, capsys):
    written(tmp_path / "journal", records(6), segments=1)
    [segment] = (tmp_path / "journal").iterdir()
    whole = segment.stat().st_size
    progress.save(tmp_path, "fine", progress.Progress("file", {segment.name: whole}, delivered=6))
    progress.save(tmp_path, "gone", progress.Progress("http", away="it answered 503\x1b[31m", lost_bytes=2_500_000))
    show(tmp_path, as_json=False)
    _, fine, gone = capsys.readouterr().out.splitlines()
    assert fine.split() == ["fine", "file", "6", "0", "0", "-", "-", "-", "in", "order"]
    assert gone.startswith("gone  http     0")
    assert f"{whole / 1000:.1f} kB" in gone
    assert gone.endswith("2.5 MB  takes nothing: it answered 503\\x1b[31m")


def test_there_may_be_none(tmp_path, capsys):
    show(tmp_path, as_json=True)
    assert capsys.readouterr().out == "[]\n"
