"""Marks are few, change nothing that is said, and what was kept at one turn is read at the next."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.chat import CacheMark, ChatRequest, Image, Link, Message, Text, Thinking, Tool, ToolCall, ToolResult
from headgate.core.marking import EVERYWHERE, Markable, marked

MARK = CacheMark("1h")
PARTS = {
    "user": st.one_of(st.builds(Text, text=st.text(max_size=3)), st.just(Image(source=Link("https://x")))),
    "assistant": st.one_of(
        st.builds(Text, text=st.text(min_size=1, max_size=3)),
        st.just(ToolCall(id="c", name="f", arguments="{}")),
        st.just(Thinking(text="t", signature="s", signer="anthropic_messages")),
    ),
    "tool": st.just(ToolResult(id="c", parts=[Text(text="17")])),
    "system": st.builds(Text, text=st.text(min_size=1, max_size=3)),
}


def turn(role):
    return st.builds(
        lambda parts: Message(role=role, parts=parts, plain=len(parts) == 1),
        st.lists(PARTS[role], min_size=1, max_size=2),
    )


CONVERSATIONS = st.builds(
    lambda system, first, rounds, tools: ChatRequest(
        dialect="openai_chat",
        model="m",
        messages=[*system, first, *(message for each in rounds for message in each)],
        tools=[Tool(name=name) for name in tools],
    ),
    st.lists(turn("system"), max_size=2),
    turn("user"),
    st.lists(st.tuples(turn("assistant"), st.one_of(turn("user"), turn("tool"))), max_size=4),
    st.lists(st.sampled_from("fg"), max_size=2),
)


def places(request):
    """Where marks stand."""
    tools = [("tool", number) for number, tool in enumerate(request.tools) if tool.cache]
    parts = [
        (place, number)
        for place, message in enumerate(request.messages)
        for number, part in enumerate(message.parts)
        if part.cache
    ]
    return [*tools, *parts]


def bare(request):
    messages = [
        msgspec.structs.replace(
            each, plain=False, parts=[msgspec.structs.replace(part, cache=None) for part in each.parts]
        )
        for each in request.messages
    ]
    return msgspec.structs.replace(request, messages=messages, tools=[Tool(name=tool.name) for tool in request.tools])


@given(CONVERSATIONS)
def test_marks_are_few_and_change_nothing_else(request):
    before = msgspec.structs.replace(request)
    found = marked(request, EVERYWHERE, MARK)
    assert len(places(found)) <= 4
    assert bare(found) == bare(request)
    assert request == before
    assert places(request) == []
    for message in found.messages:
        for part in message.parts:
            assert part.cache is None or not (isinstance(part, Thinking) or (isinstance(part, Text) and not part.text))


@given(CONVERSATIONS, turn("assistant"), st.one_of(turn("user"), turn("tool")))
def test_what_was_kept_at_one_turn_is_read_at_the_next(request, answer, asked):
    now = places(marked(request, EVERYWHERE, MARK))
    longer = msgspec.structs.replace(request, messages=[*request.messages, answer, asked])
    assert set(now) - {place for place in now if place[0] != "tool" and place[0] < len(request.messages) - 1} <= set(
        places(marked(longer, EVERYWHERE, MARK))
    )


@given(CONVERSATIONS)
def test_what_the_client_marks_stays_as_it_is(request):
    own = marked(request, EVERYWHERE, CacheMark())
    assert not places(own) or marked(own, EVERYWHERE, MARK) is own
    native = msgspec.structs.replace(request, native={"cache_control": {"type": "other"}})
    assert marked(native, EVERYWHERE, MARK) is native


@given(CONVERSATIONS)
def test_a_model_that_takes_fewer_marks_gets_no_others(request):
    found = marked(request, Markable(frozenset({"system"}), hour=False), MARK)
    assert all(place != "tool" and found.messages[place].role == "system" for place, _ in places(found))
    assert all(part.cache in (None, CacheMark()) for message in found.messages for part in message.parts)
