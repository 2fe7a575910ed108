"""What was learned of models' tokens is there again after a restart; a file that is damaged is as none."""

import pytest

from headgate.core.ratios import Ratio, Ratios
from headgate.server.learned import FILE, Learned


def test_it_is_kept_where_there_is_something_new(tmp_path):
    ratios = Ratios()
    learned = Learned(tmp_path, ratios)
    learned.save()
    assert not (tmp_path / FILE).exists()
    ratios.due("a/b", 0.0).hear_asked(3, 2)
    learned.save()
    again = Ratios()
    Learned(tmp_path, again).load()
    assert again.of("a/b").asked == 1.5
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a/b": 3}', '{"a/b": {"asked": "x"}}'])
def test_a_damaged_file_is_learned_anew(tmp_path, caplog, text):
    (tmp_path / FILE).write_text(text)
    ratios = Ratios()
    Learned(tmp_path, ratios).load()
    assert ratios.of("a/b") == Ratio()
    assert "learned anew" in caplog.text


def test_a_disk_that_takes_nothing_is_told(tmp_path, caplog):
    ratios = Ratios()
    ratios.due("a/b", 0.0).hear_asked(3, 2)
    Learned(tmp_path / "nowhere", ratios).save()
    assert "is not kept" in caplog.text
