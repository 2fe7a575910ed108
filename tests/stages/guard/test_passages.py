"""No text of a body is overlooked: not what looks like data, nor what is written in another way."""

import base64
import json

from headgate.stages.guard.passages import changed, passages


def texts(value, side="request"):
    return [each.text for each in passages(value, side)]


def coded(data):
    return base64.b64encode(data).decode()


def test_words_without_blanks_are_no_data():
    for said in ("zeppelin\n" * 40, "zeppelin-" * 40, "zeppelin" * 40):
        assert texts({"messages": [{"role": "user", "content": said}]}) == [said]
        assert texts({"content": [{"source": {"type": "text", "media_type": "text/plain", "data": said}}]}) == [said]


def test_pictures_and_proofs_are_not_looked_at():
    picture = coded(bytes(range(256)))
    assert not texts({"url": f"data:image/png;base64,{picture}", "images": [picture], "data": picture})
    assert not texts({"signature": picture, "thoughtSignature": picture})


def test_a_text_in_base64_is_looked_at_and_changed():
    file = coded("Wer ist C-123456 in Zürich?".encode())
    body = {"parts": [{"inlineData": {"data": file}}, {"url": f"data:text/plain;base64,{file}"}], "images": [file]}
    found = passages(body, "request")
    assert {each.text for each in found} == {"Wer ist C-123456 in Zürich?"}
    assert len(found) == 3
    said = changed(body, {each.path: "Wer?" for each in found})
    mended = coded(b"Wer?")
    assert said["parts"] == [{"inlineData": {"data": mended}}, {"url": f"data:text/plain;base64,{mended}"}]
    assert said["images"] == [mended]


def test_what_only_looks_like_data_is_read():
    """Fields of documents have any names, and numbers of cards look like base64."""
    card, code = "4111111111111111", "C-123456C-654321"
    assert {card, code} <= set(texts({"documents": [{"data": {"card": card, "t": code, "long": "x" * 99}}]}))
    assert card in texts({"data": card})
    assert "x" * 99 in texts({"documents": [{"data": {"long": "x" * 99}}]})
    assert texts({"image": {"data": "iVBORw0KGgo" * 9}, "images": ["iVBORw0KGgo" * 9]}) == []


def test_letters_that_results_of_tools_have_as_escapes_are_read():
    content = json.dumps({"name": 'Müller 😀 "', "path": "\\u0041"})
    [found] = passages({"messages": [{"role": "tool", "content": content}]}, "request")
    assert "Müller 😀 " in found.text
    assert json.loads(found.text) == json.loads(content)


def test_what_stands_twice_in_arguments_is_read_twice():
    call = {"function": {"arguments": '{"a": "zeppelin", "a": 1}'}}
    assert any("zeppelin" in each for each in texts({"tool_calls": [call]}))


def test_numbers_of_any_kind_and_names_of_a_schema_are_read():
    call = {"function": {"arguments": ' {"a": 4111111111111111.0, "b": -41111111111, "c": [12345678901.5]}'}}
    assert {"4111111111111111", "-41111111111", "12345678901.5"} <= set(texts({"tool_calls": [call]}))
    assert "zeppelin" in texts({"tools": [{"parameters": {"properties": {"zeppelin": {"type": "string"}}}}]})
