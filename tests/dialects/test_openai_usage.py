"""What an answer used, as OpenAI's APIs count it: the short way of reading it says what the long way does."""

from hypothesis import example, given
from hypothesis import strategies as st

from headgate.dialects.openai_usage import number, read_usage

NUMBERS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 300), st.integers(0, 2**70), st.floats(), st.sampled_from(["7", "", []])
)
CLASSES = ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "text_tokens")
DETAILS = st.one_of(NUMBERS, st.dictionaries(st.sampled_from(CLASSES), NUMBERS, max_size=4))
TIERS = st.sampled_from([None, "", "flex", 0, 3, {}])
USAGES = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": NUMBERS,
        "completion_tokens": NUMBERS,
        "total_tokens": NUMBERS,
        "prompt_tokens_details": DETAILS,
        "completion_tokens_details": DETAILS,
    },
)


@given(USAGES, TIERS, st.booleans())
@example({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, "", False)
def test_the_short_way_says_what_the_long_way_does(usage, tier, consistent):
    if consistent:
        usage["total_tokens"] = number(usage.get("prompt_tokens")) + number(usage.get("completion_tokens"))
    short = read_usage(usage, tier)
    long = read_usage({**usage, "cached_tokens": None}, tier)  # a host's own field, which says nothing here
    long.reported = usage
    assert repr(short) == repr(long)
