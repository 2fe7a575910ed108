"""The simulator through both vendors' SDKs: what it answers, what it can be told, that it says what it is."""

import json
import time

import anthropic
import jsonschema
import openai
import pytest

from gateways import KEY, running

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 3, backoff: 0.01, max_backoff: 0.5, least: 1000}}
breaker: {{enabled: false}}
providers:
  simulator: {{}}
  fixed: {{kind: simulator, text: configured, status: null}}
  down: {{kind: simulator, status: 503}}
models:
  sim: simulator/sim
  fixed: fixed/sim
  down: down/sim
  spare: {{targets: [down/sim, fixed/sim]}}
keys:
  - {{name: test, key: {KEY}}}
"""
TOOL = {
    "name": "get_weather",
    "description": "The weather of a place.",
    "schema": {
        "type": "object",
        "properties": {"place": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["place"],
    },
}
OPENAI_TOOLS = [
    {"type": "function", "function": {"name": TOOL["name"], "parameters": TOOL["schema"]}},
    {"type": "function", "function": {"name": "other", "parameters": {"type": "object"}}},
]
ANTHROPIC_TOOLS = [
    {"name": TOOL["name"], "input_schema": TOOL["schema"]},
    {"name": "other", "input_schema": {"type": "object"}},
]


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    with running(tmp_path_factory.mktemp("simulator"), CONFIG) as gateway:
        yield gateway
        assert "Traceback" not in gateway.output()


@pytest.fixture(scope="module")
def chat(sim):
    with openai.OpenAI(base_url=f"{sim.url}/v1", api_key=KEY, max_retries=0, timeout=20) as client:
        yield client.chat.completions


@pytest.fixture(scope="module")
def messages(sim):
    with anthropic.Anthropic(base_url=sim.url, api_key=KEY, max_retries=0, timeout=20) as client:
        yield client.messages


def user(text):
    return [{"role": "user", "content": text}]


def told(chat, text, **more):
    return chat.create(model="sim", messages=user(text), **more)


def streamed(chat, text, **more):
    return "".join(
        choice.delta.content or "" for piece in told(chat, text, stream=True, **more) for choice in piece.choices
    )


class TestAnswers:
    def test_it_says_that_it_is_simulated(self, sim, chat, messages):
        answer = told(chat, "Hello there")
        assert answer.choices[0].message.content.startswith("This is a simulated answer; no model was asked.")
        assert "Hello there" in answer.choices[0].message.content
        assert answer.model.startswith("simulated-")
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
        assert chat.with_raw_response.create(model="sim", messages=user("x")).headers["x-headgate-simulated"] == "true"
        said = messages.create(model="sim", max_tokens=100, messages=user("Hello there"))
        assert said.content[0].text == answer.choices[0].message.content
        assert (said.stop_reason, said.model) == ("end_turn", answer.model)
        assert said.usage.output_tokens > 0
        assert sim.records(1, target="simulator/sim")

    def test_a_stream_says_the_same_in_many_pieces(self, chat, messages):
        whole = told(chat, "Hello there").choices[0].message.content
        pieces = [piece for piece in told(chat, "Hello there", stream=True) if piece.choices]
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole
        assert len(pieces) > 5
        assert pieces[-1].choices[0].finish_reason == "stop"
        with messages.stream(model="sim", max_tokens=100, messages=user("Hello there")) as stream:
            assert "".join(stream.text_stream) == whole

    def test_it_is_deterministic(self, chat):
        def answer():
            made = told(chat, "Again", n=2, seed=1).model_dump()
            return {name: value for name, value in made.items() if name != "created"}

        assert answer() == answer()
        assert answer()["id"] != told(chat, "Something else").id

    def test_n_choices(self, chat):
        assert [choice.index for choice in told(chat, "Hello", n=3).choices] == [0, 1, 2]
        indexes = {c.index for piece in told(chat, "Hello", n=3, stream=True) for c in piece.choices}
        assert indexes == {0, 1, 2}

    def test_max_tokens_and_stop_sequences(self, chat, messages):
        short = told(chat, '[sim text="one two three four"]', max_completion_tokens=2).choices[0]
        assert (short.message.content.split(), short.finish_reason) == (["one", "two"], "length")
        stopped = told(chat, '[sim text="one two three four"]', stop=["three"]).choices[0]
        assert (stopped.message.content.strip(), stopped.finish_reason) == ("one two", "stop")
        said = messages.create(model="sim", max_tokens=2, messages=user('[sim text="one two three four"]'))
        assert (said.content[0].text.split(), said.stop_reason) == (["one", "two"], "max_tokens")
        said = messages.create(
            model="sim", max_tokens=50, stop_sequences=["three"], messages=user('[sim text="one two three four"]')
        )
        assert (said.stop_reason, said.stop_sequence) == ("stop_sequence", "three")

    def test_reasoning_is_thinking(self, chat, messages):
        said = messages.create(
            model="sim", max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024}, messages=user("Hello")
        )
        assert [block.type for block in said.content] == ["thinking", "text"]
        assert said.content[0].thinking == "This is simulated reasoning."
        assert said.content[0].signature
        answer = told(chat, "Hello", reasoning_effort="high")
        assert answer.usage.completion_tokens_details.reasoning_tokens == 5
        plain = told(chat, "Hello")
        assert answer.usage.completion_tokens == plain.usage.completion_tokens + 5

    def test_json_that_fits_the_schema(self, chat):
        schema = {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "kind": {"enum": ["a", "b"]},
                "size": {"type": "number"},
                "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "maybe": {"type": ["null", "string"]},
                "inner": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]},
                "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            },
            "required": ["name", "kind", "size", "tags", "maybe", "inner", "either"],
            "additionalProperties": False,
        }
        form = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema, "strict": True}}
        answer = told(chat, "Hello", response_format=form)
        jsonschema.validate(json.loads(answer.choices[0].message.content), schema)
        answer = told(chat, "Hello", response_format={"type": "json_object"})
        assert json.loads(answer.choices[0].message.content) == {"simulated": True}

    def test_a_schema_with_definitions(self, chat):
        """What pydantic models become in the SDKs' `parse`: references into $defs."""
        schema = {
            "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
            "type": "object",
            "properties": {"place": {"$ref": "#/$defs/Place"}, "all": {"type": "array", "minItems": 2,
                "items": {"$ref": "#/$defs/Place"}}, "size": {"type": "integer", "minimum": 3}},
            "required": ["place", "all", "size"],
        }  # fmt: skip
        form = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema, "strict": True}}
        answer = told(chat, "Hello", response_format=form)
        jsonschema.validate(json.loads(answer.choices[0].message.content), schema)


