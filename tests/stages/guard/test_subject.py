"""Bytes of any kind with some of their texts said otherwise."""

import json

from headgate.stages.guard.passages import passages, written
from headgate.stages.guard.subject import Whole


def test_scores_of_tokens_go_with_what_they_say():
    choice = {"message": {"content": "a bluebird"}, "logprobs": {"content": [{"token": "blue"}, {"token": "bird"}]}}
    whole = Whole(json.dumps({"choices": [choice]}).encode(), b"application/json", "reply")
    [place] = [place for place, each in enumerate(whole.passages) if each.text == "a bluebird"]
    said = json.loads(whole.saying({place: "a [PROJECT]"}))
    assert said["choices"] == [{"message": {"content": "a [PROJECT]"}, "logprobs": None}]


def test_places_are_told_without_what_is_somebodys_own():
    body = {
        "system": "be brief",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hello"}]},
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "pay", "arguments": '{"to": {"ann@x.org": 1}}'}}],
            },
            {"role": "tool", "content": "done"},
        ],
    }
    found = {each.text: each for each in passages(body, "request")}
    told = {text: (each.role, each.part, written(each.path)) for text, each in found.items()}
    assert told["be brief"] == ("system", "system", "system")
    assert told["hello"] == ("user", "text", "messages[0].content[0].text")
    assert told["ann@x.org"] == ("assistant", "tool_argument", "messages[1].tool_calls[0].function.arguments.*")
    assert found["ann@x.org"].tool == "pay"
    assert told["done"] == ("tool", "tool_result", "messages[2].content")
