"""What is said of wrong answers is known to all workers, and after a restart, until it is taken back."""

import pytest

from headgate.core.cached import NotGiven
from headgate.core.record import Cached, Record
from headgate.server.verdicts import FILE, Verdicts
from headgate.state.questions import Questions

CONTEXT = bytes(24)


class Store:
    def __init__(self):
        self.cleared = []

    async def clear(self, which):
        assert which.before is not None  # what is being read just then is not to come back
        self.cleared.append(which.id)
        return 1


def verdicts(folder):
    made = Verdicts(folder, Store())
    made.index = Questions(1 << 20)
    return made


def record(how="semantic", similarity=0.9312, **more):
    cached = Cached(how=how, key="aa", entry="bb", context=CONTEXT.hex(), similarity=similarity, **more)
    return Record(id="req_1", time=1.0, model="faq", cached=cached)


async def least(made):
    await made.look()
    return (await made.index.nearest(CONTEXT, bytes(16)))[0]


async def test_all_workers_know_of_it_until_it_is_taken_back(tmp_path):
    one, two = verdicts(tmp_path), verdicts(tmp_path)
    await one.report(record(), "wrong", "app")
    assert [await least(each) for each in (one, two, verdicts(tmp_path))] == [pytest.approx(0.9322)] * 3
    await two.report(record(similarity=0.8), "wrong", "app")  # what was wanted before is not wanted less
    assert [await least(each) for each in (one, two)] == [pytest.approx(0.9322)] * 2
    [raised] = await two.raised()
    assert (raised.name, raised.of, raised.by) == ("faq", "req_1", "app")
    await two.forget()
    assert [await least(each) for each in (one, two, verdicts(tmp_path))] == [0.0] * 3
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'nonsense\n{"context": 3}\n')
    await one.report(record(similarity=0.9999), "wrong", "app")
    assert await least(two) > 1.0  # nothing is as like as that


async def test_other_machines_hear_of_it(tmp_path):
    other = verdicts(tmp_path / "other")
    one = Verdicts(tmp_path / "one", Store(), other.hear)
    one.index = Questions(1 << 20)
    await one.report(record(), "wrong", "app")
    assert await least(other) == pytest.approx(0.9322)
    await one.forget()
    assert await least(other) == 0.0
    await other.hear(b'["smart", null]')


async def test_only_a_wrong_one_of_the_cache_is_taken_out(tmp_path):
    made = verdicts(tmp_path)
    await made.report(record(), "right", "app")
    assert (made._store.cleared, await least(made)) == ([], 0.0)
    for how in ("miss", "bypass", "coalesced"):
        with pytest.raises(NotGiven):
            await made.report(record(how), "wrong", "app")
    await made.report(record(), "wrong", "app")
    await made.report(Record(id="req_2", time=1.0, cached=Cached(how="hit", key="cc")), "wrong", "app")
    assert made._store.cleared == ["bb", "cc"]
    assert dict(made.counts) == {("right",): 1, ("wrong",): 2}
