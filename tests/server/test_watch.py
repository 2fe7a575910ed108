"""Files that change, in every way they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.server.watch import Watch


class Reloads:
    """Counts the reloads; what it gives or raises is set by the test."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        self.count = 0
        self.error: Exception | None = None

    async def __call__(self) -> list[Path]:
        self.count += 1
        if self.error is not None:
            raise self.error
        return self.files


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "headgate.yaml"
    path.write_text("one")
    return path


async def test_nothing_happens_while_nothing_changes(file):
    reloads = Reloads([file])
    watch = Watch([file], reloads)
    for _ in range(3):
        await watch.look()
    assert reloads.count == 0


async def test_a_change_counts_once_it_has_stayed_the_same(file):
    reloads = Reloads([file])
    watch = Watch([file], reloads)
    file.write_text("half")
    await watch.look()
    file.write_text("half and more")
    await watch.look()
    assert reloads.count == 0
    await watch.look()
    assert reloads.count == 1
    await watch.look()
    assert reloads.count == 1


async def test_what_is_read_at_once_is_not_read_once_more(file):
    reloads = Reloads([file])
    watch = Watch([file], reloads)
    file.write_text("two")
    await watch.look()
    await watch.now()
    assert reloads.count == 1
    await watch.look()
    await watch.look()
    assert reloads.count == 1
    file.write_text("three")
    await watch.look()
    await watch.look()
    assert reloads.count == 2


async def test_a_change_taken_back_is_none(file):
    reloads = Reloads([file])
    watch = Watch([file], reloads)
    file.rename(file.with_suffix(".bak"))
    await watch.look()
    file.with_suffix(".bak").rename(file)
    await watch.look()
    await watch.look()
    assert reloads.count == 0


async def test_a_swapped_link_is_a_change(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "headgate.yaml").write_text("same size")
    data, file = tmp_path / "..data", tmp_path / "headgate.yaml"
    data.symlink_to("first")
    file.symlink_to("..data/headgate.yaml")
    reloads = Reloads([file])
    watch = Watch([file], reloads)
    (tmp_path / "new").symlink_to("second")
    (tmp_path / "new").rename(data)
    await watch.look()
    await watch.look()
    assert reloads.count == 1


async def test_a_bad_file_is_tried_once_and_the_next_change_again(file, caplog):
    reloads = Reloads([file])
    reloads.error = ValueError("line 3: unknown key")
    watch = Watch([file], reloads)
    file.write_text("a bad one")
    for _ in range(4):
        await watch.look()
    assert reloads.count == 1
    assert "the old one stays in force: line 3: unknown key" in caplog.text
    reloads.error = None
    file.write_text("a good one, after all")
    await watch.look()
    await watch.look()
    assert reloads.count == 2


async def test_each_problem_is_an_entry_of_its_own(file, caplog):
    reloads = Reloads([file])
    reloads.error = ValueError("line 3: unknown key\nline 4: no number")
    watch = Watch([file], reloads)
    file.write_text("a bad one")
    await watch.look()
    await watch.look()
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "the configuration was not reloaded, the old one stays in force: 2 problems",
        "line 3: unknown key",
        "line 4: no number",
    ]


async def test_a_reload_may_add_files(file, tmp_path):
    other = tmp_path / "key"
    reloads = Reloads([file, other])
    watch = Watch([file], reloads)
    file.write_text("mentions key")
    await watch.look()
    await watch.look()
    other.write_text("secret")
    await watch.look()
    await watch.look()
    assert reloads.count == 2


async def test_a_file_that_changes_while_it_is_read_is_read_again(file):
    class Slow(Reloads):
        async def __call__(self) -> list[Path]:
            if not self.count:
                file.write_text("changed in the meantime")
            return await super().__call__()

    reloads = Slow([file])
    watch = Watch([file], reloads)
    file.write_text("changed")
    for _ in range(4):
        await watch.look()
    assert reloads.count == 2


async def test_a_file_that_is_gone_is_a_change(file):
    reloads = Reloads([file])
    reloads.error = FileNotFoundError("headgate.yaml")
    watch = Watch([file], reloads)
    file.unlink()
    await watch.look()
    await watch.look()
    assert reloads.count == 1
