"""Every record reaches a sink at least once, a repeated batch is the same, and nobody waits for anybody."""

import multiprocessing
import os
import random
import threading
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.journal.segments import segments
from headgate.records import dispatch, progress
from headgate.records.delivery import Delivery
from headgate.records.drain import KEPT, Drain, opened, source
from headgate.records.sinks.sink import Away, Refused, Settings, Sink, Unfit
from made_records import made, written

NOW = 2_000_000_000.0


class Kept(Sink):
    """Keeps what it is sent; `before` and `after` may raise."""

    def __init__(self, before=lambda batch: None, after=lambda batch: None, **told):
        super().__init__(Settings(batch_bytes=4096, **told))
        self.batches = []
        self.before, self.after = before, after

    def send(self, batch):
        self.before(batch)
        self.batches.append(batch)
        return self.after(batch)

    @property
    def ids(self):
        return [item.id for batch in self.batches for item in batch.items]


class Killed(BaseException):
    """The process ends here."""


class OddError(Exception):
    """Of a library that a sink uses."""


def delivery(data, sink, told=None, name="kept"):
    return Delivery(data, name, sink, lambda *said: told.append(said) if told is not None else None)


def delivered(data, sink, told=None, name="kept"):
    made = delivery(data, sink, told, name)
    while made.turn(NOW, last=True):
        pass
    return made


def test_all_is_sent_in_batches_and_only_once(tmp_path, records):
    wanted, sink = records(100), Kept()
    written(tmp_path / "journal", wanted[:60])
    delivered(tmp_path, sink)
    written(tmp_path / "journal", wanted[60:])
    delivered(tmp_path, sink)
    delivered(tmp_path, sink)
    assert sorted(sink.ids) == [record.id for record in wanted]
    assert len({batch.id for batch in sink.batches}) == len(sink.batches) > 3
    lines = {item.id: item.line for batch in sink.batches for item in batch.items}
    assert lines == {record.id: msgspec.json.encode(record) for record in wanted}
    assert progress.load(tmp_path, "kept").delivered == 100


@given(seed=st.integers(0, 10**9), count=st.integers(1, 60))
@settings(max_examples=15, deadline=None)
def test_whatever_fails_or_is_killed_all_is_there_and_repeated_batches_are_the_same(tmp_path_factory, seed, count):
    data, chance = tmp_path_factory.mktemp("law"), random.Random(seed)
    wanted = [made(number, chance) for number in range(count)]

    def maybe(batch):
        if chance.random() < 0.4:
            raise chance.choice((Away, Killed, Killed))("now")

    sink, pieces = Kept(maybe, maybe), chance.randrange(1, 5)
    for part in range(pieces):
        written(data / "journal", wanted[part::pieces], segments=chance.randrange(1, 3))
        sending = delivery(data, sink)
        for _ in range(chance.randrange(12)):
            try:
                sending.turn(NOW, last=True)
            except Away as error:
                sending.failed(error, NOW)
            except Killed:
                sending = delivery(data, sink)
    sink.before = sink.after = lambda batch: None
    delivered(data, sink)
    assert set(sink.ids) == {record.id for record in wanted}
    by_id = {}
    for batch in sink.batches:
        assert by_id.setdefault(batch.id, batch.items) == batch.items
    assert len({item.id for items in by_id.values() for item in items}) == sum(map(len, by_id.values()))


def test_what_it_refuses_alone_keeps_nothing_else_out(tmp_path, records):
    wanted, told = records(9), []

    def picky(batch):
        if any(item.id == wanted[4].id for item in batch.items):
            raise Unfit("too odd")

    sink = Kept(picky)
    written(tmp_path / "journal", wanted, segments=1)
    with next((tmp_path / "journal").iterdir()).open("ab") as file:
        file.write(b'{"id": torn}\n')
    found = delivered(tmp_path, sink, told)
    assert set(sink.ids) == {record.id for record in wanted} - {wanted[4].id}
    assert (found.progress.delivered, found.progress.unfit) == (8, 2)
    assert any(wanted[4].id in message and "too odd" in message for _, message in told)


def test_what_it_refuses_in_batches_of_its_own_keeps_nothing_else_out(tmp_path, records):
    """As where little is asked, or a segment ends with it."""
    wanted, told = records(8), []
    odd = {wanted[0].id, wanted[1].id, wanted[3].id}

    def picky(batch):
        if any(item.id in odd for item in batch.items):
            raise Unfit("too odd")

    sink = Kept(picky)
    written(tmp_path / "journal", wanted[:1], segments=1)
    made = delivery(tmp_path, sink, told)
    with pytest.raises(Away, match="refuses all of them"):
        made.turn(NOW, last=True)
    for part in (wanted[1:2], wanted[2:3], wanted[3:4], wanted[4:]):
        written(tmp_path / "journal", part, segments=1)
    while made.turn(NOW, last=True):
        pass
    assert sorted(sink.ids) == sorted({record.id for record in wanted} - odd)
    assert (made.progress.delivered, made.progress.unfit) == (5, 3)
    assert sorted(message.split()[8].rstrip(":") for _, message in told) == sorted(odd)


