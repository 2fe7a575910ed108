"""Kafka: against librdkafka's own broker for tests, which speaks the protocol on a socket of its own."""

import json
import subprocess
import sys

import pytest
from confluent_kafka import Consumer, TopicPartition

from gateways import free_port
from headgate.records.sinks.sink import Away, Unfit

BROKER = """
import sys
from confluent_kafka import Producer
producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
[broker] = producer.list_topics(timeout=10).brokers.values()
print(f"{broker.host}:{broker.port}", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def broker():
    with subprocess.Popen([sys.executable, "-c", BROKER], stdin=-1, stdout=-1, text=True) as process:
        yield process.stdout.readline().strip()
        process.kill()


@pytest.fixture
def read(broker):
    """Reads so many messages of a topic."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "g", "log_level": 0})

    def messages(topic, count):
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found = []
        while len(found) < count:
            message = consumer.poll(10)
            assert message is not None, f"{len(found)} messages instead of {count}"
            assert message.error() is None
            found.append(message)
        return found

    yield messages
    consumer.close()


@pytest.mark.parametrize("compress", ["none", "zstd", "gzip"])
def test_each_record_is_a_message_with_its_id(sink, batch, broker, read, compress):
    some, topic = batch(20), f"records-{compress}"
    sink(kind="kafka", brokers=[broker], topic=topic, compress=compress).send(some)
    found = {message.key().decode(): message for message in read(topic, 20)}
    assert found.keys() == {item.id for item in some.items}
    for item in some.items:
        message = found[item.id]
        assert json.loads(message.value()) == json.loads(item.line)
        assert dict(message.headers()) == {"id": item.id.encode(), "batch": b"batch-1"}
        assert message.timestamp()[1] == round(item.time * 1000)


def test_the_key_may_be_another_field(sink, batch, broker, read):
    made = sink(kind="kafka", brokers=[broker], topic="by-team", key="team")
    made.send(batch(3, team="red"))
    made.send(batch(2, team=None))
    assert sorted(str(message.key()) for message in read("by-team", 5)) == ["None"] * 2 + ["b'red'"] * 3


def test_a_record_that_is_too_large_for_a_message_is_refused_alone(sink, batch, broker, read):
    large, some = batch(1, id="l", message="m" * 5000), batch(3)
    made = sink(kind="kafka", brokers=[broker], topic="large", options={"message.max.bytes": "4000"})
    with pytest.raises(Unfit, match="too large"):
        made.send(large)
    made.send(some)
    assert len(read("large", 3)) == 3


def test_a_broker_that_is_not_there_is_told_and_another_batch_may_come(sink, batch):
    made = sink(kind="kafka", brokers=[f"127.0.0.1:{free_port()}"], topic="t", timeout=0.4)
    for _ in range(2):
        with pytest.raises(Away, match="127"):
            made.send(batch())


def test_options_that_make_no_sense_are_told(sink, batch):
    with pytest.raises(Away, match=r"cannot be connected to so: .*nonsense"):
        sink(kind="kafka", brokers=["127.0.0.1:1"], topic="t", options={"nonsense": "1"}).send(batch())
