"""Bodies are read strictly, and patched in the named fields alone."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import InvalidJSON, InvalidRequest, ProviderRefused
from headgate.dialects.dialect import decode, message_of
from headgate.dialects.dialect import patch as patch_decoded
from together import together

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
names = st.text() | st.sampled_from("abc")  # few, so that nested ones meet top-level ones
objects = st.dictionaries(names, values, max_size=6)
styles = st.sampled_from(
    [
        {"separators": (",", ":")},
        {},
        {"indent": 2},
        {"separators": (" ,\t", "\n:  "), "ensure_ascii": False},
    ]
)


def patch(body, changes):
    return patch_decoded(body, changes, decode(body))


@together(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"{", "not valid JSON"),
        (b'{"a":1}x', "line 1, column 8"),
        (b'{"a":1,}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'{"a":"\xc3"}', "UTF-8"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":1e999}', "out of range"),
        (b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested too deeply"),
        (b'{"a":1,"a":2}', "'a' stands twice"),
        (b'{"b":[{"model":1,"x":2,"model":1}]}', "'model' stands twice"),
        (b'{"model":"a","mod\\u0065l":"b"}', "'model' stands twice"),
    ],
)
def test_broken_bodies_are_refused_with_the_reason(body, why):
    with pytest.raises(InvalidJSON) as caught:
        decode(body)
    assert why in caught.value.message


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1", b"true"])
def test_only_an_object_is_a_request(body):
    with pytest.raises(InvalidRequest, match="must be a JSON object"):
        decode(body)


@given(objects, styles)
def test_whatever_json_can_say_is_read_as_it_is(value, style):
    body = json.dumps(value, **style).encode()
    assert decode(body) == json.loads(body)


@given(objects, styles, st.dictionaries(names, values, max_size=4))
def test_patch_changes_the_named_fields_and_nothing_else(value, style, changes):
    body = json.dumps(value, **style).encode()
    expected = {**value, **changes}
    expected = {key: item for key, item in expected.items() if not (key in changes and item is None)}
    assert msgspec.json.decode(patch(body, changes)) == msgspec.json.decode(json.dumps(expected).encode())


@given(objects, styles)
def test_every_other_byte_stays_as_it_was(value, style):
    value = {**value, "model": "chat"}
    body = json.dumps(value, **style).encode()
    again = patch(patch(body, {"model": "gpt-4o"}), {"model": "chat"})
    assert again == body


def test_a_nested_field_of_the_same_name_is_left_alone():
    body = b'{ "tools" : [{"model":"inner"}], "note": "\\"model\\":", "model" : "chat" }'
    assert patch(body, {"model": "x"}) == body.replace(b'"chat"', b'"x"')


def test_a_field_spelt_with_escapes_is_the_same_field():
    assert patch(b'{"mod\\u0065l":"chat"}', {"model": "x"}) == b'{"mod\\u0065l":"x"}'


def test_numbers_keep_their_spelling():
    assert patch(b'{"temperature":1.0E-2,"seed":12345678901234567890123,"model":"a"}', {"model": "b"}) == (
        b'{"temperature":1.0E-2,"seed":12345678901234567890123,"model":"b"}'
    )


def test_a_nested_field_is_not_taken_for_one_that_is_missing():
    body = b'{"model":"m","metadata":{"stream_options":"yes"}}'
    assert patch(body, {"stream_options": {"include_usage": True}}) == (
        b'{"model":"m","metadata":{"stream_options":"yes"},"stream_options":{"include_usage":true}}'
    )


def test_an_error_names_its_place_once():
    assert message_of(InvalidRequest("it must be a string", param="user")) == "it must be a string (`user`)"
    assert message_of(InvalidRequest("`user` must be a string", param="user")) == "`user` must be a string"
    assert message_of(InvalidRequest("no")) == "no"
    assert message_of(ProviderRefused("No such thing", status=400, param="user")) == "No such thing"
