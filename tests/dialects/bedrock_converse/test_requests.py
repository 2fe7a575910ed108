"""Requests are read, checked and written back as they were."""

import contextlib
import copy
import json

import botocore.session
import msgspec
import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.bedrock_converse.laws import FIXTURES, REQUESTS, asked, loose, named, service
from dialects.mutations import changes, mutated
from gateways import rounds
from headgate.core import chat
from headgate.core.errors import InvalidRequest
from headgate.dialects import bedrock_converse as dialect
from together import together


def again(fields, lost=None):
    lost = [] if lost is None else lost
    return json.loads(dialect.write_request(dialect.read_request(fields), lost))


def fixture(name):
    return json.loads((FIXTURES / "requests" / f"{name}.json").read_bytes())


@named(REQUESTS)
def test_a_request_round_trips(path):
    fields = json.loads(path.read_bytes())
    before, lost = json.dumps(fields), []
    assert asked(again(fields, lost)) == asked(fields)
    assert json.dumps(fields) == before
    assert lost == []


@named(REQUESTS)
def test_nothing_of_the_url_goes_into_the_body(path):
    assert not {"model", "stream"} & again(json.loads(path.read_bytes())).keys()


def test_a_request_is_read_into_the_cores_words():
    request = dialect.read_request(fixture("tools_parallel"))
    [_, said, results] = request.messages
    assert [(part.id, part.name, part.arguments) for part in said.parts] == [
        ("tooluse_abc-1", "get_weather", '{"city":"Paris"}'),
        ("tooluse_abc-2", "get_time", "{}"),
    ]
    assert [part.error for part in results.parts] == [False, True]
    assert results.parts[0].parts[0].text == '{"sky":"clear","degrees":21.5}'
    assert request.tool_choice.kind == "required"
    request = dialect.read_request(fixture("cache_points"))
    assert [part.cache for part in request.messages[1].parts] == [chat.CacheMark("1h"), None]
    assert request.messages[0].parts[0].cache == chat.CacheMark()
    assert [tool.cache for tool in request.tools] == [None, chat.CacheMark()]
    image, stored, _, _ = dialect.read_request(fixture("images")).messages[0].parts
    assert image.source.media_type == "image/png"
    assert stored.source == chat.Stored("s3://bucket/key.jpeg")
    paper, notes, chunks, _, _ = dialect.read_request(fixture("documents")).messages[0].parts
    assert (paper.title, paper.context, paper.citations) == ("A paper", "From 2024.", True)
    assert notes.source == chat.PlainText("Some notes.")
    assert isinstance(chunks, chat.NativePart)
    thinking, redacted, _ = dialect.read_request(fixture("reasoning_in_history")).messages[1].parts
    assert (thinking.text, thinking.signature, thinking.signer) == ("Let me think.", "c2ln", "bedrock_converse")
    assert redacted.redacted == "cmVkYWN0ZWQ="


@together(
    ("name", "reasoning"),
    [
        ("reasoning_in_history", (None, 2000, "enabled", None)),
        ("reasoning_config", (None, 1024, "enabled", None)),
        ("reasoning_adaptive", ("high", None, "adaptive", "summarized")),
        ("reasoning_disabled", (None, None, "disabled", None)),
        ("reasoning_nova", ("medium", None, "enabled", None)),
        ("reasoning_openai", ("high", None, None, None)),
        ("reasoning_unsigned", ("low", None, None, None)),
        ("effort", ("max", None, None, None)),
    ],
)
def test_reasoning_is_read_in_every_familys_words(name, reasoning):
    found = dialect.read_request(fixture(name)).reasoning
    assert (found.effort, found.budget, found.mode, found.display) == reasoning


