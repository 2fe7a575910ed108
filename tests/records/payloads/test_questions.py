"""Questions of the log are paired within their context, and told alike by their answers."""

import pytest

from headgate.records.payloads.questions import asked, pairs
from headgate.similarity.lexical import Lexical


def said(question, answer, system="Be brief.", dialect="openai_chat"):
    if dialect == "openai_chat":
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return {"dialect": dialect, "request": {"model": "m", "messages": messages}, "answer": body}
    body = {
        "id": "x", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": answer}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    request = {"model": "m", "max_tokens": 9, "system": system, "messages": [{"role": "user", "content": question}]}
    return {"dialect": dialect, "request": request, "answer": body}


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages"])
def test_the_question_the_answer_and_the_rest_are_read(dialect):
    one = asked(said("How far?", "Very far.", dialect=dialect))
    other = asked(said("How near?", "Near.", dialect=dialect))
    assert (one.question, one.answer) == ("How far?", "Very far.")
    assert one.context == other.context
    assert one.context != asked(said("How far?", "Very far.", "Be long.", dialect)).context


def test_what_is_no_question_is_left_out():
    assert asked({"dialect": "openai_chat", "request": "cut", "answer": None}) is None
    assert asked(said("How?", "") | {"dialect": "nothing"}) is None
    assert asked(said("How?", "")) is None
    assert asked(said("How?", "So.") | {"request": {"model": "m", "messages": 3}}) is None


async def test_near_questions_of_one_context_are_told_alike_where_their_answers_agree():
    log = [
        said("How do I reset my password?", "Open the settings, then choose reset."),
        said("how can I reset my password", "Open  the settings, then choose reset."),
        said("How do I reset my passcode?", "Open the settings, then choose passcode."),
        said("How long do I reset my password?", "It takes 5 minutes."),
        said("What is the weather in Oslo?", "Rain."),
        said("How do I reset my password?", "Another context.", system="Be long."),
    ]
    found = await pairs([asked(each) for each in log], Lexical(), 0.99)
    told = {(pair.a, pair.b): pair.alike for pair in found}
    assert told[log[0]["request"]["messages"][1]["content"], log[1]["request"]["messages"][1]["content"]] is True
    assert [pair for pair, alike in told.items() if alike] == [
        ("How do I reset my password?", "how can I reset my password")
    ]
    assert len(told) == 5
    assert all("Oslo" not in f"{pair}" for pair in told)
    assert all(pair.similarity >= 0.5 for pair in found)
