"""What is hidden and put back again is what it was, whatever the text, and wherever a stream is split."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.exchange import Exchange
from headgate.core.guard import Passage
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.core.vault import Vault
from headgate.dialects import openai_chat
from headgate.stages.guard.changing import edited
from headgate.stages.guard.framing import cutter
from headgate.stages.guard.hiding import Span, first_number, hide
from headgate.stages.guard.restoring import restorer
from headgate.stages.guard.subject import Looked
from headgate.stages.guard.window import Window

MOST = 64
"""Characters that a stream may hold back."""


async def nothing():
    return b""


def exchange():
    return Exchange("req_1", openai_chat, "/v1/chat/completions", [], nothing, 0.0, Record(id="req_1", time=0.0))


def frame(delta, finish=None):
    value = {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


async def through(one, frames):
    return b"".join([await one.feed(each) for each in frames]) + await one.end()


def back(vault, text):
    return edited(text, [(one.start, one.end, one.value) for one in vault.met(text)])


def hidden(passages, spans):
    """The texts as others are shown them, and the vault."""
    vault, edits = Vault(), {}
    hide(vault, passages, {place: [Span(*each) for each in said] for place, said in spans.items()}, edits)
    return [edited(each.text, edits.get(place, ())) for place, each in enumerate(passages)], vault


WORDS = st.sampled_from(
    [
        "<EMAIL_1>",
        "EMAIL_2",
        "<",
        ">",
        "\\",
        "&lt;",
        "%3C",
        "EMAIL",
        "_1",
        "_",
        "1",
        "joe@x.com",
        "Ann",
        " ",
        "PERSON_3",
    ]
)
TEXTS = st.lists(WORDS | st.text(max_size=6), max_size=12).map("".join)


@st.composite
def found(draw):
    """Texts, with places in them of which some overlap."""
    texts = draw(st.lists(TEXTS, min_size=1, max_size=3))
    spans = {}
    for place, text in enumerate(texts):
        ends = st.tuples(
            st.integers(0, len(text)), st.integers(0, len(text)), st.sampled_from(["email", "person"]), st.booleans()
        )
        cut = [(min(a, b), max(a, b), kind, make) for a, b, kind, make in draw(st.lists(ends, max_size=4)) if a != b]
        if cut:
            spans[place] = cut
    return texts, spans


@given(found())
def test_hidden_and_put_back_it_is_what_it_was(case):
    texts, spans = case
    shown, vault = hidden([Passage(text) for text in texts], spans)
    assert [back(vault, text) for text in shown] == texts


def test_the_same_value_is_hidden_wherever_it_stands():
    texts = ["SSN 078-05-1120", "it was 078-05-1120, not 1078-05-1120", "Ann and Anna, and ann"]
    shown, _ = hidden([Passage(text) for text in texts], {0: [(4, 15, "ssn")], 2: [(0, 3, "person")]})
    assert shown == ["SSN <SSN_1>", "it was <SSN_1>, not 1078-05-1120", "<PERSON_1> and Anna, and ann"]


def test_a_conversation_that_goes_on_keeps_its_numbers():
    first = [Passage("Ann", path=("messages", 0)), Passage("Bob", path=("system",))]
    more = [first[0], Passage("Cem", path=("messages", 1)), first[1]]
    whole = {place: [(0, 3, "person")] for place in range(3)}
    assert hidden(first, {0: whole[0], 1: whole[1]})[0] == ["<PERSON_2>", "<PERSON_1>"]
    assert hidden(more, whole)[0] == ["<PERSON_2>", "<PERSON_3>", "<PERSON_1>"]


VALUES = ["joe@x.com", 'Jo "the" Ö\n\\ x', "Ann"]
TEXT = "Dear <PERSON_1>, <email_1> is **<PERSON_2>**'s; &lt;PERSON_2&gt; < EMAIL_1 \\<EMAIL\\_1\\> <EMAIL_7> PERSON"


@pytest.fixture(name="vault", scope="module")
def vault_of_three():
    return hidden(
        [Passage(value) for value in VALUES], {0: [(0, 9, "email")], 1: [(0, 14, "person")], 2: [(0, 3, "person")]}
    )[1]


def window(vault):
    gate = restorer(exchange(), vault)
    return Window(gate.judge, gate.policies, cutter(b"text/event-stream"))


def said(data, read):
    events = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: {")]
    return "".join(read(event["choices"][0]["delta"]) for event in events)


def content(delta):
    return delta.get("content", "")


def arguments(delta):
    return "".join(each["function"]["arguments"] for each in delta.get("tool_calls", ()))


async def test_a_stream_says_the_same_wherever_it_is_split(vault):
    wanted = back(vault, TEXT)
    assert "joe@x.com" in wanted
    assert "<EMAIL_7>" in wanted
    ways = [[TEXT[:at], TEXT[at:]] for at in range(len(TEXT) + 1)]
    ways += [[TEXT[at : at + size] for at in range(0, len(TEXT), size)] for size in (1, 2, 3, 7, 40)]
    for pieces in ways:
        frames = [frame({"content": piece}) for piece in pieces]
        assert said(await through(window(vault), [*frames, frame({}, "stop")]), content) == wanted, pieces


async def test_arguments_of_tools_stay_json_wherever_they_are_split(vault):
    given = json.dumps({"to": "<EMAIL_1>", "é": "x\\<PERSON_1>\n", "<PERSON_2>": 1})
    for text in (given, given.replace("<", "\\u003c")):
        for size in (1, 2, 3, 5, 8, 13, len(text)):
            calls = [
                frame({"tool_calls": [{"index": 0, "function": {"arguments": text[at : at + size]}}]})
                for at in range(0, len(text), size)
            ]
            out = said(await through(window(vault), [*calls, frame({}, "tool_calls")]), arguments)
            assert json.loads(out) == {"to": "joe@x.com", "é": f"x\\{VALUES[1]}\n", "Ann": 1}, (size, out)


@pytest.mark.parametrize("around", ["{}", " [{}]", "```json\n{}\n```"])
async def test_answers_in_json_stay_json(vault, around):
    text = around.replace("{}", '{"to": "<EMAIL_1>", "who": "<PERSON_1>"}')
    body = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
    wholly = await restorer(exchange(), vault).whole(body, Reply(openai_chat, False, b""))
    told = {json.loads(wholly)["choices"][0]["message"]["content"]}
    for size in (1, 2, 5, 11):
        frames = [frame({"content": text[at : at + size]}) for at in range(0, len(text), size)]
        told.add(said(await through(window(vault), [*frames, frame({}, "stop")]), content))
    [once] = told
    assert json.loads(once.strip("`json \n[]")) == {"to": "joe@x.com", "who": VALUES[1]}


async def test_little_is_held_back(vault):
    one, most = window(vault), 0
    for letter in TEXT * 3 + "plain text with nothing in it, " * 20:
        await one.feed(frame({"content": letter}))
        most = max(most, len(one.held))
    assert most <= MOST


@pytest.mark.parametrize("fields", [{"previous_response_id": "resp_1"}, {"cachedContent": "cachedContents/1"}, None])
def test_numbers_of_what_the_provider_keeps_are_no_others(fields):
    """A conversation, a prompt, or files and threads that are sent unread (None)."""
    asked = exchange()
    assert first_number(asked) == 1
    asked.fields, asked.passing = fields or {}, Looked(b"") if fields is None else None
    numbers = {first_number(asked) for _ in range(20)}
    assert len(numbers) > 15
    assert min(numbers) > 1000


OBJECT = {"who": "<PERSON_1>", "input": "<PERSON_1>", "arguments": {"input": ["<PERSON_1>"]}, "<PERSON_2>": 1}


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (b"application/x-ndjson", {"message": {"tool_calls": [{"function": {"name": "f", "arguments": OBJECT}}]}}),
        (
            b"text/event-stream",
            {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": OBJECT}}]}}]},
        ),
    ],
)
async def test_arguments_that_come_as_an_object_are_given_as_one(vault, kind, call):
    """Ollama's and Gemini's: nothing in them is escaped, and names of fields are somebody's words."""
    gate = restorer(exchange(), vault)
    head, tail = (b"", b"\n") if b"json" in kind else (b"data: ", b"\n\n")
    out = await through(Window(gate.judge, gate.policies, cutter(kind)), [head + json.dumps(call).encode() + tail])
    [given] = re.findall(r'(?:"args":|"arguments":)(.*?"Ann":1\})', out.decode())
    named = VALUES[1]
    assert json.loads(given) == {"who": named, "input": named, "arguments": {"input": [named]}, "Ann": 1}


async def test_what_a_tool_is_given_that_takes_no_json_is_no_json(vault):
    calls = [
        frame({"tool_calls": [{"index": 0, "custom": {"name": "patch", "input": piece}}]})
        for piece in ("<PERS", "ON_1>")
    ]
    out = await through(window(vault), [*calls, frame({}, "tool_calls")])
    assert said(out, lambda delta: delta["tool_calls"][0]["custom"]["input"] if delta else "") == VALUES[1]
