"""The lists of models as the vendors' own SDKs read them, and requests that a model is known not to serve."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import anthropic
import cohere
import ollama
import openai
import pytest
from google import genai
from mistralai.client import Mistral

from gateways import ADMIN_KEY, KEY, OTHER_KEY, free_port, running
from upstreams import json_reply

WIDE_KEY = "hg-test-key-wide-0123456789ab"
PNG = "data:image/png;base64,iVBORw0KGgo="
CHAT = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip


def configured(upstream, extra=""):
    return f"""
server: {{host: 127.0.0.1, port: {{PORT}}, max_body_bytes: 8388608}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
providers:
  openai: {{api_key: sk-upstream-openai-secret, base_url: '{upstream}/v1'}}
  groq: {{api_key: gsk-upstream-secret, base_url: '{upstream}/v1'}}
  local: {{kind: openai_compatible, api_key: none, base_url: '{upstream}/v1'}}
models:
  old: openai/gpt-3.5-turbo
  new: openai/gpt-4o
  both: {{targets: [openai/gpt-3.5-turbo, openai/gpt-4o]}}
  anything: local/whatever
keys:
  - {{name: test, key: {KEY}}}
  - {{name: limited, key: {OTHER_KEY}, models: [old, openai/gpt-4o-mini]}}
  - {{name: wide, key: {WIDE_KEY}, models: [new, openai/*]}}
{extra}"""


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    with running(tmp_path_factory.mktemp("gateway"), configured(first.url)) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = json_reply(json.dumps(CHAT).encode())
    return first


@contextlib.contextmanager
def openai_client(gateway, key=KEY):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:
        yield client


def test_openais_sdk_lists_the_aliases_with_what_they_can(gateway):
    with openai_client(gateway) as client:
        models = {model.id: model for model in client.models.list()}
        assert list(models) == ["old", "new", "both", "anything"]
        new = models["new"].model_dump()
        assert (new["context_window"], new["max_output_tokens"]) == (128000, 16384)
        assert new["input_modalities"] == ["document", "image", "text"]
        assert new["capabilities"]["tools"] is True
        assert new["capabilities"]["audio"] is False
        assert new["pricing"]["input"] == "2.5"
        assert new["shutdown_date"] == "2027-01-14"
        assert "context_window" not in models["anything"].model_dump()
        one = client.models.retrieve("new")
        assert one.model_dump() == new


def test_an_alias_shows_what_all_its_targets_have_in_common(gateway):
    with openai_client(gateway) as client:
        both = client.models.retrieve("both").model_dump()
    assert (both["context_window"], both["max_output_tokens"]) == (16385, 4096)
    assert both["input_modalities"] == ["text"]
    assert both["capabilities"]["image"] is False
    assert "pricing" not in both


def test_a_key_sees_what_it_may_use_and_no_more(gateway):
    with openai_client(gateway, OTHER_KEY) as client:
        assert [model.id for model in client.models.list()] == ["old", "openai/gpt-4o-mini"]
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("new")
        assert client.models.retrieve("openai/gpt-4o-mini").model_dump()["context_window"] == 128000


def test_a_key_for_a_whole_provider_sees_the_catalogues_models_of_it(gateway):
    with openai_client(gateway, WIDE_KEY) as client:
        names = [model.id for model in client.models.list()]
    assert names[0] == "new"
    assert "openai/gpt-4o" in names
    assert len(names) > 60
    assert not [name for name in names[1:] if not name.startswith("openai/")]
    assert len(names) == len(set(names))


def test_anthropics_sdk_lists_them_with_its_own_capability_fields(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client:
        models = {model.id: model for model in client.models.list(limit=2)}
        assert list(models) == ["old", "new", "both", "anything"]
        new = client.models.retrieve("new")
    assert new == models["new"]
    assert (new.max_input_tokens, new.max_tokens) == (128000, 16384)
    assert (new.lifecycle, new.retires_at.isoformat()) == ("deprecated", "2027-01-14T00:00:00+00:00")
    assert new.capabilities.image_input.supported
    assert new.capabilities.structured_outputs.supported
    assert not new.capabilities.thinking.supported
    assert not models["old"].capabilities.image_input.supported
    assert models["anything"].capabilities is None


def test_coheres_sdk_lists_them(gateway):
    with cohere.ClientV2(api_key=KEY, base_url=gateway.url) as client:
        models = {model.name: model for model in client.models.list().models}
        assert list(models) == ["old", "new", "both", "anything"]
        assert (models["new"].endpoints, models["new"].context_length) == (["chat"], 128000)
        assert client.models.get("new") == models["new"]
        assert client.models.list(endpoint="rerank").models == []


def test_mistrals_sdk_lists_them(gateway):
    with Mistral(api_key=KEY, server_url=gateway.url) as client:
        models = {model.id: model for model in client.models.list().data}
        assert list(models) == ["old", "new", "both", "anything"]
        assert models["new"].max_context_length == 128000
        assert models["new"].capabilities.function_calling
        assert models["new"].capabilities.vision
        assert not models["old"].capabilities.vision
        assert client.models.retrieve(model_id="new").id == "new"


def test_ollamas_sdk_lists_them(gateway):
    with contextlib.closing(ollama.Client(host=gateway.url, headers={"x-api-key": OTHER_KEY})) as client:
        assert [model.model for model in client.list().models] == ["old", "openai/gpt-4o-mini"]
    with contextlib.closing(ollama.Client(host=gateway.url)) as client:
        with pytest.raises(ollama.ResponseError) as refused:
            client.list()
        assert refused.value.status_code == 401


def test_googles_sdk_lists_them_with_its_own_limits(gateway):
    client = genai.Client(api_key=KEY, http_options={"base_url": gateway.url})
    models = {model.name: model for model in client.models.list(config={"page_size": 3})}
    assert list(models) == ["models/old", "models/new", "models/both", "models/anything"]
    new = models["models/new"]
    assert (new.input_token_limit, new.output_token_limit) == (128000, 16384)
    assert "generateContent" in new.supported_actions
    assert client.models.get(model="new") == new
    assert client.models.get(model="openai/gpt-4o-mini").name == "models/openai/gpt-4o-mini"
    with pytest.raises(genai.errors.ClientError) as refused:
        client.models.get(model="nothing")
    assert refused.value.code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models?pageSize=0",
        "/v1beta/models?pageToken=gone",
        "/v1beta/models?pageSize=x",
        "/v1beta/models?pageSize=" + "1" * 5000,
    ],
)
def test_a_page_of_the_wrong_size_is_refused(gateway, path):
    status, headers, _ = gateway.get(path, {"x-goog-api-key": KEY})
    assert (status, headers["x-headgate-error-code"]) == (400, "invalid_request")


def test_without_a_key_nothing_is_shown(gateway):
    assert gateway.get("/v1beta/models")[0] == 401
    assert gateway.get("/v1/models")[0] == 401


def asked(model, content="hello", **more):
    return {"model": model, "messages": [{"role": "user", "content": content}], **more}


IMAGE = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": PNG}}]
AUDIO = [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]
FILE = [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        (asked("old", IMAGE), "messages", "takes no image"),
        (asked("openai/gpt-3.5-turbo-0125", IMAGE), "messages", "takes no image"),
        (asked("new", AUDIO), "messages", "takes no audio"),
        (asked("old", FILE), "messages", "takes no document"),
        (asked("old", response_format=SCHEMA), "response_format", "does not keep to a schema"),
        (asked("old", max_tokens=4097), "max_tokens", "writes 4096 at most"),
        (asked("old", "word " * 17000), "messages", "takes 16385"),
        (asked("groq/openai/gpt-oss-20b", n=2), "n", "gives one answer per request"),
        (asked("groq/nobody-knows-it", n=2), "n", "gives one answer per request"),
        (asked("openai/text-embedding-3-small"), "model", "is for embeddings"),
    ],
)
def test_what_a_model_cannot_is_refused_before_anything_is_sent(gateway, upstream, body, field, says):
    status, headers, answer = gateway.post(body)
    assert (status, headers["x-headgate-error-code"]) == (400, "model_cannot")
    assert answer["error"]["param"] == field
    assert says in answer["error"]["message"]
    assert not upstream.requests
    assert gateway.record_of(headers["x-request-id"])["ending"] == "refused"


def test_the_refusal_names_models_of_the_callers_own_list_that_can(gateway, upstream):
    _, _, answer = gateway.post(asked("old", IMAGE))
    assert answer["error"]["message"].endswith("models that can: new, both")
    _, _, answer = gateway.post(asked("old", IMAGE), key=OTHER_KEY)
    assert answer["error"]["message"].endswith("models that can: openai/gpt-4o-mini")
    _, _, answer = gateway.post(asked("openai/gpt-4", IMAGE), key=WIDE_KEY)
    assert "models that can: new, openai/" in answer["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        asked("old"),
        asked("old", tools=[TOOL]),
        asked("old", [{"type": "text", "text": "the image and audio and pdf"}], max_tokens=4096),
        asked("old", "word " * 3000),
        asked("old", response_format={"type": "json_object"}),
        asked("new", IMAGE, response_format=SCHEMA, tools=[TOOL], n=3),
        asked("new", FILE),
        asked("anything", IMAGE),
        asked("groq/openai/gpt-oss-20b", n=1),
        asked("openai/a-model-of-tomorrow", IMAGE),
    ],
)
def test_what_a_model_can_or_may_be_able_to_passes(gateway, upstream, body):
    status, _, answer = gateway.post(body)
    assert status == 200, answer
    assert len(upstream.requests) == 1


def test_of_several_targets_the_incapable_are_left_out(gateway, upstream):
    status, headers, _ = gateway.post(asked("both", IMAGE))
    assert (status, headers["x-headgate-model"]) == (200, "openai/gpt-4o")
    assert [json.loads(request.body)["model"] for request in upstream.requests] == ["gpt-4o"]
    record = gateway.record_of(headers["x-request-id"])
    assert record["decision"]["why"] == "alias both; left out: openai/gpt-3.5-turbo (takes no image)"
    assert gateway.post(asked("both"))[1]["x-headgate-model"] == "openai/gpt-3.5-turbo"


def test_the_same_holds_for_other_dialects(gateway, upstream):
    body = {
        "model": "old",
        "max_tokens": 10,
        "messages": [
            {"role": "user", "content": "use it"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "see", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
                        ],
                    }
                ],
            },
        ],
    }
    status, _, answer = gateway.post(body, "/v1/messages", headers={"anthropic-version": "2023-06-01"})
    assert status == 400
    assert "openai/gpt-3.5-turbo takes no image" in answer["error"]["message"]
    assert not upstream.requests


def test_it_can_be_turned_off_and_corrected(first, upstream, tmp_path):
    with running(tmp_path / "off", configured(first.url, "catalogue: {enforce: false}")) as gateway:
        assert gateway.post(asked("old", IMAGE))[0] == 200
    own = "catalogue: {models: {openai/gpt-3.5-turbo: {takes: [text, image]}, local/whatever: {max_output: 5}}}"
    with running(tmp_path / "own", configured(first.url, own)) as gateway:
        assert gateway.post(asked("old", IMAGE))[0] == 200
        status, _, answer = gateway.post(asked("anything", max_tokens=6))
        assert (status, answer["error"]["param"]) == (400, "max_tokens")
        gateway.change(configured(first.url))
        gateway.says("the configuration was reloaded")
        assert gateway.post(asked("old", IMAGE))[0] == 400
        assert gateway.post(asked("anything", max_tokens=6))[0] == 200


class Shelves(BaseHTTPRequestHandler):
    """Serves what its server has by path."""

    def do_GET(self):
        data = self.server.data.get(self.path, b"")
        self.send_response(200 if data else 500)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Not to the tests' output."""


@pytest.fixture
def shelves():
    server = HTTPServer(("127.0.0.1", 0), Shelves)
    server.data = {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def window(gateway, name="new"):
    _, _, answer = gateway.get(f"/v1/models/{name}", {"authorization": f"Bearer {ADMIN_KEY}"})
    return answer.get("context_window")


def test_a_newer_catalogue_is_fetched_and_kept_for_the_next_start(first, shelves, tmp_path):
    url = f"http://127.0.0.1:{shelves.server_port}/catalogue.json"
    data = b'{"openai":{"":{"sources":{"l":{"read":"2027-01-01"}}},"gpt-4o":{"ops":"chat","context":7777}}}'
    shelves.data["/catalogue.json"] = data
    config = configured(first.url, f"catalogue: {{refresh: {{url: '{url}'}}}}")
    with running(tmp_path, config) as gateway:
        gateway.says(f"the catalogue is now that of {url}: 1 models, read on 2027-01-01")
        assert window(gateway) == 7777
        assert window(gateway, "old") == 16385
        assert (gateway.data / "catalogue.json").read_bytes() == data
    shelves.data.clear()
    with running(tmp_path, config) as gateway:
        assert window(gateway) == 7777
        gateway.says(f"the catalogue at {url} is not taken, the old one stays: the answer is 500")
        assert window(gateway) == 7777


def test_bad_data_and_none_are_refused_and_the_old_kept(first, shelves, tmp_path):
    shelves.data = {"/html": b"<html>", "/text": b'{"openai":{"gpt-4o":{"context":"x"}}}', "/empty": b"{}"}
    urls = [f"http://127.0.0.1:{shelves.server_port}{path}" for path in shelves.data]
    with contextlib.ExitStack() as stack:  # all at once: each asks at some moment in the first two seconds
        gateways = [
            stack.enter_context(
                running(tmp_path / str(number), configured(first.url, f"catalogue: {{refresh: {{url: '{url}'}}}}"))
            )
            for number, url in enumerate([*urls, f"http://127.0.0.1:{free_port()}/x"])
        ]
        for gateway in gateways:
            gateway.says("is not taken, the old one stays")
            assert window(gateway) == 128000
            assert not (gateway.data / "catalogue.json").exists()


def test_a_file_is_read_again_when_it_changes(first, tmp_path):
    file = tmp_path / "newer.json"
    file.write_bytes(b'{"openai":{"gpt-4o":{"context":1111}}}')
    with running(tmp_path, configured(first.url, "catalogue: {refresh: {file: newer.json}}")) as gateway:
        assert window(gateway) == 1111
        file.write_bytes(b'{"openai":{"gpt-4o":{"context":22222}}}')
        gateway.says("the configuration was reloaded")
        assert window(gateway) == 22222
        file.write_bytes(b"broken")
        gateway.says("is not taken, the old one stays")
        gateway.says("the configuration was reloaded", 2)
        assert window(gateway) == 22222
