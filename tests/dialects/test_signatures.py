"""Another vendor's proof of thinking travels through Anthropic's clients and goes back to that vendor alone."""

import json

import pytest

from headgate.core import events as ev
from headgate.core.chat import Thinking
from headgate.dialects import anthropic_messages, cohere_chat, ollama_chat, openai_chat
from headgate.dialects.signatures import UNSIGNED, holds_foreign, unwrap, wrap

PROOF = "gAAAA:with:colons\n="


def test_what_is_wrapped_is_unwrapped():
    assert unwrap(wrap("gemini_generate", PROOF), "other") == ("gemini_generate", PROOF)
    assert unwrap(PROOF, "other") == ("other", PROOF)
    assert unwrap(UNSIGNED, "other") == ("other", "")


@pytest.mark.parametrize(
    ("body", "foreign"),
    [
        (b'{"a":"headgate:unsigned"}', True),
        (b'{"a":"headgate:signed:x:y"}', True),
        (b'{"a":"headgate: what is it?"}', False),
        (b'{"a":"about headgate:signed:x:y"}', False),
        (b"{}", False),
    ],
)
def test_a_wrapping_is_found_by_its_bytes(body, foreign):
    assert holds_foreign(body) is foreign


@pytest.mark.parametrize("stream", [True, False])
def test_it_goes_to_the_client_wrapped_and_comes_back(stream):
    events = [
        ev.Start(id="r", model="m"),
        ev.Thinking(text="hm"),
        ev.Thinking(signature=PROOF, signer="openai_responses"),
        ev.Text(block=1, text="x"),
        ev.Stop(reason="stop"),
    ]
    writer = anthropic_messages.writer(stream, {}, [])
    written = writer.feed(events) + writer.end()
    if stream:
        signatures = [json.loads(line[6:])["delta"] for line in written.split(b"\n") if b"signature_delta" in line]
        signature = signatures[0]["signature"]
    else:
        signature = json.loads(written)["content"][0]["signature"]
    content = [{"type": "thinking", "thinking": "hm", "signature": signature}, {"type": "text", "text": "x"}]
    turns = [("user", "a"), ("assistant", content), ("user", "b")]
    fields = {"model": "m", "max_tokens": 9, "messages": [{"role": role, "content": said} for role, said in turns]}
    assert anthropic_messages.foreign(json.dumps(fields).encode())
    request = anthropic_messages.read_request(fields)
    assert request.messages[1].parts[0] == Thinking(text="hm", signature=PROOF, signer="openai_responses")
    lost = []
    own = json.loads(anthropic_messages.write_request(request, lost))
    assert own["messages"][1]["content"] == [{"type": "text", "text": "x"}]
    assert [loss.path for loss in lost] == ["messages[1].content[0]"]
    lost = []
    assert PROOF not in openai_chat.write_request(request, lost).decode()
    assert [loss.path for loss in lost] == ["messages[1].content[0]"]


@pytest.mark.parametrize("dialect", [cohere_chat, ollama_chat])
@pytest.mark.parametrize("stream", [True, False])
def test_the_proof_of_a_call_is_named_where_there_is_no_place_for_it(dialect, stream):
    lost = []
    call = ev.ToolCall(id="c", name="f", signature="gAAAA", signer="gemini_generate")
    writer = dialect.writer(stream, {}, lost)
    writer.feed([ev.Start(), call, ev.ToolInput(json="{}"), ev.Stop(reason="tool_use")])
    writer.end()
    assert [loss.path for loss in lost] == ["reply.tool_call.signature"]
