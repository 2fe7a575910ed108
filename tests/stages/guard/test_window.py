"""What is split over frames is found, whatever the split, and frames leave as they came."""

import asyncio
import json
import random
from types import SimpleNamespace

import pytest

from headgate.core.errors import Blocked, GuardUnavailable
from headgate.core.events import Start, Stop, Text, ToolCall, ToolInput
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.dialects import openai_chat
from headgate.stages.guard.changing import Hashes
from headgate.stages.guard.framing import cutter
from headgate.stages.guard.judging import Judge
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.window import Window
from headgate.stages.guards.patterns import Patterns, PatternsSettings
from headgate.stages.guards.tool_arguments import ToolArguments, ToolArgumentsSettings
from headgate.stages.guards.words import Words, WordsSettings
from together import together
from ways import CHATS

NUMBERS = {"customer": [r"C-\d{6}"]}


async def nothing():
    return b""


def exchange():
    return Exchange("req_1", openai_chat, "/v1/chat/completions", [], nothing, 0.0, Record(id="req_1", time=0.0))


def policy(guard=None, **more):
    guard = guard or Patterns(PatternsSettings(patterns=NUMBERS, longest=8))
    return Policy("numbers", guard, "patterns", frozenset({"after"}), {"*": "redact"}, **more)


def window(*policies, kind=b"text/event-stream"):
    judge = Judge(exchange(), Hashes(b"secret"))
    return Window(judge, policies or [policy()], cutter(kind))


