"""Any array of objects is cut into its elements, however its bytes come."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ProviderNonsense
from headgate.dialects.gemini_generate.arrays import Elements

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\{}[],é\n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='a"\\]}'), inner, max_size=3),
    max_leaves=8,
)
objects = st.lists(st.dictionaries(st.text(alphabet='a"{\\'), values, max_size=3), max_size=5)


@given(objects, st.lists(st.integers(0, 400), max_size=10), st.sampled_from([None, 1]), st.booleans())
def test_any_split_gives_the_elements_and_all_bytes(elements, sizes, indent, ascii):
    data = json.dumps(elements, indent=indent, ensure_ascii=ascii).encode()
    cuts = sorted({min(size, len(data)) for size in sizes})
    reader = Elements()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        found += reader.feed(data[start:end])
    assert [json.loads(element.lstrip(b"[, \r\n")) for element in found] == elements
    assert reader.closed
    assert b"".join(found) + reader.held == data
    assert reader.feed(b"more") == []


def test_an_element_may_not_be_endless():
    reader = Elements(limit=100)
    with pytest.raises(ProviderNonsense):
        reader.feed(b'[{"a":"' + b"x" * 200)
