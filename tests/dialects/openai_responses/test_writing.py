"""What providers of other APIs say, as OpenAI's SDK and Codex take it."""

import json

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._models import construct_type_unchecked
from openai.types.responses import Response

from dialects.openai_responses.laws import accumulated, parse, read, write
from headgate.core import events as ev
from headgate.core.errors import ProviderCut, ProviderRefused
from headgate.core.usage import Usage
from headgate.dialects import openai_responses as dialect
from headgate.dialects.signatures import UNSIGNED

START = ev.Start(id="chatcmpl-1", model="m", created=1700000000)
END = ev.Stop(reason="stop", vendor="stop")
PATCH = {"tools": [{"type": "custom", "name": "apply_patch"}, {"type": "local_shell"}]}


def both(events, request=None):
    """The response written whole; what is streamed must be the same, and be put together so by the SDK."""
    whole, lost = write(events, False, request)
    streamed, again = write(events, True, request)
    parsed = parse(streamed, True)
    assert parsed[-1].response.model_dump() == parse(whole, False).model_dump()
    assert lost == again
    accumulated(streamed)
    return parse(whole, False), parsed, [loss.path for loss in lost]


def test_text():
    usage = Usage(input=3, cache_read=4, cache_write=2, output=6, reasoning=5)
    response, events, lost = both([START, ev.Text(text="Hel"), ev.Text(text="lo"), ev.Used(usage=usage), END])
    assert response.output_text == "Hello"
    assert (response.id, response.status, response.model, response.created_at) == (
        "resp_chatcmpl-1", "completed", "m", 1700000000,
    )  # fmt: skip
    counts = response.usage
    assert (counts.input_tokens, counts.output_tokens, counts.total_tokens) == (9, 11, 20)
    assert (counts.input_tokens_details.cached_tokens, counts.input_tokens_details.cache_write_tokens) == (4, 2)
    assert counts.output_tokens_details.reasoning_tokens == 5
    assert [event.type.removeprefix("response.") for event in events] == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert lost == []
    assert response.store is False


def test_what_was_asked_is_said_again():
    request = {"instructions": "Be brief.", "temperature": 0.5, "metadata": {"a": "b"}, "tools": [], "store": None}
    response, _, _ = both([START, ev.Text(text="x"), END], request)
    assert (response.instructions, response.temperature, response.metadata) == ("Be brief.", 0.5, {"a": "b"})


def test_thinking_of_another_vendor_bears_its_proof_in_a_wrapping():
    thought = [ev.Thinking(text="h"), ev.Thinking(text="m"), ev.Thinking(signature="c2ln", signer="anthropic_messages")]
    response, events, _ = both([START, *thought, ev.Text(block=1, text="x"), END])
    reasoning, message = response.output
    assert reasoning.summary[0].text == "hm"
    assert reasoning.encrypted_content == "headgate:signed:anthropic_messages:c2ln"
    assert message.content[0].text == "x"
    assert [event.type.removeprefix("response.reasoning_") for event in events if "reasoning" in event.type] == [
        "summary_part.added", "summary_text.delta", "summary_text.delta", "summary_text.done", "summary_part.done",
    ]  # fmt: skip
    assert dialect.foreign(response.model_dump_json().encode())


def test_thinking_without_a_proof_bears_a_mark():
    response, _, _ = both([START, ev.Thinking(text="hm"), ev.Text(block=1, text="x"), END])
    assert response.output[0].encrypted_content == UNSIGNED


def test_hidden_thinking_and_the_proof_of_a_call():
    events = [
        START,
        ev.Thinking(redacted="cmVk", signer="anthropic_messages"),
        ev.ToolCall(block=1, id="c", name="f", signature="CvYB", signer="gemini_generate"),
        ev.ToolInput(block=1, json="{}"),
        ev.Stop(reason="tool_use"),
    ]
    response, _, lost = both(events)
    hidden, proof, call = response.output
    items = [item.model_dump(exclude_none=True) for item in (hidden, proof, call)]
    request = dialect.read_request({"model": "m", "input": [{"role": "user", "content": "x"}, *items]})
    thinking, again = request.messages[1].parts
    assert (thinking.redacted, thinking.signer) == ("cmVk", "anthropic_messages")
    assert (again.id, again.signature, again.signer) == ("c", "CvYB", "gemini_generate")
    assert lost == []


