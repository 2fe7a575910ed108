"""Any worker answers for all of them, and no counter ever falls, also when workers die."""

import inspect
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from headgate.core.record import Record
from headgate.telemetry import workers as files
from headgate.telemetry.exposition import Exposition
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.workers import Workers, clear


def a_record():
    return Record(id="x", time=1.0, model="chat", target="openai/gpt", status=200)


@pytest.fixture
def started(tmp_path):
    """Starts workers of one process, told apart by made-up process ids."""
    running = []

    def start(worker, pid, in_flight=0):
        metrics = Metrics(worker=worker, pid=pid, models={"chat"}, watched={"headgate_in_flight": lambda: in_flight})
        running.append(Workers(tmp_path / "run", metrics, beat=0.02))
        return running[-1]

    yield start
    for one in running:
        one.close()


def told(worker):
    text, _ = Exposition(worker.metrics, version="1", workers=worker).render()
    values = {}
    for family in parse(text.decode()):
        for sample in family.samples:
            values[sample.name] = values.get(sample.name, 0) + sample.value
    return values


def test_a_gauge_is_summed_without_those_that_are_gone(started):
    one, two = started(0, 1001, in_flight=2), started(1, 1002, in_flight=3)
    assert one.sum("headgate_in_flight") == two.sum("headgate_in_flight") == {(): 5}
    two.close()
    assert one.sum("headgate_in_flight") == {(): 2}


def test_every_worker_answers_for_all(started):
    one, two = started(0, 1001, in_flight=2), started(1, 1002, in_flight=3)
    for _ in range(5):
        one.metrics.count(a_record())
    for _ in range(7):
        two.metrics.count(a_record())
    told(one)
    assert told(two)["headgate_requests_total"] == 12
    assert told(two)["headgate_in_flight"] == 5
    assert told(one)["headgate_requests_total"] == 12, "each answer is written before it is given"


def test_the_page_says_how_old_other_workers_counts_may_be():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    assert inspect.signature(Workers).parameters["beat"].default == 1.0
    assert "up to a second old" in " ".join(page.split())


def test_what_a_worker_that_ends_had_counted_stays(started, tmp_path):
    one, two = started(0, 1001, in_flight=2), started(1, 1002, in_flight=3)
    two.metrics.count(a_record())
    two.close()
    assert told(one)["headgate_requests_total"] == 1
    assert told(one)["headgate_in_flight"] == 2, "but not what it was doing"
    assert sorted(path.name for path in (tmp_path / "run").glob("metrics-1-*")) == []
    three = started(1, 1002)
    three.metrics.count(a_record())
    three.metrics.count(a_record())
    assert told(one)["headgate_requests_total"] >= 1
    assert told(three)["headgate_requests_total"] == 3, "a new worker of the same name adds to it"
    assert told(three)["headgate_request_seconds_count"] == 3


def test_being_killed_while_folding_counts_nothing_twice(started, tmp_path, monkeypatch):
    one, two = started(0, 1001), started(1, 1002)
    two.metrics.count(a_record())
    two.close()
    kept = {path: path.read_bytes() for path in (tmp_path / "run").glob("metrics-1-*")}
    assert told(one)["headgate_requests_total"] == 1
    for path, data in kept.items():
        path.write_bytes(data)  # as if it had been killed before it could delete them
    assert told(one)["headgate_requests_total"] == 1
    assert told(one)["headgate_requests_total"] == 1


def test_a_damaged_file_spoils_nothing(started, tmp_path):
    one = started(0, 1001)
    one.metrics.count(a_record())
    (tmp_path / "run" / "metrics-5-99.json").write_text('{"run": "half')
    (tmp_path / "run" / "metrics-retired.json").write_text("")
    assert told(one)["headgate_requests_total"] == 1
    assert told(one)["headgate_requests_total"] == 1


def test_a_server_that_starts_anew_forgets(started, tmp_path):
    two = started(1, 1002)
    two.metrics.count(a_record())
    two.close()
    clear(tmp_path / "run")
    clear(tmp_path / "missing")
    assert told(started(0, 1001)).get("headgate_requests_total", 0) == 0


def test_a_folder_that_vanishes_is_told_once(started, tmp_path, caplog):
    one = started(0, 1001)
    for path in (tmp_path / "run").iterdir():
        path.unlink()
    (tmp_path / "run").rmdir()
    one._thread.join(0.2)
    one.close()
    assert [record.message for record in caplog.records if "metrics cannot be written" in record.message]
    assert len(caplog.records) == 1


WORKER = """
    import pathlib, sys, time
    from headgate.core.record import Record
    from headgate.telemetry.metrics import Metrics
    from headgate.telemetry.workers import Workers
    metrics = Metrics(worker=1, models={"chat"})
    workers = Workers(pathlib.Path(sys.argv[1]), metrics, beat=0.01)
    for n in range(100):
        metrics.count(Record(id="x", time=1.0, model="chat", target="openai/gpt", status=200))
    workers.states()
    print("counted", flush=True)
    time.sleep(60)
"""


def test_a_killed_worker_is_counted_among_those_that_are_gone(started, tmp_path):
    one = started(0, 0)
    assert one.metrics.pid == os.getpid()
    command = [sys.executable, "-c", textwrap.dedent(WORKER), str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"counted\n"
        alive = told(one)
        process.send_signal(signal.SIGKILL)
    (tmp_path / "run" / f"metrics-1-{process.pid}.new").write_bytes(b"{")  # as if it was killed while it wrote
    assert alive["headgate_requests_total"] == 100
    assert alive["process_open_fds"] > told(one)["process_open_fds"], "each live process is told of"
    assert told(one)["headgate_requests_total"] == 100
    assert list((tmp_path / "run").glob("metrics-1-*")) == []
    assert (tmp_path / "run" / files._RETIRED).exists()
