"""What a caller says beside a request: in headers, in the body, in both; nothing of it is an error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.labels import LONGEST, MOST, read

NOTHING = ({}, (), "normal", frozenset(), "", "")


def headers(**said):
    return [(f"x-headgate-{name}".encode(), value.encode()) for name, value in said.items()]


def test_a_request_that_says_nothing():
    assert read([(b"accept", b"*/*")], {"model": "chat", "metadata": None}) == NOTHING


def test_headers():
    found = read(headers(tags="batch, nightly,,batch", priority=" LOW ", metadata='{"tier": "free", "n": 3}'), {})
    assert found == ({"tier": "free", "n": "3"}, ["batch", "nightly"], "low", frozenset(), "", "")


@pytest.mark.parametrize("place", ["metadata", "labels", "requestMetadata"])
def test_bodies_of_several_vendors(place):
    found = read([], {place: {"tier": "premium", "tags": "a, b", "deep": {"x": [True]}}})
    assert found.metadata["tier"] == "premium"
    assert found.metadata["deep"] == '{"x":[true]}'
    assert found.tags == ["a", "b"]


def test_tags_in_a_list():
    assert read([], {"metadata": {"tags": ["a", 3, None, "priority:low"]}}) == (
        {"tags": '["a",3,null,"priority:low"]'},
        ["a", "3", "null", "priority:low"],
        "low",
        frozenset(),
        "",
        "",
    )


def test_headers_count_more_than_the_body():
    body = {"metadata": {"tier": "free", "app": "shop", "priority": "low", "tags": ["body"]}}
    found = read(headers(metadata='{"tier": "premium"}', priority="high", tags="head"), body)
    metadata = {**body["metadata"], "tier": "premium", "tags": '["body"]'}
    assert found == (metadata, ["head", "body"], "high", frozenset(), "", "")


def test_a_body_of_many_entries_does_not_crowd_out_the_header():
    body = {"metadata": {f"k{number}": "x" for number in range(2 * MOST)} | {"tier": "premium"}}
    found = read(headers(metadata='{"tier": "free", "team": "a"}', tags="b"), body)
    assert (found.metadata["tier"], found.metadata["team"], found.tags) == ("free", "a", ["b"])
    assert len(found.metadata) == MOST


@pytest.mark.parametrize(
    ("said", "body", "user"),
    [
        ({}, {"user": "ann"}, "ann"),
        ({}, {"safety_identifier": "ann"}, "ann"),
        ({}, {"metadata": {"user_id": "ann"}}, "ann"),
        ({"user": " ann "}, {"user": "bob", "metadata": {"user_id": "eve"}}, "ann"),
        ({}, {"user": 3, "safety_identifier": ["x"], "metadata": {"user_id": "eve"}}, "eve"),
        ({}, {"user": "x" * 9999}, "x" * LONGEST),
        ({"tags": "a"}, {"user": ""}, ""),
    ],
)
def test_for_whom_a_caller_asks(said, body, user):
    assert read(headers(**said), body).user == user


def test_priority_by_tag_then_by_metadata():
    assert read(headers(tags="priority:high"), {"metadata": {"priority": "low"}}).priority == "high"
    assert read([], {"metadata": {"priority": "low"}}).priority == "low"
    assert read(headers(priority="urgent"), {"metadata": {"priority": "3"}}).priority == "normal"


@pytest.mark.parametrize("value", ["", "[]", "{", '{"a": NaN}', "[" * 5000, "\\xff", '"text"'])
def test_metadata_that_is_no_object_is_passed_over(value):
    found = read(headers(metadata=value), {})
    assert (found.metadata, found.tags, found.priority) == ({}, [], "normal")


def test_what_is_required_is_read_whole():
    many = [f"t{n}" for n in range(200)]
    assert read(headers(requires="EU,, no-Training ," + ",".join(many)), {}).requires == {"eu", "no-training", *many}


def test_what_is_required_in_one_header_is_not_taken_back_by_another():
    said = [(b"x-headgate-requires", value) for value in (b"eu", b"", b"hipaa, EU")]
    assert read(said, {}).requires == {"eu", "hipaa"}


def test_there_is_a_bound():
    found = read(
        headers(tags=",".join(f"t{n}" for n in range(1000))), {"metadata": {f"k{n}": "x" * 10_000 for n in range(1000)}}
    )
    assert len(found.metadata) == len(found.tags) == MOST
    assert {len(value) for value in found.metadata.values()} == {LONGEST}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(anything, anything, st.binary(max_size=20))
def test_nothing_that_a_client_sends_is_an_error(inner, tags, raw):
    fields = json.loads(json.dumps({"metadata": {"tags": tags, "x": inner}, "labels": inner}).replace("\\ud", "x"))
    found = read([(b"x-headgate-metadata", raw), (b"x-headgate-tags", raw), (b"x-headgate-priority", raw)], fields)
    assert all(isinstance(text, str) for text in [*found.tags, *found.metadata, *found.metadata.values()])