def test_calls():
    events = [
        START,
        ev.Text(text="I look."),
        ev.ToolCall(block=1, id="call_a", name="f"),
        ev.ToolInput(block=1, json='{"a":'),
        ev.ToolInput(block=1, json="1}"),
        ev.ToolCall(block=2, id="call_b", name="g"),
        ev.Stop(reason="tool_use"),
    ]
    response, told, _ = both(events)
    message, one, two = response.output
    assert (one.call_id, one.name, one.arguments) == ("call_a", "f", '{"a":1}')
    assert (two.call_id, two.name, two.arguments) == ("call_b", "g", "{}")
    assert len({message.id, one.id, two.id}) == 3
    done = [event.item.type for event in told if event.type == "response.output_item.done"]
    assert done == ["message", "function_call", "function_call"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=30))
@settings(deadline=None, max_examples=60)
def test_any_interleaving_is_put_in_order(steps):
    wanted = ['{"a": [1, 2]}', "just text", '{"b": {"c": "}"}}', '{"d": null}']
    left = dict(enumerate(wanted))
    events, begun = [START], set()
    for block, size in [*steps, *((block, 99) for block in range(4))]:
        if block not in begun and block != 1:
            events.append(ev.ToolCall(block=block, id=f"call_{block}", name="f"))
        begun.add(block)
        text, left[block] = left[block][:size], left[block][size:]
        if text:
            events.append(ev.Text(block=1, text=text) if block == 1 else ev.ToolInput(block=block, json=text))
    response, _, _ = both([*events, ev.Stop(reason="stop")])
    calls = {item.call_id: item.arguments for item in response.output if item.type == "function_call"}
    assert calls == {f"call_{block}": wanted[block] for block in (0, 2, 3)}
    assert response.output_text == "just text"


def test_a_function_that_stands_for_a_custom_tool_is_called_as_one():
    events = [
        START,
        ev.ToolCall(id="c", name="apply_patch"),
        ev.ToolInput(json='{"input":"*** Begin'),
        ev.ToolInput(json=' Patch\\n"}'),
        ev.ToolCall(block=1, id="d", name="local_shell"),
        ev.ToolInput(block=1, json='{"command":["ls","-l"],"working_directory":"/x","timeout_ms":5}'),
        ev.Stop(reason="tool_use"),
    ]
    response, told, _ = both(events, PATCH)
    patch, shell = response.output
    assert (patch.type, patch.call_id, patch.input) == ("custom_tool_call", "c", "*** Begin Patch\n")
    assert (shell.type, shell.call_id, shell.action.command) == ("local_shell_call", "d", ["ls", "-l"])
    assert (shell.action.working_directory, shell.action.timeout_ms) == ("/x", 5)
    assert [event.delta for event in told if event.type == "response.custom_tool_call_input.delta"] == [
        "*** Begin Patch\n"
    ]


@pytest.mark.parametrize("arguments", ["not JSON", '{"patch":1}', "[]", ""])
def test_arguments_that_are_not_what_was_asked_reach_the_client(arguments):
    events = [START, ev.ToolCall(id="c", name="apply_patch"), ev.ToolInput(json=arguments), ev.Stop(reason="tool_use")]
    assert both(events, PATCH)[0].output[0].input == arguments
    shell = [START, ev.ToolCall(id="c", name="local_shell"), ev.ToolInput(json=arguments), ev.Stop(reason="tool_use")]
    assert both(shell, PATCH)[0].output[0].action.command == ["sh", "-c", arguments]


@pytest.mark.parametrize(
    ("namespace", "function"),
    [("mcp__docs", "mcp__docs__find"), ("mcp__docs__", "mcp__docs__find"), ("crm", "crm__find")],
)
def test_a_function_that_stands_for_a_tool_of_a_namespace_is_called_as_one(namespace, function):
    inner = [{"type": "function", "name": "find"}, {"type": "custom", "name": "note"}]
    request = {"tools": [{"type": "namespace", "name": namespace, "description": "d", "tools": inner}]}
    events = [
        START,
        ev.ToolCall(block=0, id="c", name=function),
        ev.ToolInput(block=0, json='{"query":"a"}'),
        ev.ToolCall(block=1, id="d", name=function.replace("find", "note")),
        ev.ToolInput(block=1, json='{"input":"Kept."}'),
        ev.ToolCall(block=2, id="e", name="find"),
        ev.ToolInput(block=2, json="{}"),
        ev.Stop(reason="tool_use"),
    ]
    response, _, lost = both(events, request)
    find, note, other = response.output
    assert (find.namespace, find.name, find.arguments) == (namespace, "find", '{"query":"a"}')
    assert (note.type, note.namespace, note.name, note.input) == ("custom_tool_call", namespace, "note", "Kept.")
    assert (other.namespace, other.name) == (None, "find")
    assert not lost