def frame(delta, finish=None):
    value = {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def pieces(text, seed):
    chance = random.Random(seed)
    while text:
        size = chance.choice((1, 1, 2, 3, 5, 9, 40))
        yield text[:size]
        text = text[size:]


async def through(one, frames, together=1):
    out = b""
    for at in range(0, len(frames), together):
        out += await one.feed(b"".join(frames[at : at + together]))
    return out + await one.end()


def said(data, read=lambda delta: delta.get("content", ""), choice=0):
    """What one text of a stream comes to."""
    events = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: {")]
    return "".join(read(each["delta"]) for event in events for each in event["choices"] if each["index"] == choice)


@pytest.mark.parametrize("seed", range(12))
async def test_any_split_says_the_same(seed):
    text = f"Dear C-123456, and C-65432 and C-654321C-111111; {'x' * 90} ü C-999999"
    wanted = f"Dear [CUSTOMER], and C-65432 and [CUSTOMER][CUSTOMER]; {'x' * 90} ü [CUSTOMER]"
    one = window()
    frames = [frame({"content": piece}) for piece in pieces(text, seed)] + [frame({}, "stop"), b"data: [DONE]\n\n"]
    out = await through(one, frames, 1 + seed % 3)
    assert said(out) == wanted
    assert out.count(b"\n\n") == len(frames)
    assert len(one.judge.exchange.record.guards) == 4


@pytest.mark.parametrize("seed", range(6))
async def test_what_nothing_is_found_in_leaves_as_it_came(seed):
    text = "Nothing to be seen here, C-12345 being no number of a customer. " * 5
    frames = [b": comment\n\n", *(frame({"content": piece}) for piece in pieces(text, seed)), frame({}, "stop")]
    one = window()
    assert await through(one, frames) == b"".join(frames)
    assert not one.judge.exchange.record.guards


@pytest.mark.parametrize("seed", range(6))
async def test_arguments_of_tools_are_read_as_they_are_meant(seed):
    escaped = json.dumps({"who": "C-123456", "more": 'say "C-222222"'}).replace("C", "\\u0043")
    calls = [frame({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in pieces(escaped, seed)]
    out = await through(window(), [frame({"content": "C-12"}), *calls, frame({}, "tool_calls")])
    arguments = said(out, lambda delta: "".join(each["function"]["arguments"] for each in delta.get("tool_calls", ())))
    assert json.loads(arguments) == {"who": "[CUSTOMER]", "more": 'say "[CUSTOMER]"'}


@pytest.mark.parametrize("seed", range(4))
async def test_arguments_with_numbers_stay_json(seed):
    given = {"card": 4111111111111111, "all": [1, 4222222222222222], "text": "card: 4333333333333333, that", "s": 4}
    found = policy(Patterns(PatternsSettings(patterns={"card": [r"4\d{15}"]}, longest=16)))
    parts = pieces(json.dumps(given), seed)
    calls = [frame({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in parts]
    out = await through(window(found), [*calls, frame({}, "tool_calls")])
    read = said(out, lambda delta: "".join(each["function"]["arguments"] for each in delta.get("tool_calls", ())))
    assert json.loads(read) == {"card": "[CARD]", "all": [1, "[CARD]"], "text": "card: [CARD], that", "s": 4}


async def test_texts_that_come_side_by_side_are_not_mixed_up():
    def both(one, two):
        choices = [{"index": number, "delta": {"content": text}} for number, text in enumerate((one, two))]
        return b"data: " + json.dumps({"choices": choices}).encode() + b"\n\n"

    out = await through(window(), [both("C-12", "C-65"), both("3456 ok", "432 no"), both("", "")])
    assert (said(out), said(out, choice=1)) == ("[CUSTOMER] ok", "C-65432 no")


async def test_nothing_of_what_is_blocked_has_left():
    words = Words(WordsSettings(words={"project": ["blue bird"]}))
    one = window(Policy("p", words, "words", frozenset({"after"})))
    out = b"".join([await one.feed(frame({"content": piece})) for piece in ("over the ", "hills, blue", " b", "ird")])
    with pytest.raises(Blocked, match="'p' blocks this: project"):
        await one.feed(frame({"content": " flies" * 20}))
    assert b"blue" not in out


async def test_a_guard_that_must_see_all_of_it_does():
    guard = SimpleNamespace(hold=None, usual="flag", look=lambda passages, asked: [], clear=len)
    one = window(Policy("all", guard, "all", frozenset({"after"})))
    assert await one.feed(frame({"content": "x" * 1000})) == b""
    assert said(await one.end()) == "x" * 1000


async def test_what_never_ends_is_not_held_for_ever():
    guard = SimpleNamespace(hold=None, usual="flag", look=lambda passages, asked: [], clear=len)
    for closed in (True, False):
        one = window(Policy("all", guard, "all", frozenset({"after"}), largest=5000, closed=closed))
        for _ in range(5):
            assert await one.feed(frame({"content": "x" * 1000})) == b""
        if closed:
            with pytest.raises(GuardUnavailable, match="longer than the 5000 characters"):
                await one.feed(frame({"content": "x"}))
        else:
            assert len(said(await one.feed(frame({"content": "x"})))) == 5001
            assert await one.feed(frame({"content": "y"})) == b""


async def test_what_is_changed_does_not_stand_in_the_scores_of_tokens():
    def scored(text):
        token = {"token": text, "logprob": -1.0, "bytes": list(text.encode()), "top_logprobs": []}
        choice = {"index": 0, "delta": {"content": text}, "logprobs": {"content": [token]}, "finish_reason": None}
        return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"

    out = await through(window(), [scored(piece) for piece in ("Dear ", "C-1", "23456", " and so on, and on")])
    assert said(out) == "Dear [CUSTOMER] and so on, and on"
    assert b"23456" not in out
    assert str(list(b"23456")).encode() not in out
    assert b'" and so on, and on", "logprob"' in out, "others stay"


@pytest.mark.parametrize("seed", range(3))
async def test_letters_of_two_escapes_are_one(seed):
    """What is written so must not make a guard fail."""
    arguments = json.dumps({"to": "😀 C-123456 😀", "for": "😀" * 20})
    frames = [
        frame({"tool_calls": [{"index": 0, "function": {"arguments": each}}]}) for each in pieces(arguments, seed)
    ]
    one = window(policy(Words(WordsSettings(words={"customer": ["C-123456"]}))))
    out = await through(one, frames)
    read = said(out, lambda delta: delta["tool_calls"][0]["function"]["arguments"])
    assert json.loads(read) == {"to": "😀 [CUSTOMER] 😀", "for": "😀" * 20}
    assert [each.category for each in one.judge.exchange.record.guards] == ["customer"]


async def test_long_words_are_no_data():
    frames = [frame({"content": "a" * 200 + " C-123456 "})]
    assert b"C-123456" not in await through(window(), frames)


async def test_the_end_of_one_choice_and_an_empty_one_are_no_end_of_another():
    def choice(index, content, finish):
        value = {"choices": [{"index": index, "delta": {"content": content}, "finish_reason": finish}]}
        return b"data: " + json.dumps(value).encode() + b"\n\n"

    frames = [choice(0, "of C-12", ""), choice(1, "no", "stop"), choice(0, "3456", ""), choice(0, "", "stop")]
    assert said(await through(window(), frames)) == "of [CUSTOMER]"


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
async def test_a_stream_that_is_cut_anywhere_is_looked_at(size, ends):
    """What is forwarded unread comes as the network has cut it."""
    frames = [frame({"content": "of C-12"}), frame({"content": "3456."}, "stop"), b"data: [DONE]\n\n"]
    data = b"\xef\xbb\xbf" + b"".join(frames).replace(b"\n", ends)
    out = await through(window(), [data[at : at + size] for at in range(0, len(data), size)])
    assert said(out.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")) == "of [CUSTOMER]."


async def test_lines_that_are_cut_anywhere_are_looked_at():
    data = b'{"response":"of C-12"}\n{"response":"3456."}'
    out = await through(window(kind=b"application/x-ndjson"), [data[at : at + 5] for at in range(0, len(data), 5)])
    assert "".join(json.loads(line)["response"] for line in out.splitlines()) == "of [CUSTOMER]."


async def test_events_that_are_no_json_are_texts():
    data = b"event: said\ndata: of C-123456\n\ndata: [DONE]\n\n"
    assert await through(window(), [data]) == b"event: said\ndata: of [CUSTOMER]\n\ndata: [DONE]\n\n"


async def test_arguments_that_come_as_an_object_are_looked_at_as_in_a_whole_reply():
    """Names of fields and numbers in them, too."""
    found = policy(Patterns(PatternsSettings(patterns={"customer": [r"C-\d{6}", r"\d{16}"]}, longest=16)))
    call = {"name": "find", "args": {"C-123456": 1, "card": 4111111111111111, "text": "C-222222"}}
    data = {"candidates": [{"content": {"parts": [{"functionCall": call}]}}]}
    out = await through(window(found), [b"data: " + json.dumps(data).encode() + b"\n\n"])
    [part] = json.loads(out[6:])["candidates"][0]["content"]["parts"]
    assert part["functionCall"]["args"] == {"[CUSTOMER]": 1, "card": "[CUSTOMER]", "text": "[CUSTOMER]"}


async def test_letters_that_hide_how_long_a_text_is_are_not_looked_at():
    class Guard(Patterns):
        def look(self, passages, asked):
            seen.extend(each.text for each in passages)
            return super().look(passages, asked)

    seen = []
    value = {"choices": [{"index": 0, "delta": {"content": "hello"}}], "obfuscation": "aB3dE"}
    await through(window(policy(Guard(PatternsSettings(patterns=NUMBERS, longest=8)))), [frame_of(value)] * 3)
    assert "aB3dE" not in seen
    assert "hello" * 3 in seen


def frame_of(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def calling(dialect, *tools, seed):
    """A stream in which these tools are called with a command, in pieces, and its type."""
    fields = {"alt": "sse"} if seed % 2 else {}
    writer = dialect.writer(True, fields, [])
    out = writer.feed([Start(id="r", model="m", created=1), Text(text="Well, ")])
    for place, tool in enumerate(tools, 1):
        out += writer.feed([ToolCall(id=f"call_{place}", name=tool, block=place)])
        for piece in pieces(json.dumps({"name": "shell", "do": ["ls; rm -rf /tmp/x"]}), seed):
            out += writer.feed([ToolInput(json=piece, block=place)])
    return out + writer.feed([Stop(reason="tool_use")]) + writer.end(), dialect.content_type(True, fields)


def knows_calls(dialect):
    return dialect.name not in ("openai_completions", "ollama_generate") and bool(dialect.stream_types)


@together(["dialect", "seed"], [(dialect, seed) for dialect in CHATS if knows_calls(dialect) for seed in range(4)])
def test_arguments_are_judged_by_the_rules_of_their_tool(dialect, seed):
    rules = {"shell": {"allow": ["command", "path"]}, "*": {"allow": ["path"]}}

    async def looked(*tools):
        stream, kind = calling(dialect, *tools, seed=seed)
        guard = ToolArguments(ToolArgumentsSettings.model_validate({"tools": rules}))
        one = Window(Judge(exchange(), Hashes(b"x")), [Policy("p", guard, "x", frozenset({"after"}))], cutter(kind))
        cuts = [stream[start : start + 50 * (seed + 1)] for start in range(0, len(stream), 50 * (seed + 1))]
        return stream, await through(one, cuts)

    stream, out = asyncio.run(looked("shell", "shell"))
    assert out == stream
    for tools in (("mail",), ("shell", "mail"), ("mail", "shell")):
        with pytest.raises(Blocked, match="command"):
            asyncio.run(looked(*tools))
