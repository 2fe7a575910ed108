"""Syslog: RFC 5424 over UDP, TCP and TLS, each message on one line whatever a record says."""

import json
import re
import ssl
import time

import pytest
import trustme
from pydantic import ValidationError

from catchers import SyslogCatcher
from headgate.records.sinks.sink import Away, Batch

MESSAGE = re.compile(r"<(\d+)>1 (\S+) (\S+) (\S+) (\d+) request - (\{.*\})")


def came(catcher, count, seconds=5):
    """So many messages, read."""
    until = time.monotonic() + seconds
    while len(catcher.messages) < count:
        assert time.monotonic() < until, catcher.messages
        time.sleep(0.005)
    return [MESSAGE.fullmatch(message.decode()) for message in catcher.messages]


@pytest.mark.parametrize("scheme", ["udp", "tcp", "tls"])
def test_each_record_is_a_message(tmp_path, sink, batch, scheme):
    told, context = {}, None
    if scheme == "tls":
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        told = {"ca_file": str(tmp_path / "ca.pem")}
    some = batch(20, model="größer")
    with SyslogCatcher(scheme, context) as catcher:
        sink(kind="syslog", address=catcher.address, facility="local3", hostname="gw-1", **told).send(some)
        found = came(catcher, 20)
    assert [json.loads(each[6]) for each in found] == [json.loads(item.line) for item in some.items]
    for each, item in zip(found, some.items, strict=True):
        status = json.loads(item.line).get("status", 0)
        assert int(each[1]) == 19 * 8 + (3 if status >= 500 else 4 if status >= 400 else 6)
        assert each[2].startswith(time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(item.time)))
        assert (each[3], each[4]) == ("gw-1", "headgate")


def test_a_server_that_was_started_anew_is_connected_to_again(sink, batch):
    with SyslogCatcher("tcp") as catcher:
        made = sink(kind="syslog", address=catcher.address)
        made.send(batch(2))
        came(catcher, 2)
        catcher.drop()
        time.sleep(0.02)  # for the end of the connection to come here
        made.send(batch(3))
        came(catcher, 5)


def test_who_is_not_there_or_not_who_he_should_be_is_told(sink, batch):
    with pytest.raises(Away, match="port 1: Connection refused"):
        sink(kind="syslog", address="tcp://127.0.0.1:1").send(batch())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with SyslogCatcher("tls", context) as catcher, pytest.raises(Away, match="local issuer"):
        sink(kind="syslog", address=catcher.address).send(batch())


def test_a_message_that_would_be_too_long_is_without_its_largest_fields(sink, batch):
    some = batch(1, message="m" * 5000, model="chat", team="red")
    with SyslogCatcher("udp") as catcher:
        sink(kind="syslog", address=catcher.address, max_bytes=2048).send(some)
        [found] = came(catcher, 1)
        assert len(catcher.messages[0]) <= 2048
    record = json.loads(found[6])
    assert record.pop("cut") == ["message"]
    assert record.items() <= json.loads(some.items[0].line).items()
    assert record["team"] == "red"


def test_a_message_that_no_datagram_takes_is_told_at_the_start(sink):
    with pytest.raises(ValidationError, match="over UDP `max_bytes` is 65000 at most"):
        sink(kind="syslog", address="udp://127.0.0.1", max_bytes=100_000)
    sink(kind="syslog", address="tcp://127.0.0.1", max_bytes=100_000)


def test_nothing_is_taken_for_another_message(sink, nasty):
    with SyslogCatcher("tcp") as catcher:
        sink(kind="syslog", address=catcher.address).send(Batch("b", nasty.items))
        found = came(catcher, len(nasty.items))
        for message in catcher.messages:
            nasty.assert_harmless(message.decode())
            assert b"\n" not in message
    assert [json.loads(each[6])["model"] for each in found] == nasty.texts