def test_a_custom_call_of_chat_completions():
    events = [START, ev.ToolCall(id="c", name="code", custom=True), ev.ToolInput(json="1+1"), END]
    response, told, _ = both(events)
    assert response.output[0].input == "1+1"
    assert "response.custom_tool_call_input.done" in [event.type for event in told]


@pytest.mark.parametrize(
    ("stop", "reason"),
    [("length", "max_output_tokens"), ("context", "max_output_tokens"), ("refusal", "content_filter")],
)
def test_incomplete(stop, reason):
    response, told, _ = both([START, ev.Text(text="x"), ev.Stop(reason=stop, vendor="other")])
    assert (response.status, response.incomplete_details.reason) == ("incomplete", reason)
    assert told[-1].type == "response.incomplete"
    assert response.output[0].status == "incomplete"


def test_refusal_sources_scores_and_pictures():
    score = {"token": "S", "bytes": None, "logprob": -0.1, "top_logprobs": [{"token": "S", "logprob": -0.1}]}
    cited = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "title": "A", "url": "u"}}
    events = [
        START,
        ev.Text(text="S", logprobs=[score]),
        ev.Citation(dialect="openai_chat", value=cited),
        ev.Text(block=1, text="ky."),
        ev.Citation(block=1, dialect="anthropic_messages", value={"url": "https://example.com/a", "title": None}),
        ev.Citation(block=1, dialect="anthropic_messages", value={"document_index": 0}),
        ev.Refusal(block=2, text="No."),
        ev.Image(block=3, base64="iVBO", media_type="image/webp"),
        END,
    ]
    response, told, lost = both(events)
    message, picture = response.output
    first, second, third = message.content
    assert first.logprobs[0].bytes == [83]
    assert first.annotations[0].url == "u"
    assert (second.annotations[0].start_index, second.annotations[0].end_index) == (0, 3)
    assert third.refusal == "No."
    assert (picture.result, picture.output_format) == ("iVBO", "webp")
    assert lost == ["reply.citations"]
    assert "response.refusal.done" in [event.type for event in told]


def test_what_cannot_be_said_is_named():
    events = [
        START,
        ev.Text(text="x"),
        ev.Text(choice=1, text="y"),
        ev.Thinking(block=1, signature="c2ln"),
        ev.Native(block=2, dialect="other", name="audio", value={}),
        ev.Native(block=2, dialect="other", name="content_block", value={"type": "server_tool_use"}),
        ev.Stop(reason="stop_sequence", sequence="END"),
    ]
    assert both(events)[2] == [
        "reply.choices[1]", "reply.thinking.signature", "reply.audio", "reply.content.server_tool_use",
        "reply.stop_sequence",
    ]  # fmt: skip


def test_searches_are_counted():
    usage = Usage(input=1, output=1, server_tools={"web_search_requests": 2})
    response, _, _ = both([START, ev.Text(text="x"), ev.Used(usage=usage), END])
    assert response.tool_usage.web_search.num_requests == 2
    events = read(write([START, ev.Text(text="x"), ev.Used(usage=usage), END], False)[0], False)
    assert [event.usage.server_tools for event in events if isinstance(event, ev.Used)] == [usage.server_tools]


def test_an_error_in_mid_stream_is_raised_by_the_sdk_and_heard_by_codex():
    written = dialect.write_error(ProviderCut("It broke off."), "req_1", streaming=True)
    error, failed, rest = written.split(b"\n\n")
    assert rest == b""
    value = json.loads(error.split(b"data: ")[1])
    assert value["error"]["message"] == value["message"] == "It broke off."
    last = json.loads(failed.split(b"data: ")[1])
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": "provider_cut", "message": "It broke off."}
    assert construct_type_unchecked(type_=Response, value=last["response"]).status == "failed"
    stream = openai.Stream(
        cast_to=object,
        response=httpx2.Response(200, content=written, request=httpx2.Request("POST", "http://localhost")),
        client=openai.OpenAI(api_key="x", base_url="http://localhost"),
    )
    with pytest.raises(openai.APIError, match="It broke off"):
        list(stream)


def test_an_error_in_openais_shape():
    error = ProviderRefused("Too fast.", status=429, kind="rate_limit_error", retry_after=2.0)
    assert json.loads(dialect.write_error(error, "req_1", streaming=False))["error"] == {
        "message": "Too fast.", "type": "requests", "param": None, "code": "rate_limit_exceeded",
    }  # fmt: skip
