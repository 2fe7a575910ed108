"""An answer that is given slowly says what it said."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.events import Start, Stop, Text, Thinking, ToolCall, ToolInput
from headgate.stages.cache.replay import pieces

WORDS = st.text(max_size=30)
EVENTS = st.lists(
    st.one_of(
        st.builds(Text, text=WORDS, block=st.integers(0, 1)),
        st.builds(Text, text=WORDS, logprobs=st.just([{"token": "a"}])),
        st.builds(Thinking, text=WORDS, signature=st.none() | st.just("s"), signer=st.just("anthropic_messages")),
        st.builds(ToolCall, id=st.just("c"), name=st.just("f")),
        st.builds(ToolInput, json=WORDS),
    ),
    max_size=5,
)


@given(EVENTS, st.integers(1, 12))
def test_pieces_together_are_what_they_were(events, letters):
    events = [Start(), *events, Stop(reason="stop")]
    cut = list(pieces(events, letters))
    assert joined(cut) == joined(events)
    for event in cut:
        if isinstance(event, Text | Thinking) and not getattr(event, "logprobs", None):
            assert len(event.text) <= letters
        if isinstance(event, ToolInput):
            assert len(event.json) <= letters


def joined(events):
    """What is said one after the other in one block, as one."""
    found = []
    for event in events:
        kind, words = type(event).__name__, getattr(event, "text", getattr(event, "json", None))
        if isinstance(event, Text | Thinking | ToolInput) and not getattr(event, "logprobs", None):
            beside = getattr(event, "signature", None)
            if found and found[-1][0] == (kind, event.block) and found[-1][2] is None:
                found[-1] = (found[-1][0], found[-1][1] + words, beside)
            else:
                found.append(((kind, event.block), words, beside))
        else:
            found.append((event, "", "whole"))
    return [each for each in found if each[1] or each[2]]
