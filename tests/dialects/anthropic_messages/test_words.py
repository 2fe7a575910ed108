"""Usage and ids, for any numbers and letters."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headgate.dialects.anthropic_messages.words import read_usage, write_usage

counts = st.integers(0, 10**9)


@given(counts, counts, counts, counts, counts, counts)
def test_usage_classes_are_disjoint_and_come_back(fresh, read_, short, hour, output, thinking):
    found = {
        "input_tokens": fresh,
        "cache_read_input_tokens": read_,
        "cache_creation_input_tokens": short + hour,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": hour},
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": thinking},
    }
    usage = read_usage(found)
    assert (usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h) == (fresh, read_, short, hour)
    assert usage.prompt == fresh + read_ + short + hour
    assert usage.completion == output
    bare = msgspec.structs.replace(usage, reported={})
    assert msgspec.structs.replace(read_usage(write_usage(bare)), reported={}) == bare
    assert write_usage(usage) == found


odd = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=2) | st.just({"a": 1})


@given(
    st.dictionaries(
        st.sampled_from(
            ["input_tokens", "output_tokens", "cache_creation", "cache_creation_input_tokens", "server_tool_use"]
        ),
        odd,
    )
)
def test_an_odd_usage_is_read(found):
    usage = read_usage(found)
    assert min(usage.prompt, usage.completion, usage.output, usage.cache_write) >= 0
