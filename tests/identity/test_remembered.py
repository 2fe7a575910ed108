"""What is remembered is bounded in number and time."""

from headgate.identity.remembered import Remembered


def test_the_oldest_gives_way():
    found = Remembered(60.0, most=3)
    for number in range(5):
        found.put(b"%d" % number, number, 100.0, 1000.0)
    assert len(found) == 3
    assert [found.get(b"%d" % number, 101.0) for number in range(5)] == [None, None, 2, 3, 4]
    found.put(b"2", "again", 101.0, 1000.0)
    found.put(b"5", 5, 101.0, 1000.0)
    assert (found.get(b"2", 102.0), found.get(b"3", 102.0)) == ("again", None)


def test_it_lasts_until_its_end_and_no_longer_than_is_set():
    found = Remembered(60.0)
    found.put(b"a", 1, 100.0, 110.0)
    found.put(b"b", 2, 100.0, 1000.0)
    found.put(b"c", 3, 100.0, 100.0)
    assert [found.get(key, 109.9) for key in (b"a", b"b", b"c")] == [1, 2, None]
    assert [found.get(key, 110.0) for key in (b"a", b"b")] == [None, 2]
    assert found.get(b"b", 160.0) is None
    assert len(found) == 0