def test_what_a_stage_changes_is_written():
    request = dialect.read_request(fixture("reasoning_adaptive"))
    request.reasoning = msgspec.structs.replace(request.reasoning, effort="low")
    request.top_k = 3
    written = json.loads(dialect.write_request(request, []))
    assert written["outputConfig"]["effort"] == "low"
    fields = written["additionalModelRequestFields"]
    assert fields["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert fields["top_k"] == 3
    request = dialect.read_request(fixture("guarded"))
    for part in request.messages[0].parts[:2]:
        part.text = "hidden"
    [text, guarded, _] = json.loads(dialect.write_request(request, []))["messages"][0]["content"]
    assert text == {"text": "hidden"}
    assert guarded["guardContent"]["text"] == {"text": "hidden", "qualifiers": ["grounding_source", "query"]}
    request = dialect.read_request(fixture("citations_in_history"))
    for part in request.messages[1].parts:
        part.text = "hidden"
    assert b'Ada."' not in dialect.write_request(request, [])
    request = dialect.read_request(fixture("tools_parallel"))
    request.messages[2].parts[0].parts[0].text = "not JSON {"
    [result, _] = json.loads(dialect.write_request(request, []))["messages"][2]["content"]
    assert result["toolResult"]["content"] == [{"text": "not JSON {"}]


def test_a_guardrail_and_a_prompt_are_bound_to_amazon():
    assert set(dialect.read_request(fixture("guarded")).bound) == {"guardrailConfig"}
    assert set(dialect.read_request(fixture("prompt")).bound) == {"promptVariables"}
    assert dialect.read_request(fixture("plain")).bound == {}


@pytest.mark.parametrize("proof", ["headgate:unsigned", "headgate:signed:gemini_generate:abc"])
def test_thinking_that_another_vendor_signed_stays_here(proof):
    body = json.dumps(fixture("reasoning_in_history")).replace("c2ln", proof)
    assert dialect.foreign(body.encode())
    lost = []
    written = again(json.loads(body), lost)
    assert [list(block) for block in written["messages"][1]["content"]] == [["reasoningContent"], ["toolUse"]]
    assert [loss.path for loss in lost] == ["messages[1].content[0]"]
    only = json.loads(body)
    only["messages"][1]["content"] = only["messages"][1]["content"][:1]
    assert [turn["role"] for turn in again(only)["messages"]] == ["user", "user"]


BLOCK = "messages[0].content[0]"
WRONG = [
    ({"model": None}, "model"),
    ({"messages": {}}, "messages"),
    ({"messages": ["x"]}, "messages[0]"),
    ({"messages": [{"content": []}]}, "messages[0].role"),
    ({"messages": [{"role": "tool", "content": []}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": "x"}]}, "messages[0].content"),
    ({"block": "x"}, BLOCK),
    ({"block": {"text": 1}}, f"{BLOCK}.text"),
    ({"block": {"image": "x"}}, f"{BLOCK}.image"),
    ({"block": {"image": {"format": "png"}}}, f"{BLOCK}.image.source"),
    ({"block": {"image": {"source": {"bytes": 1}}}}, f"{BLOCK}.image.source.bytes"),
    ({"block": {"document": {"source": {"text": 1}}}}, f"{BLOCK}.document.source.text"),
    ({"block": {"document": {"name": 1, "source": {"text": "x"}}}}, f"{BLOCK}.document.name"),
    ({"block": {"toolUse": {"name": "f", "input": {}}}}, f"{BLOCK}.toolUse.toolUseId"),
    ({"block": {"toolUse": {"toolUseId": "i", "input": {}}}}, f"{BLOCK}.toolUse.name"),
    ({"block": {"toolResult": {"content": []}}}, f"{BLOCK}.toolResult.toolUseId"),
    ({"block": {"toolResult": {"toolUseId": "i"}}}, f"{BLOCK}.toolResult.content"),
    ({"block": {"toolResult": {"toolUseId": "i", "content": [{"text": 1}]}}}, f"{BLOCK}.toolResult.content[0].text"),
    ({"block": {"reasoningContent": {"reasoningText": {}}}}, f"{BLOCK}.reasoningContent.reasoningText.text"),
    ({"block": {"reasoningContent": {"redactedContent": 1}}}, f"{BLOCK}.reasoningContent.redactedContent"),
    ({"block": {"citationsContent": {"citations": [1]}}}, f"{BLOCK}.citationsContent.citations[0]"),
    ({"system": "x"}, "system"),
    ({"inferenceConfig": []}, "inferenceConfig"),
    ({"inferenceConfig": {"maxTokens": "many"}}, "inferenceConfig.maxTokens"),
    ({"inferenceConfig": {"temperature": "warm"}}, "inferenceConfig.temperature"),
    ({"inferenceConfig": {"stopSequences": "END"}}, "inferenceConfig.stopSequences"),
    ({"inferenceConfig": {"stopSequences": [1]}}, "inferenceConfig.stopSequences[0]"),
    ({"toolConfig": {"tools": {"a": 1}}}, "toolConfig.tools"),
    ({"toolConfig": {"tools": [{"toolSpec": {"inputSchema": {"json": {}}}}]}}, "toolConfig.tools[0].toolSpec.name"),
    ({"toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}}, "toolConfig.tools[0].toolSpec.inputSchema"),
    ({"toolConfig": {"toolChoice": {"must": {}}}}, "toolConfig.toolChoice"),
    ({"toolConfig": {"toolChoice": {"tool": {}}}}, "toolConfig.toolChoice.tool.name"),
    ({"requestMetadata": {"a": 1}}, "requestMetadata"),
    ({"additionalModelRequestFields": []}, "additionalModelRequestFields"),
    ({"outputConfig": {"effort": 1}}, "outputConfig.effort"),
    (
        {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{"}}}}},
        "outputConfig.textFormat.structure.jsonSchema.schema",
    ),
]


@together(("change", "param"), WRONG)
def test_a_wrong_field_is_named(change, param):
    fields = {"model": "m", "stream": False, "messages": [{"role": "user", "content": [{"text": "x"}]}]} | change
    if "block" in change:
        fields["messages"] = [{"role": "user", "content": [fields.pop("block")]}]
    with pytest.raises(InvalidRequest) as caught:
        dialect.read_request(fields)
    assert caught.value.param == param
    assert param in caught.value.message


@given(st.sampled_from(REQUESTS), changes)
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_whatever_a_request_holds_it_is_refused_or_written_back(path, changed):
    fields = json.loads(path.read_bytes())
    model, stream = fields.pop("model"), fields.pop("stream")
    fields = {**mutated(fields, changed), "model": model, "stream": stream}
    before = copy.deepcopy(fields)
    lost = []
    with contextlib.suppress(InvalidRequest):
        written = json.loads(dialect.write_request(dialect.read_request(fields), lost))
        assert lost or loose(asked(written)) == loose(asked(fields))
    assert fields == before


@pytest.mark.parametrize(
    "model", ["amazon.nova-pro-v1:0", "arn:aws:bedrock:us-east-1:1:inference-profile/us.x:0", "a b"]
)
@pytest.mark.parametrize("stream", [True, False])
def test_the_url_is_botocores(model, stream):
    session = botocore.session.get_session()
    client = session.create_client(
        "bedrock-runtime", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    urls = []

    def keep(request, **_):
        urls.append(request.url)
        raise InterruptedError

    client.meta.events.register("before-send", keep)
    call = client.converse_stream if stream else client.converse
    if model != "a b":
        with pytest.raises(InterruptedError):
            call(modelId=model, messages=[{"role": "user", "content": [{"text": "x"}]}])
        assert urls == ["https://bedrock-runtime.us-east-1.amazonaws.com" + dialect.write_url(model, stream, {})]
    template = dialect.paths[1 if stream else 0]
    assert dialect.read_url(template, model, {}) == {"model": model, "stream": stream}


SDK_UNKNOWN = {"unknown_everywhere", "output_config_unknown", "cache_point_unknown", "images", "prompt"}


@named([path for path in REQUESTS if path.stem not in SDK_UNKNOWN])
def test_the_fixtures_are_what_the_sdk_can_send(path):
    fields = json.loads(path.read_bytes())
    body = {key: value for key, value in fields.items() if key not in ("model", "stream")}
    operation = service().operation_model("ConverseStream" if fields["stream"] else "Converse")
    report = ParamValidator().validate({"modelId": fields["model"], **body}, operation.input_shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize(
    ("model", "additional", "config"),
    [
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            {"thinking": {"type": "enabled", "budget_tokens": 16384}},
            {},
        ),
        (
            "us.anthropic.claude-opus-4-7-v1",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            {},
        ),
        ("openai.gpt-oss-120b-1:0", {"reasoning_effort": "high"}, {"temperature": 0.5, "topP": 0.9}),
        ("meta.llama3-70b-instruct-v1:0", None, {"temperature": 0.5, "topP": 0.9}),
    ],
)
def test_an_effort_the_gateway_asks_for_is_said_as_the_model_takes_it(model, additional, config):
    request = dialect.read_request(fixture("sampling"))
    request.model, request.max_tokens = model, None
    request.reasoning = chat.Reasoning(effort="high", imposed=True)
    lost = []
    written = json.loads(dialect.write_request(request, lost))
    assert written.get("additionalModelRequestFields") == additional
    kept = {key: value for key, value in written["inferenceConfig"].items() if key in ("temperature", "topP")}
    if "claude" in model:
        assert kept == {}
        assert {loss.path for loss in lost} == {"temperature", "top_p"}
        assert written["inferenceConfig"].get("maxTokens", 0) > (additional["thinking"].get("budget_tokens") or -1)
    else:
        assert kept == config
    assert written["inferenceConfig"]["stopSequences"] == ["END", "\n\n"]
