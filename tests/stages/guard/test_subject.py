"""Bytes of any kind with some of their texts said otherwise."""

import json

import pytest

from headgate.core.errors import InvalidJSON
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


def read(data, kind=b"application/json"):
    return Whole(data, kind, "request")


def test_json_is_read_however_it_is_written():
    said = r'{"prompt": "\u007aeppelin M\u00fcller"}'
    raw = said.encode()
    odd = said.replace("}", ', "x": "\xff"}').encode("latin-1")
    for data in (
        raw,
        b"\xef\xbb\xbf" + raw,
        said.encode("utf-16"),
        said.encode("utf-16-le"),
        odd,
        raw + b"{}",
        raw[:-1],
    ):
        whole = read(data)
        assert any("zeppelin Müller" in each.text for each in whole.passages), data
        place = next(place for place, each in enumerate(whole.passages) if "zeppelin" in each.text)
        assert b"zeppelin" not in whole.saying({place: "nothing"})


def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(InvalidJSON):
        read(b'{"prompt": "zeppelin", "prompt": "hello"}')
    assert read(rb'{"prompt": "\"hello\"\\", "a": "\u0022"}').passages


def test_fields_of_a_form_are_read_as_they_are_meant():
    whole = read(b"q=z%65ppelin+x&n=1", b"application/x-www-form-urlencoded")
    [place] = [place for place, each in enumerate(whole.passages) if each.text == "zeppelin x"]
    assert whole.saying({place: "[A & B]"}) == b"q=%5BA+%26+B%5D&n=1"


def test_lines_of_json_in_an_uploaded_file_are_read_each_by_itself():
    lines = "".join(json.dumps({"body": {"messages": [{"role": "user", "content": each}]}}) + "\n" for each in "ÄÖÜ")
    head, kind = b'Content-Disposition: form-data; name="file"; filename="a.jsonl"', b"multipart/form-data; boundary=XX"
    data = b"--XX\r\n" + head + b"\r\n\r\n" + lines.encode() + b"\r\n--XX--\r\n"
    whole = read(data, kind)
    found = {each.text: place for place, each in enumerate(whole.passages) if each.text in "ÄÖÜ"}
    assert {whole.passages[place].part for place in found.values()} == {"text"}
    said = whole.saying({found["Ö"]: "O", found["Ü"]: "U"})
    assert said.startswith(b"--XX\r\n" + head + b"\r\n\r\n" + lines.encode().splitlines()[0])
    assert said.endswith(b'"U"}]}}\n\r\n--XX--\r\n')
    assert whole.saying({}) == data


def test_a_part_that_is_json_keeps_the_end_of_its_line():
    whole = read(b'--XX\r\n\r\n{"a": "zeppelin"}\r\n--XX--\r\n', b"multipart/form-data; boundary=XX")
    [place] = [place for place, each in enumerate(whole.passages) if each.text == "zeppelin"]
    assert whole.saying({place: "x"}) == b'--XX\r\n\r\n{"a":"x"}\r\n--XX--\r\n'


def test_files_in_old_encodings_are_texts_and_pictures_are_none():
    [found] = read("Zürich, C-123456".encode("latin-1"), b"application/octet-stream").passages
    assert found.text == "Zürich, C-123456"
    assert not read(b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"application/octet-stream").passages