@given(seed=st.integers(0, 10**9), count=st.integers(2, 40))
@settings(max_examples=15, deadline=None)
def test_whatever_is_refused_fails_or_is_killed_only_what_is_refused_is_left_out(tmp_path_factory, seed, count):
    data, chance, told = tmp_path_factory.mktemp("law"), random.Random(seed), []
    wanted = [made(number, chance) for number in range(count)]
    odd = {record.id for record in wanted[:-1] if chance.random() < 0.3}

    def maybe(batch):
        if chance.random() < 0.25:
            raise chance.choice((Away, Killed))("now")

    def picky(batch):
        if any(item.id in odd for item in batch.items):
            raise Unfit("too odd")

    def turns(most):
        nonlocal sending
        for _ in range(most):
            try:
                sending.turn(NOW, last=True)
            except Away as error:
                sending.failed(error, NOW)
            except Killed:
                sending = delivery(data, sink, told)

    sink, pieces = Kept(lambda batch: (maybe(batch), picky(batch)), maybe), chance.randrange(1, 5)
    sending = delivery(data, sink, told)
    for part in range(pieces):
        written(data / "journal", wanted[part:-1:pieces], segments=chance.randrange(1, 4))
        turns(chance.randrange(12))
    written(data / "journal", wanted[-1:], segments=1)
    sink.before, sink.after = picky, lambda batch: None
    turns(2 * count)
    assert set(sink.ids) == {record.id for record in wanted} - odd
    assert {message.split()[8].rstrip(":") for _, message in told if "the record" in message} <= odd


def test_retries_count_nothing_twice(tmp_path, records):
    def away(batch):
        raise Away("not now")

    wanted, told = records(9), []
    wanted = [
        msgspec.structs.replace(record, team="red" if number % 3 else "blue") for number, record in enumerate(wanted)
    ]
    sink = Kept(away, where={"team": "red"})
    written(tmp_path / "journal", wanted, segments=1)
    with next((tmp_path / "journal").iterdir()).open("ab") as file:
        file.write(b'{"id": torn}\n')
    made = delivery(tmp_path, sink, told)
    for _ in range(3):
        with pytest.raises(Away):
            made.turn(NOW, last=True)
    sink.before = lambda batch: None
    while made.turn(NOW, last=True):
        pass
    assert (made.progress.delivered, made.progress.skipped, made.progress.unfit) == (6, 3, 1)
    assert len(told) == 1


def test_what_it_says_that_it_left_out_is_told_and_counted(tmp_path, records):
    sink, told = Kept(after=lambda batch: Refused(2, "too old")), []
    written(tmp_path / "journal", records(5), segments=1)
    found = delivered(tmp_path, sink, told)
    assert (found.progress.delivered, found.progress.unfit) == (3, 2)
    assert told == [("error", "the sink kept does not take 2 of 5 records: too old")]


def test_a_sink_that_refuses_everything_loses_nothing(tmp_path, records):
    """As where its address is wrong."""

    def refuse(batch):
        raise Unfit("it answered 400")

    sink, told = Kept(refuse), []
    written(tmp_path / "journal", records(4))
    made = delivery(tmp_path, sink, told)
    for _ in range(2):
        with pytest.raises(Away, match="refuses all of them: it answered 400") as caught:
            made.turn(NOW, last=True)
        made.failed(caught.value, NOW)
    assert len(told) == 1
    sink.before = lambda batch: None
    made.turn(NOW, last=True)
    made.worked()
    assert told[1] == ("info", "the sink kept takes records again")
    delivered(tmp_path, sink)
    assert len(set(sink.ids)) == 4


def test_little_waits_for_more_but_not_for_long(tmp_path, records):
    sink = Kept(batch_seconds=60)
    written(tmp_path / "journal", records(2), segments=1)
    made = delivery(tmp_path, sink)
    assert not made.turn(NOW)
    assert not made.turn(NOW + 59)
    assert made.turn(NOW + 61)
    assert len(sink.ids) == 2
    written(tmp_path / "journal", records(40, seed=2), segments=1)
    assert made.turn(NOW + 62)
    assert len(sink.ids) > 2


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"where": {"status": "5xx"}}, lambda record: 500 <= record.status < 600),
        ({"where": {"status": [429, "404"]}}, lambda record: record.status in (429, 404)),
        ({"where": {"team": ["red", "blue"], "stream": True}}, lambda record: record.team and record.stream),
        ({"where": {"data_class": "public"}}, lambda record: record.data_class == "public"),
        ({"where": {"target": "openai"}}, lambda record: (record.target or "").startswith("openai/")),
        ({"where": {"target": "openai/a"}}, lambda record: record.target == "openai/a"),
        ({"where": {"tags": ["b", "c"]}}, lambda record: "b" in record.tags),
        ({"where_not": {"ending": "complete"}}, lambda record: record.ending != "complete"),
        ({"where_not": {"team": "red", "user": "ann"}}, lambda record: record.team != "red" and record.user != "ann"),
    ],
)
def test_it_gets_what_its_filter_says(tmp_path, records, told, wanted):
    some = [
        msgspec.structs.replace(record, data_class="public" if number % 3 else None)
        for number, record in enumerate(records(80))
    ]
    written(tmp_path / "journal", some)
    sink = Kept(**told)
    found = delivered(tmp_path, sink)
    ids = {record.id for record in some if wanted(record)}
    assert 0 < len(ids) < 80
    assert set(sink.ids) == ids
    assert found.progress.skipped == 80 - len(ids)


