"""The laws of every dialect with one JSON in and one JSON out, over fixtures of the vendors' formats."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.mutations import changes, mutated
from dialects.whole_laws import (
    BY_NAME,
    DIALECTS,
    fixtures,
    loaded,
    named,
    others,
    read,
    said_in_body,
    usage_of,
    without_nulls,
    write,
)
from headgate.core.errors import InvalidRequest, ProviderCut, ProviderError, ProviderNonsense
from headgate.core.events import Failed, Native, Stop
from headgate.dialects import whole
from headgate.dialects.dialect import crossed
from together import together


@named("requests")
def test_a_request_read_and_written_is_the_same(own, path):
    fields = loaded(path)
    lost = []
    written = json.loads(own.write_request(own.read_request(fields), lost))
    assert written == without_nulls(said_in_body(own, fields))
    assert not lost


@named("whole")
def test_a_reply_read_and_written_is_the_same(own, path):
    pair = loaded(path)
    body, lost = write(own, read(own, json.dumps(pair["reply"]).encode()), pair["request"])
    assert json.loads(body) == pair["reply"]
    assert not lost


@named("whole")
def test_its_bytes_pass_and_its_usage_is_read(own, path):
    pair = loaded(path)
    body = json.dumps(pair["reply"], indent=1).encode()
    relay = own.relay(False, pair["request"])
    assert relay.feed(body) + relay.end() == body
    assert (relay.complete, relay.started, relay.failed, relay.finish) == (True, True, None, "stop")
    events = read(own, body)
    assert relay.usage == usage_of(events)
    assert (relay.id or "") == events[0].id
    assert relay.feed(b"more") == b""


@together("own", DIALECTS)
@given(data=st.data())
def test_any_split_gives_the_same_events(own, data):
    _, path = data.draw(st.sampled_from([pair for pair in fixtures("whole") if pair[0] is own]))
    body = json.dumps(loaded(path)["reply"]).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    reader, found = own.reader(False), []
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        found += reader.feed(body[start:end])
    assert found + reader.end() == read(own, body)


@named("whole")
def test_a_reply_cut_anywhere_is_no_reply(own, path):
    body = json.dumps(loaded(path)["reply"]).encode()
    for end in range(0, len(body) - 1, max(1, len(body) // 60)):
        with pytest.raises(ProviderNonsense):
            own.relay(False, {}).feed(body[:end])
        reader = own.reader(False)
        reader.feed(body[:end])
        with pytest.raises(ProviderNonsense):
            reader.end()


@together("own", DIALECTS)
@together("body", [b"", b"{}", b"[]", b"null", b"7", b"<html>", b'{"ok":true}', b"\xff", b"[" * 5000])
def test_what_is_no_reply_is_told(own, body):
    reader = own.reader(False)
    reader.feed(body)
    for asked in (reader.end, lambda: own.relay(False, {}).feed(body)):
        with pytest.raises(ProviderNonsense) as caught:
            asked()
        assert len(caught.value.message) < 600


@together("own", DIALECTS)
@given(data=st.data(), odd=changes)
def test_odd_requests_are_the_clients_fault(own, data, odd):
    _, path = data.draw(st.sampled_from([pair for pair in fixtures("requests") if pair[0] is own]))
    fields = loaded(path)
    fields = {**mutated(fields, odd), "model": fields["model"]}
    with contextlib.suppress(InvalidRequest):
        request = own.read_request(fields)
        for other in [own, *others(own)]:
            with contextlib.suppress(InvalidRequest):
                json.loads(crossed(other, request, []))


@together("own", DIALECTS)
@given(data=st.data(), odd=changes)
def test_odd_replies_are_the_providers_fault(own, data, odd):
    _, path = data.draw(st.sampled_from([pair for pair in fixtures("whole") if pair[0] is own]))
    pair = loaded(path)
    body = json.dumps(mutated(pair["reply"], odd)).encode()
    with contextlib.suppress(ProviderError):
        own.relay(False, {}).feed(body)
    with contextlib.suppress(ProviderError):
        events = read(own, body)
        for other in [own, *others(own)]:
            with contextlib.suppress(ProviderError):
                json.loads(write(other, events, pair["request"] if other is own else {})[0])


@together("own", DIALECTS)
def test_errors_are_read_and_written(own):
    error = own.read_error(
        429, own.write_error(InvalidRequest("no such thing", param="input"), "req_1", streaming=False)
    )
    assert (error.status, error.retryable) == (429, True)
    assert error.message.startswith("no such thing")
    for body in (b"", b"<html><title>Bad</title>", b"\xff\x00", b"[1]", b'{"error":7}'):
        assert own.read_error(502, body).status == 502


@together("own", DIALECTS)
def test_a_reply_without_an_answer_is_not_written(own):
    for events in ([], [Stop(reason="stop")], [Stop(reason="cut")]):
        writer = own.writer(False, {}, [])
        writer.feed(events)
        with pytest.raises(ProviderNonsense):
            writer.end()
    with pytest.raises(ProviderCut):
        own.writer(False, {}, []).feed([Failed(error=ProviderCut("it broke off"))])


def test_what_only_the_provider_knows_is_named():
    own = BY_NAME["openai_embeddings"]
    _, path = next(pair for pair in fixtures("whole") if pair[0] is own)
    events = [Native(dialect="elsewhere", name="mood", value=1), *read(own, json.dumps(loaded(path)["reply"]).encode())]
    body, lost = write(own, events, {})
    assert [loss.path for loss in lost] == ["reply.mood"]
    assert "mood" not in json.loads(body)


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3), (3.0, 3), (-1, 0), (True, 0), ("3", 0), (None, 0), (float("inf"), 0)]
)
def test_a_count_is_a_number_above_nothing(value, number):
    assert whole.count(value) == number