class TestTools:
    @pytest.mark.parametrize(
        ("text", "choice"),
        [
            ("Call get_weather, please", "auto"),
            ("Hello", {"type": "function", "function": {"name": "get_weather"}}),
            ("Hello", "required"),
            ("[sim tool=get_weather]", "auto"),
        ],
    )
    def test_it_calls_one_when_asked_for(self, chat, text, choice):
        answer = told(chat, text, tools=OPENAI_TOOLS, tool_choice=choice).choices[0]
        assert answer.finish_reason == "tool_calls"
        [call] = answer.message.tool_calls
        assert call.function.name == "get_weather"
        jsonschema.validate(json.loads(call.function.arguments), TOOL["schema"])

    def test_it_calls_none_otherwise(self, chat):
        for text, choice in (("Hello", "auto"), ("get_weather", "none")):
            answer = told(chat, text, tools=OPENAI_TOOLS, tool_choice=choice).choices[0]
            assert (answer.finish_reason, answer.message.tool_calls) == ("stop", None)

    def test_the_whole_loop(self, chat, messages):
        turn = messages.create(
            model="sim", max_tokens=200, tools=ANTHROPIC_TOOLS, messages=user("Call get_weather, please")
        )
        assert turn.stop_reason == "tool_use"
        [call] = turn.content
        assert (call.type, call.name) == ("tool_use", "get_weather")
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
        history = [
            *user("Call get_weather, please"),
            {"role": "assistant", "content": [call.model_dump()]},
            {"role": "user", "content": [result]},
        ]
        done = messages.create(model="sim", max_tokens=200, tools=ANTHROPIC_TOOLS, messages=history)
        assert done.stop_reason == "end_turn"
        assert "The tool said: sunny" in done.content[0].text

    def test_a_streamed_call(self, chat, messages):
        arguments = ""
        for piece in told(chat, "Call get_weather", tools=OPENAI_TOOLS, stream=True):
            for choice in piece.choices:
                for call in choice.delta.tool_calls or ():
                    arguments += call.function.arguments or ""
        jsonschema.validate(json.loads(arguments), TOOL["schema"])
        with messages.stream(
            model="sim", max_tokens=200, tools=ANTHROPIC_TOOLS, messages=user("Call get_weather")
        ) as stream:
            last = stream.get_final_message()
        assert last.content[0].input.keys() == {"place"}