def test_it_gets_the_fields_that_it_is_to_have(tmp_path, records):
    some = records(20)
    written(tmp_path / "journal", some)
    only, without = Kept(fields=["cost", "team"]), Kept(without=["client", "end_user", "id"])
    delivered(tmp_path, only, name="only")
    delivered(tmp_path, without, name="without")
    whole = {record.id: msgspec.to_builtins(record) for record in some}
    for sink, keep in ((only, {"id", "time", "cost", "team"}), (without, None)):
        for batch in sink.batches:
            for item in batch.items:
                fields = whole[item.id]
                kept = keep if keep is not None else fields.keys() - {"client", "end_user"}
                assert msgspec.json.decode(item.line) == {name: fields[name] for name in fields if name in kept}


def test_what_is_deleted_before_it_was_sent_is_told(tmp_path, records):
    def away(batch):
        raise Away("not now")

    sink, told = Kept(away), []
    written(tmp_path / "journal", records(30), segments=3)
    made = delivery(tmp_path, sink, told)
    with pytest.raises(Away):
        made.turn(NOW, last=True)
    first, *_ = segments(tmp_path / "journal")
    lost = first.path.stat().st_size
    first.path.unlink()
    sink.before = lambda batch: None
    while made.turn(NOW, last=True):
        pass
    assert made.progress.lost_bytes == lost
    assert f"{lost} bytes of the journal were deleted before the sink kept had them" in told[0][1]
    assert len(sink.ids) == 20


def test_what_came_in_while_it_was_away_and_is_deleted_is_told_too(tmp_path, records):
    def away(batch):
        raise Away("not now")

    told = []
    made = delivery(tmp_path, Kept(away), told)
    for _ in range(3):
        written(tmp_path / "journal", records(4), segments=1)
        with pytest.raises(Away):
            made.turn(NOW, last=True)
    there = [segment.path for segment in segments(tmp_path / "journal")]
    sizes = sum(path.stat().st_size for path in there)
    for path in there:
        path.unlink()
    assert not made.turn(NOW, last=True)
    assert made.progress.lost_bytes == sizes
    assert f"{sizes} bytes of the journal were deleted" in told[0][1]


def test_a_segment_stays_until_every_sink_has_it(tmp_path, records):
    written(tmp_path / "journal", records(6))
    for segment in segments(tmp_path / "journal"):
        os.utime(segment.path, (0, 0))
    progress.save(tmp_path, "slow", progress.Progress())
    drain = Drain(tmp_path, opened(f"sqlite:///{tmp_path}/records.db"), lambda *_: None, now=NOW)
    while drain.turn(NOW):
        pass
    drain.turn(NOW + KEPT + 20)
    assert len(segments(tmp_path / "journal")) == 3
    delivered(tmp_path, Kept(), name="slow")
    drain.turn(NOW + KEPT + 40)
    assert segments(tmp_path / "journal") == []
    drain.database.close()


def test_a_sink_that_hangs_or_breaks_holds_nobody_up(tmp_path, records):
    hung, gone, told = threading.Event(), threading.Event(), []

    def hang(batch):
        hung.wait(10)

    def fail(batch):
        raise OddError("a secret of the sink's own")

    written(tmp_path / "journal", records(30))
    sinks = {"hanging": Kept(hang), "broken": Kept(fail), "sound": Kept()}
    gone.set()
    working = threading.Thread(
        target=dispatch.run,
        args=([delivery(tmp_path, sink, told, name) for name, sink in sinks.items()], gone),
    )
    working.start()
    until = time.monotonic() + 20
    while len(sinks["sound"].ids) < 30 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(sinks["sound"].ids) == 30
    hung.set()
    working.join(10)
    assert len(sinks["hanging"].ids) == 30
    assert told == [
        ("warning", "the sink broken takes no records, which wait in the journal: OddError at test_delivery.py:353")
    ]


def test_sinks_that_are_no_more_are_forgotten(tmp_path):
    for name in ("old", "new"):
        progress.save(tmp_path, name, progress.Progress(delivered=7))
    told = {"path": str(tmp_path / "r.jsonl")}
    wanted = dispatch.Settings(str(tmp_path), [dispatch.Sending("new", "file", told)])
    [found] = dispatch.deliveries(wanted, lambda *_: None)
    assert progress.every(tmp_path).keys() == {"new"}
    assert found.progress.delivered == 7


def test_a_data_directory_has_one_name_whoever_asks_first(tmp_path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(source, [tmp_path] * 8, chunksize=1))) == 1
    (tmp_path / "drain.id").write_text("")  # as a power cut leaves it
    assert source(tmp_path) == source(tmp_path) != ""
