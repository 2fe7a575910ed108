"""Requests are read, checked and written back as they were."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.gemini_generate.laws import REQUESTS, meant, named, read_request
from dialects.mutations import changes, check_request, mutated
from headgate.core.chat import Audio, Bytes, Document, Image, Link, NativePart, Reasoning, Stored, Text, Thinking, Video
from headgate.core.errors import InvalidRequest
from headgate.dialects import gemini_generate as dialect
from headgate.dialects import signatures
from headgate.dialects.gemini_generate.schemas import to_json_schema
from headgate.dialects.gemini_generate.words import UNSIGNED_CALL, close_signature
from together import together

HI = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def fixture(name):
    [path] = [path for path in REQUESTS if path.stem == name]
    return json.loads(path.read_bytes())


@named(REQUESTS)
def test_a_request_round_trips(path):
    fields = json.loads(path.read_bytes())
    before = json.dumps(fields)
    lost = []
    written = json.loads(dialect.write_request(read_request(fields), lost))
    assert meant(written) == meant(fields)
    assert json.dumps(fields) == before, "the client's fields were changed"
    assert lost == []


@named(REQUESTS)
@given(changes)
@settings(max_examples=40, deadline=None)
def test_whatever_a_request_holds_it_is_refused_or_written(path, made):
    fields = mutated(json.loads(path.read_bytes()), made)
    if isinstance(fields, dict):
        check_request(dialect, {**fields, "model": "gemini-3-pro", "stream": False})


def test_a_turn_with_tools_in_the_cores_words():
    request = read_request(fixture("tool_turn"))
    _, model, results, last = request.messages
    assert [type(part).__name__ for part in model.parts] == ["Thinking", "Text", "Called", "Called"]
    thought, _, weather, time = model.parts
    assert (thought.text, thought.signature) == ("Hm.", None)
    assert (weather.id, weather.name, json.loads(weather.arguments)) == ("a1", "weather", {"city": "Bern"})
    assert (weather.signature[:4], weather.signer) == ("EqQB", "gemini_generate")
    assert (time.id, time.arguments, time.signature) == ("b2", "{}", None)
    sunny, broken = results.parts
    assert (sunny.id, sunny.parts, sunny.error) == ("a1", [Text(text="sunny")], False)
    assert (broken.id, broken.parts, broken.error) == ("b2", [Text(text="no clock")], True)
    assert last.role == "assistant"
    city, days = request.tools[0].schema["properties"].values()
    assert city == {"type": "string", "description": "Where"}
    assert days == {"type": ["integer", "null"], "format": "int32", "minimum": 1}
    assert request.tools[0].schema["type"] == "object"


def test_calls_without_ids_get_the_same_ones_each_time_and_their_results_too():
    ids = []
    for _ in range(2):
        request = read_request(fixture("tool_turn_without_ids"))
        calls, results = request.messages[1].parts, request.messages[2].parts
        assert [call.id for call in calls] == [result.id for result in results]
        ids.append([call.id for call in calls])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2
    assert json.loads(results[0].parts[0].text) == {"sky": "blue", "t": [1, 2.5]}


def test_data_by_its_type_and_place():
    parts = read_request(fixture("media")).messages[0].parts
    kinds = [(type(part), type(part.source)) for part in parts]
    assert kinds == [
        (Audio, Bytes),
        (Document, Bytes),
        (Document, Bytes),
        (Video, Stored),
        (Video, Link),
        (Document, Stored),
    ]
    assert parts[1].title == "a.pdf"
    image = read_request(fixture("images")).messages[0].parts[2]
    assert (image.source.base64, type(image)) == ("/9j+4A==", Image)


@pytest.mark.parametrize(
    ("name", "kind", "names", "mode"),
    [
        ("choice_none", "none", [], "auto"),
        ("choice_any", "required", [], "auto"),
        ("choice_some", "allowed", ["time", "weather"], "required"),
        ("choice_validated", "allowed", ["time"], "auto"),
        ("tools_with_numbers", "required", [], "auto"),
        ("tools", "auto", [], "auto"),
    ],
)
def test_choices(name, kind, names, mode):
    choice = read_request(fixture(name)).tool_choice
    assert (choice.kind, choice.names, choice.mode) == (kind, names, mode)


def test_numbers_for_enums():
    schema = read_request(fixture("tools_with_numbers")).tools[0].schema
    assert schema == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "integer"}}},
    }


def test_an_openapi_schema_as_json_schema():
    schema = read_request(fixture("openapi_schema")).format.schema
    assert (schema["type"], schema["minItems"]) == ("array", 1)
    kind, anything = schema["items"]["properties"].values()
    assert kind == {"type": ["string", "null"], "enum": ["a", "b", None]}
    assert anything == {"anyOf": [{"type": "string"}, {"type": "number"}]}


@pytest.mark.parametrize("said", ["12", "9" * 5000])
def test_a_count_in_a_schema_is_a_number_if_it_is_one_of_64_bits(said):
    made = to_json_schema({"type": "STRING", "maxLength": said})
    assert made == {"type": "string", "maxLength": 12 if said == "12" else said}


@pytest.mark.parametrize(
    ("name", "effort", "budget", "mode", "display"),
    [
        ("thinking_budget", None, 2048, "enabled", "summarized"),
        ("thinking_off", None, None, "disabled", None),
        ("thinking_dynamic", None, None, "adaptive", "omitted"),
        ("thinking_level", "low", None, None, None),
    ],
)
def test_thinking(name, effort, budget, mode, display):
    found = read_request(fixture(name)).reasoning
    assert (found.effort, found.budget, found.mode, found.display) == (effort, budget, mode, display)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("account", "cachedContent"),
        ("speech_and_images", "generationConfig.responseModalities"),
        ("enum_mode", "generationConfig.responseMimeType"),
    ],
)
def test_what_only_gemini_can_honour_is_bound_to_it(name, field):
    assert list(read_request(fixture(name)).bound) == [field]


def part(value):
    return {"contents": [{"role": "user", "parts": [value]}]}


PLACE = "contents[0].parts[0]"
WRONG = [
    ({"contents": None}, "contents"),
    ({"contents": []}, "contents"),
    ({"contents": ["hi"]}, "contents[0]"),
    ({"contents": [{"role": "assistant", "parts": []}]}, "contents[0].role"),
    ({"contents": [{"role": 1, "parts": []}]}, "contents[0].role"),
    (part("hi"), PLACE),
    (part({"text": 1}), f"{PLACE}.text"),
    (part({"inlineData": {"data": "x"}}), f"{PLACE}.inlineData.mimeType"),
    (part({"inlineData": {"mimeType": "image/png"}}), f"{PLACE}.inlineData.data"),
    (part({"fileData": {}}), f"{PLACE}.fileData.fileUri"),
    (part({"functionCall": {"args": {}}}), f"{PLACE}.functionCall.name"),
    (part({"functionCall": {"name": "f", "args": "{}"}}), f"{PLACE}.functionCall.args"),
    (part({"functionResponse": {"response": {}}}), f"{PLACE}.functionResponse.name"),
    (part({"functionResponse": {"name": "f", "response": "x"}}), f"{PLACE}.functionResponse.response"),
    ({"generationConfig": 1}, "generationConfig"),
    ({"generationConfig": {"temperature": "warm"}}, "generationConfig.temperature"),
    ({"generationConfig": {"maxOutputTokens": 1.5}}, "generationConfig.maxOutputTokens"),
    ({"generationConfig": {"stopSequences": [1]}}, "generationConfig.stopSequences[0]"),
    ({"generationConfig": {"thinkingConfig": {"thinkingBudget": "much"}}},
     "generationConfig.thinkingConfig.thinkingBudget"),
    ({"tools": ["x"]}, "tools[0]"),
    ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
    ({"tools": [{"functionDeclarations": [{"name": "f", "parameters": []}]}]},
     "tools[0].functionDeclarations[0].parameters"),
    ({"toolConfig": {"functionCallingConfig": {"mode": "MUST"}}}, "toolConfig.functionCallingConfig.mode"),
    ({"labels": {"a": 1}}, "labels"),
    ({"model": ""}, "model"),
]  # fmt: skip


@together(("change", "param"), WRONG)
def test_a_wrong_field_is_named(change, param):
    with pytest.raises(InvalidRequest) as caught:
        dialect.read_request({"model": "m", **HI, **change})
    assert caught.value.param == param


# --- proofs


def model(*parts):
    return {"contents": [*HI["contents"], {"role": "model", "parts": list(parts)}]}


def test_a_proof_of_another_vendor_never_reaches_google_and_comes_back_whole():
    """The pieces of a stream of thinking come back as parts and even contents of their own, the proof at the end."""
    proof = close_signature("anthropic_messages", "c2ln/+=")
    fields = model({"text": "Let ", "thought": True})
    for piece in ({"text": "me.", "thought": True}, {"text": "", "thought": True, "thoughtSignature": proof}):
        fields["contents"].append({"role": "model", "parts": [piece]})
    fields["contents"].append({"role": "model", "parts": [{"text": "Hi!"}]})
    assert dialect.foreign(json.dumps(fields).encode())
    request = read_request(fields)
    thought = request.messages[1].parts[0]
    assert (thought.text, thought.signature, thought.signer) == ("Let me.", "c2ln/+=", "anthropic_messages")
    assert [message.role for message in request.messages] == ["user", "assistant", "assistant"]
    lost = []
    written = json.loads(dialect.write_request(request, lost))
    assert written["contents"] == [*HI["contents"], {"role": "model", "parts": [{"text": "Hi!"}]}]
    assert [loss.path for loss in lost] == ["contents[1].parts[0]"]


@pytest.mark.parametrize(
    ("name", "signed"), [("gemini-3-pro-preview", True), ("gemini-flash-latest", True), ("gemini-2.5-flash", False)]
)
def test_a_call_that_no_gemini_made_gets_what_google_takes_for_it(name, signed):
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": UNSIGNED_CALL}
    fields = model(call)
    assert dialect.foreign(json.dumps(fields).encode())
    request = dialect.read_request({**fields, "model": name})
    assert request.messages[1].parts[0].signature == ""
    [_, content] = json.loads(dialect.write_request(request, []))["contents"]
    assert content["parts"][0].get("thoughtSignature") == ("skip_thought_signature_validator" if signed else None)


@given(st.text(max_size=30), st.sampled_from(["anthropic_messages", "openai_responses", "gemini_generate"]))
def test_any_proof_comes_back(proof, signer):
    closed = close_signature(signer, proof)
    [_, message] = read_request(model({"text": "x", "thought": True, "thoughtSignature": closed})).messages
    found = message.parts[0]
    if signer == "gemini_generate":
        assert (found.signature or "") == proof or proof.startswith("aGVhZGdhdGU6")
    else:
        assert (found.signer, found.signature) == (signer, proof)


def test_a_model_in_the_body_is_another_than_the_one_asked():
    body = b'{"model":"models/alias","contents":[]}'
    assert dialect.foreign(body)
    assert not dialect.foreign(b'{"contents":[{"role":"model","parts":[{"text":"model"}]}]}')
    assert signatures.UNSIGNED not in json.dumps(HI)


# --- the address


@pytest.mark.parametrize(
    ("template", "query", "fields"),
    [
        ("/v1beta/models/{model}:generateContent", {}, {"model": "m", "stream": False}),
        ("/v1beta/models/{model}:generateContent", {"alt": "sse"}, {"model": "m", "stream": False}),
        ("/v1/models/{model}:streamGenerateContent", {"alt": "sse"}, {"model": "m", "stream": True, "alt": "sse"}),
        ("/v1/models/{model}:streamGenerateContent", {"key": "k"}, {"model": "m", "stream": True}),
    ],
)
def test_what_the_address_says(template, query, fields):
    assert template in dialect.paths
    assert dialect.read_url(template, "m", query) == fields


@together(
    ("model", "stream", "fields", "path"),
    [
        ("gemini-2.5-flash", False, {}, "/v1beta/models/gemini-2.5-flash:generateContent"),
        ("gemini-2.5-flash", True, {}, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("m", True, {"stream": True, "alt": "sse"}, "/v1beta/models/m:streamGenerateContent?alt=sse"),
        ("m", True, {"stream": True}, "/v1beta/models/m:streamGenerateContent"),
        ("m", True, {"stream": False}, "/v1beta/models/m:streamGenerateContent?alt=sse"),
        ("tunedModels/a", False, {}, "/v1beta/tunedModels/a:generateContent"),
        ("models/a", False, {}, "/v1beta/models/a:generateContent"),
        ("x/y?z=1", False, {}, "/v1beta/models/x%2Fy%3Fz%3D1:generateContent"),
    ],
)
def test_the_address_that_is_asked(model, stream, fields, path):
    assert dialect.write_url(model, stream, fields) == path


def test_a_part_nobody_knows_is_kept_whole():
    [_, block] = read_request(fixture("unknown_everywhere")).messages[0].parts
    assert block == NativePart(dialect="gemini_generate", value={"futureBlock": {"x": [1]}})
    assert isinstance(read_request(fixture("tool_turn")).messages[1].parts[0], Thinking)


@pytest.mark.parametrize(
    ("model", "effort", "said"),
    [
        ("gemini-2.5-pro", "high", {"thinkingBudget": 24_576}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-3-flash", "minimal", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-pro", "low", {"thinkingLevel": "LOW"}),
        ("gemini-1.5-flash", "low", None),
    ],
)
def test_an_effort_the_gateway_wants_is_said_as_the_model_takes_it(model, effort, said):
    asked = {**HI, "generationConfig": {"topK": 3, "thinkingConfig": {"thinkingBudget": 7, "includeThoughts": True}}}
    for display, shown in (("summarized", {"includeThoughts": True}), (None, {})):
        request = dialect.read_request({**asked, "model": model, "stream": False})
        request.model = model
        request.reasoning = Reasoning(effort=effort, display=display, imposed=True)
        lost = []
        config = json.loads(dialect.write_request(request, lost))["generationConfig"]
        wanted = said if said is None or effort == "none" else {**shown, **said}
        assert config == {"topK": 3, **({} if said is None else {"thinkingConfig": wanted})}
        assert bool(lost) is (said is None)