class TestDirectives:
    def test_text(self, chat):
        assert told(chat, 'Say it. [sim text="exactly this"]').choices[0].message.content == "exactly this"
        assert streamed(chat, '[sim text="exactly this, too"]') == "exactly this, too"
        assert told(chat, "[sim text=short]").choices[0].message.content == "short"

    def test_delay_and_pace(self, chat):
        began = time.monotonic()
        told(chat, "[sim delay=0.3]")
        assert time.monotonic() - began >= 0.3
        began = time.monotonic()
        assert streamed(chat, '[sim pace=0.1 text="a b c d"]') == "a b c d"
        assert time.monotonic() - began >= 0.4

    @pytest.mark.parametrize(
        ("status", "openai_error", "anthropic_error"),
        [
            (400, openai.BadRequestError, anthropic.BadRequestError),
            (401, openai.AuthenticationError, anthropic.AuthenticationError),
            (404, openai.NotFoundError, anthropic.NotFoundError),
            (429, openai.RateLimitError, anthropic.RateLimitError),
            (500, openai.InternalServerError, anthropic.InternalServerError),
            (529, openai.InternalServerError, anthropic.InternalServerError),
        ],
    )
    def test_status(self, chat, messages, status, openai_error, anthropic_error):
        with pytest.raises(openai_error, match="simulated failure") as caught:
            told(chat, f"[sim status={status}]")
        assert caught.value.status_code == status
        with pytest.raises(openai_error):
            streamed(chat, f"[sim status={status}]")
        with pytest.raises(anthropic_error, match="simulated failure") as caught:
            messages.create(model="sim", max_tokens=9, messages=user(f"[sim status={status}]"))
        assert caught.value.status_code == status

    def test_a_failure_that_may_pass_is_tried_again(self, sim, chat):
        with pytest.raises(openai.InternalServerError) as caught:
            told(chat, "[sim status=503]")
        assert caught.value.response.headers["x-headgate-attempts"] == "3"
        assert len(sim.record_of(caught.value.response.headers["x-request-id"])["attempts"]) == 3
        with pytest.raises(openai.BadRequestError) as caught:
            told(chat, "[sim status=400]")
        assert caught.value.response.headers["x-headgate-attempts"] == "1"
        raw = chat.with_raw_response.create(model="spare", messages=user("Hello"))
        assert raw.headers["x-headgate-attempts"] == "2"
        assert raw.headers["x-headgate-model"] == "fixed/sim"
        assert raw.parse().choices[0].message.content == "configured"

    def test_retry_after(self, sim, chat):
        began = time.monotonic()
        with pytest.raises(openai.RateLimitError) as caught:
            told(chat, "[sim status=429 retry_after=30]")
        assert caught.value.response.headers["retry-after"] == "30"
        assert caught.value.response.headers["x-headgate-attempts"] == "1"
        assert time.monotonic() - began < 20
        began = time.monotonic()
        with pytest.raises(openai.RateLimitError):
            told(chat, "[sim status=429 retry_after=0.1]")
        assert time.monotonic() - began >= 0.2

    def test_cut(self, sim, chat, messages):
        heard = []
        stream = told(chat, '[sim cut=3 text="a b c d e f"]', stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            heard.extend(stream)  # keeps what came before the error
        assert heard
        assert sim.records(1, ending="cut", error="provider_cut")[-1]["origin"] == "provider"
        with (
            pytest.raises(anthropic.APIError, match="broke off"),
            messages.stream(model="sim", max_tokens=50, messages=user('[sim cut=3 text="a b c d"]')) as stream,
        ):
            list(stream)

    def test_cut_before_the_first_token_is_tried_again(self, chat):
        with pytest.raises(openai.APIStatusError) as caught:
            streamed(chat, "[sim cut=0]")
        assert caught.value.status_code == 502
        assert caught.value.response.headers["x-headgate-attempts"] == "3"

    @pytest.mark.parametrize(
        "directive",
        ["[sim delay=soon]", "[sim status=200]", "[sim dely=1]", "[sim cut=-1]", "[sim delay=99999]", "[sim pace=nan]"],
    )
    def test_a_bad_one_is_told(self, chat, directive):
        with pytest.raises(openai.BadRequestError) as caught:
            told(chat, directive)
        assert "[sim" in caught.value.body["message"]
        assert directive[5:].split("=")[0] in caught.value.body["message"]

    def test_what_is_not_one_is_said_as_it_is(self, chat):
        for text in ("[sim]", "[simulate delay=1]", "sim delay=1"):
            assert text in told(chat, text).choices[0].message.content

    def test_only_the_last_user_message_counts(self, chat):
        history = [*user("[sim status=500]"), {"role": "assistant", "content": "no"}, *user("Hello")]
        assert chat.create(model="sim", messages=history).choices[0].finish_reason == "stop"
        history = [{"role": "system", "content": "[sim status=500]"}, *user("Hello")]
        assert chat.create(model="sim", messages=history).choices[0].finish_reason == "stop"

    def test_what_is_configured_holds_unless_told_otherwise(self, chat):
        answer = chat.create(model="fixed", messages=user("Hello"))
        assert answer.choices[0].message.content == "configured"
        answer = chat.create(model="fixed", messages=user("[sim text=told]"))
        assert answer.choices[0].message.content == "told"
        with pytest.raises(openai.InternalServerError):
            chat.create(model="down", messages=user("Hello"))
