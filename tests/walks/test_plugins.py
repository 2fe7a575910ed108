"""Stages, policies, providers and dialects of a user's own: the how-to's examples as written, and what fails."""

import itertools
import json
import re
from pathlib import Path

import pytest

from gateways import Gateway, config_for, running
from traffic import answering
from upstreams import ScriptedUpstream
from waiting import wait_for

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-plugin.md"
BLOCK = re.compile(r"```(python|yaml)\n(.*?)```", re.DOTALL)
QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
TO_ANTHROPIC = {**QUESTION, "max_tokens": 50}

MIND = '''
"""Stages that do what a stage may do."""

import msgspec

from headgate.core.errors import Forbidden
from headgate.core.events import Text
from headgate.core.reply import Reply

HEARD = []


class Canned:
    """Answers by itself."""

    async def __call__(self, exchange, proceed):
        if "canned" not in str(exchange.fields["messages"]):
            return await proceed(exchange)
        message = {"role": "assistant", "content": "from the can"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = msgspec.json.encode(
            {"id": "x", "object": "chat.completion", "created": 1, "model": "can", "choices": [choice]}
        )
        reply = Reply(exchange.dialect, stream=False, body=body)
        await reply.begin(exchange.dialect, exchange.fields, exchange.stream)
        return reply


class Refuse:
    """Raises an error of the gateway's own tree."""

    def __init__(self, word):
        self.word = word

    async def __call__(self, exchange, proceed):
        if self.word in str(exchange.fields["messages"]):
            raise Forbidden(f"nobody says {self.word} here")
        return await proceed(exchange)


class Listen:
    """Watches: what it has heard stands in a file when the reply is over."""

    def __init__(self, file):
        self.file = file

    async def __call__(self, exchange, proceed):
        reply = await proceed(exchange)
        heard = []
        reply.taps.append(lambda event: heard.append(event.text) if isinstance(event, Text) else None)
        exchange.ending.callback(lambda: open(self.file, "w").write("".join(heard)) and None)
        return reply


class Shout:
    """Changes the reply."""

    async def __call__(self, exchange, proceed):
        reply = await proceed(exchange)
        reply.filters.append(self.loudly)
        return reply

    async def loudly(self, events):
        return [msgspec.structs.replace(event, text=event.text.upper()) if isinstance(event, Text) else event
                for event in events]


class Fail:
    """Has a bug: before the request is sent, or while the reply is streamed."""

    def __init__(self, when="before"):
        self.when = when

    async def __call__(self, exchange, proceed):
        if self.when == "before":
            raise ValueError("the plug-in's own secret fault")
        reply = await proceed(exchange)
        reply.taps.append(self.tap)
        return reply

    def tap(self, event):
        if isinstance(event, Text) and "word" in event.text:
            raise LookupError("the plug-in's own secret fault")


class Head:
    """Says something beside what the client says."""

    def __init__(self, **headers):
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, exchange, proceed):
        assert exchange.priority == "normal"
        exchange.headers = [*exchange.headers, *self.headers]
        return await proceed(exchange)


class Unmakeable:
    """Fails when it is made."""

    def __init__(self):
        raise KeyError("the plug-in's own secret fault")

    async def __call__(self, exchange, proceed):
        return await proceed(exchange)
'''


@pytest.fixture
def upstream():
    with ScriptedUpstream(answering()) as started:
        yield started


def examples():
    """The how-to's examples: for each class, its module's name, its code and the YAML that names it."""
    found = BLOCK.findall(PAGE.read_text())
    for (kind, code), (other, yaml) in itertools.pairwise(found):
        named = re.search(r"\b(\w+):(\w+)", yaml) if (kind, other) == ("python", "yaml") else None
        if named and f"class {named[2]}" in code:
            yield named[2], (named[1], code, yaml)


def install(folder, name):
    """Writes the example's module beside the configuration; gives its YAML."""
    module, code, yaml = dict(examples())[name]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(code)
    return yaml


class TestHowTo:
    def test_the_page_shows_a_stage_a_policy_and_a_provider(self):
        assert set(dict(examples())) == {"Greet", "Shout", "Shuffle", "Acme", "Tiers", "Notes", "Mood"}

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
    @pytest.mark.parametrize("stream", [False, True])
    def test_the_stage_that_watches_and_changes(self, tmp_path, upstream, path, stream):
        yaml = install(tmp_path, "Shout")
        with running(tmp_path, config_for(upstream.url, yaml)) as gateway:
            status, _, body = gateway.post({**TO_ANTHROPIC, "stream": stream}, path=path)
            assert (status, said(body).split()[0], said(body).isupper()) == (200, "HELLO", True)
            whisper = {**TO_ANTHROPIC, "messages": [{"role": "user", "content": "whisper it"}]}
            assert gateway.post(whisper, path=path)[0] == 403

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
    def test_the_stage(self, tmp_path, upstream, path):
        yaml = install(tmp_path, "Greet")
        with running(tmp_path, config_for(upstream.url, yaml)) as gateway:
            assert gateway.post(TO_ANTHROPIC, path=path)[0] == 200
        sent = json.loads(upstream.requests[0].body)
        first = sent["messages"][0]
        assert (first["role"], said_in(first["content"])) == ("system", "Be brief.")
        assert sent["messages"][1]["content"] == "Hello"
        assert sent["model"] == "gpt-4o-mini"

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
    def test_the_stages_that_enrich_validate_and_tell(self, tmp_path, upstream, path):
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "travel.md").write_text("Whoever travels by train is paid back in full.")
        (tmp_path / "notes" / "food.md").write_text("Lunch is at noon; great cakes on Fridays.")
        (tmp_path / "tiers.json").write_text('{"test": "gold"}')
        found = [re.search(r"stages: \[(.*)\]", install(tmp_path, name))[1] for name in ("Tiers", "Notes", "Mood")]
        stages = f"stages: [{', '.join(found)}]\n".replace("tiers.json}", "tiers.json, most_messages: 3}")
        question = {**TO_ANTHROPIC, "messages": [{"role": "user", "content": "Great! What of travels by train?"}]}
        with running(tmp_path, config_for(upstream.url, stages)) as gateway:
            status, headers, body = gateway.post(question, path=path)
            assert status == 200, gateway.output()
            too_long = {**question, "messages": question["messages"] * 4}
            assert gateway.post(too_long, path=path)[0] == 400
            record = gateway.record_of(headers["x-request-id"])
        sent = json.dumps(json.loads(upstream.requests[0].body)["messages"])
        assert "tier is gold" in sent
        assert "paid back in full" in sent
        assert "Lunch" not in sent
        assert record["sources"] == ["tiers", "travel.md"]
        assert (headers["x-sources"], headers["x-sentiment"]) == ("travel.md", "positive")
        if path == "/v1/chat/completions":
            assert body["choices"][0]["message"]["sentiment"] == "positive"

    def test_the_guard(self, tmp_path, upstream):
        page = PAGE.with_name("guard.md").read_text()
        [(module, code, yaml)] = [
            (re.search(r"(\w+):Shouting", other)[1], code, other)
            for (_, code), (_, other) in itertools.pairwise(BLOCK.findall(page))
            if "class Shouting" in code
        ]
        (tmp_path / f"{module}.py").write_text(code)
        with running(tmp_path, config_for(upstream.url, yaml.replace("parts: [text]", "then: block"))) as gateway:
            question = {**QUESTION, "messages": [{"role": "user", "content": "WHY DOES NOBODY LISTEN"}]}
            status, headers, body = gateway.post(question)
            assert (status, headers["x-headgate-error-code"]) == (400, "blocked_by_guard")
            assert body["error"]["message"] == "the policy 'calm' blocks this: shouting"
            assert gateway.post(QUESTION)[0] == 200

    def test_the_policy(self, tmp_path, upstream):
        yaml = install(tmp_path, "Shuffle")
        entry = yaml.partition("models:\n")[2].replace("groq/llama-3.3-70b-versatile", "second/m")
        config = config_for(upstream.url).replace("  chat: openai/gpt-4o-mini\n", entry)
        config = config.replace(
            "providers:\n", f"providers:\n  second: {{kind: openai, api_key: none, base_url: '{upstream.url}/v1'}}\n"
        )
        with running(tmp_path, config) as gateway:
            went = {gateway.post(QUESTION)[1]["x-headgate-model"] for _ in range(40)}
            assert went == {"openai/gpt-4o-mini", "second/m"}
        assert "shuffle" in gateway.records()[0]["decision"]["policy"]

    def test_the_provider(self, tmp_path, upstream):
        entry = install(tmp_path, "Acme").replace("providers:\n", "")
        assert entry.endswith("}\n")
        entry = entry[:-2] + f", base_url: '{upstream.url}/v2'}}\n"
        config = config_for(upstream.url).replace("providers:\n", "providers:\n" + entry)
        with running(tmp_path, config, environ={"ACME_API_KEY": "acme-secret-0123456789"}) as gateway:
            status, headers, _ = gateway.post({**QUESTION, "model": "acme/some/model"})
            assert (status, headers["x-headgate-model"]) == (200, "acme/some/model")
        [asked] = upstream.requests
        assert asked.path == "/v2/chat/completions"
        assert asked.headers["x-acme-key"] == "acme-secret-0123456789"
        assert "authorization" not in asked.headers
        assert "acme-secret" not in gateway.output()


def said_in(content):
    """A message's text, in either of its forms."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def with_stages(upstream, *stages):
    return config_for(upstream.url, "stages: " + json.dumps(list(stages)) + "\n")


@pytest.fixture
def mind(tmp_path):
    (tmp_path / "mind.py").write_text(MIND)


@pytest.mark.usefixtures("mind")
class TestStages:
    def test_one_that_answers_by_itself(self, tmp_path, upstream):
        with running(tmp_path, with_stages(upstream, {"use": "mind:Canned"})) as gateway:
            question = {"model": "chat", "messages": [{"role": "user", "content": "canned, please"}]}
            status, headers, body = gateway.post(question)
            assert (status, body["choices"][0]["message"]["content"]) == (200, "from the can")
            assert not upstream.requests
            assert gateway.record_of(headers["x-request-id"])["status"] == 200
            assert gateway.post(QUESTION)[2]["choices"][0]["message"]["content"] == "Hello"

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
    def test_one_that_refuses(self, tmp_path, upstream, path):
        stage = {"use": "mind.Refuse", "with": {"word": "Hello"}}
        with running(tmp_path, with_stages(upstream, stage)) as gateway:
            status, headers, body = gateway.post(TO_ANTHROPIC, path=path)
        assert (status, headers["x-headgate-error-origin"]) == (403, "gateway")
        assert body["error"]["message"] == "nobody says Hello here"
        assert not upstream.requests
        [record] = gateway.records(1)
        assert (record["ending"], record["error"]) == ("refused", "model_not_allowed")

    def test_one_that_puts_headers_in_place_of_the_clients(self, tmp_path, upstream):
        said = {"openai-beta": "own", "x-headgate-user": "ann", "x-headgate-tags": "nightly"}
        with running(tmp_path, with_stages(upstream, {"use": "mind:Head", "with": said})) as gateway:
            record = gateway.record_of(gateway.post(QUESTION)[1]["x-request-id"])
            assert (record["end_user"], record["tags"]) == ("ann", ["nightly"])
            assert upstream.requests[-1].headers["openai-beta"] == "own"
            gateway.change(with_stages(upstream, {"use": "mind:Head", "with": {"x-headgate-explain": "1"}}))
            gateway.says("the configuration was reloaded")
            asked = len(upstream.requests)
            status, _, told = gateway.post(QUESTION)
        assert (status, len(upstream.requests)) == (200, asked)
        assert "choices" not in told

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
    def test_one_that_watches_changes_nothing(self, tmp_path, upstream, path, stream):
        heard = tmp_path / "heard.txt"
        question = {**TO_ANTHROPIC, "stream": stream}
        with running(tmp_path, config_for(upstream.url)) as gateway:
            plain = gateway.post(question, path=path)[2]
            gateway.change(with_stages(upstream, {"use": "mind:Listen", "with": {"file": str(heard)}}))
            gateway.says("the configuration was reloaded")
            status, headers, watched = gateway.post(question, path=path)
            assert status == 200
            record = gateway.record_of(headers["x-request-id"])
        assert said(watched) == said(plain)
        assert heard.read_text() == "Hello" + (" word" * 4 if stream else "")
        assert record["usage"]["output"] > 0
        assert record["finish"] == "stop"

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
    def test_one_that_changes_the_reply(self, tmp_path, upstream, path, stream):
        with running(tmp_path, with_stages(upstream, {"use": "mind:Shout"})) as gateway:
            status, headers, body = gateway.post({**TO_ANTHROPIC, "stream": stream}, path=path)
            assert status == 200
            record = gateway.record_of(headers["x-request-id"])
        assert said(body) == "HELLO" + (" WORD" * 4 if stream else "")
        assert record["usage"]["output"] > 0

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
    def test_one_with_a_bug_is_a_500_without_a_trace(self, tmp_path, upstream, path):
        with running(tmp_path, with_stages(upstream, {"use": "mind:Fail"})) as gateway:
            status, headers, body = gateway.post(TO_ANTHROPIC, path=path)
            assert (status, headers["x-headgate-error-code"]) == (500, "internal_error")
            assert headers["x-headgate-error-origin"] == "gateway"
            id = headers["x-request-id"]
            assert id in body["error"]["message"]
            for word in ("Traceback", "ValueError", "secret fault", "mind"):
                assert word not in json.dumps(body)
            assert gateway.get("/readyz")[0] == 200
            gateway.says(f"request {id} failed inside the gateway")  # the log has a thread of its own
            assert "ValueError: the plug-in's own secret fault" in gateway.output()
            (entry,) = (json.loads(line) for line in gateway.output().splitlines() if "failed inside" in line)
            assert entry["request_id"] == id
            assert gateway.record_of(id)["ending"] == "failed"
        assert gateway.output().count("Traceback") == 1

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
    def test_one_with_a_bug_in_the_middle_of_a_stream_is_told_there(self, tmp_path, upstream, path):
        upstream.script = answering(pause=0.1)
        with running(tmp_path, with_stages(upstream, {"use": "mind:Fail", "with": {"when": "later"}})) as gateway:
            status, headers, body = gateway.post({**TO_ANTHROPIC, "stream": True}, path=path)
            assert status == 200
            assert b"Hello" in body
            assert b"[DONE]" not in body
            assert b"message_stop" not in body
            assert b"the gateway failed" in body
            assert b"secret fault" not in body
            record = gateway.record_of(headers["x-request-id"])
            assert (record["ending"], record["error"], record["origin"]) == ("cut", "internal_error", "gateway")
        assert gateway.output().count("Traceback") == 1

    def test_changed_settings_take_effect_by_reload(self, tmp_path, upstream):
        def config(word):
            return with_stages(upstream, {"use": "mind:Refuse", "with": {"word": word}})

        with running(tmp_path, config("Hello")) as gateway:
            assert gateway.post(QUESTION)[0] == 403
            gateway.change(config("Bye"))
            gateway.says("the configuration was reloaded")
            assert gateway.post(QUESTION)[0] == 200
            gateway.change(config("Hello").replace('"word"', '"wort"'))
            gateway.says("the old one stays in force")
            assert "mind:Refuse does not take these settings" in gateway.output()
            assert gateway.post(QUESTION)[0] == 200
            gateway.change(with_stages(upstream, {"use": "mind:Unmakeable"}))
            gateway.says("the old one stays in force", 2)
            assert "secret fault" not in gateway.output()
            gateway.change(config("Hello"))
            gateway.says("the configuration was reloaded", 2)
            assert gateway.post(QUESTION)[0] == 403

    @pytest.mark.parametrize(
        ("stage", "told", "workers"),
        [
            ({"use": "nowhere:Stage"}, "there is no module `nowhere`", 1),
            ({"use": "mind:Nobody"}, "module `mind` has no `Nobody`", 1),
            ({"use": "mind:Refuse"}, "does not take these settings", 2),
            ({"use": "mind:Unmakeable"}, "fails with KeyError when it is made", 1),
            ({"use": "mind:Unmakeable"}, "fails with KeyError when it is made", 2),
            ({"use": "broken:Stage"}, "module `broken` fails with SyntaxError", 1),
        ],
    )
    def test_one_that_cannot_be_had_stops_the_start(self, tmp_path, upstream, stage, told, workers):
        (tmp_path / "broken.py").write_text("def (:\n")
        config = with_stages(upstream, stage).replace("{PORT}", f"{{PORT}}, workers: {workers}")
        gateway = Gateway(tmp_path, config).start(wait=False)
        assert gateway.process.wait(20) == 2
        assert told in gateway.output()
        assert "Traceback" not in gateway.output()
        assert "secret fault" not in gateway.output()


def said(body):
    """The text of an answer of either dialect, whole or streamed."""
    if isinstance(body, dict):
        return body["content"][0]["text"] if "content" in body else body["choices"][0]["message"]["content"]
    text = ""
    for line in body.decode().splitlines():
        if line.startswith("data: {"):
            frame = json.loads(line[6:])
            if frame.get("type") == "content_block_delta":
                text += frame["delta"].get("text", "")
            for choice in frame.get("choices", ()):
                text += choice["delta"].get("content") or ""
    return text


def test_a_dialect_of_ones_own(tmp_path, upstream):
    """The same API under another name, at a path of its own: what it does not say itself, it takes from ours."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "loud_chat.py").write_text(
        "from headgate.dialects.openai_chat import *\n"
        "from headgate.dialects.openai_chat import write_error as plainly\n\n"
        "name = 'loud_chat'\n"
        "paths = ['/loud/chat']\n"
        "def write_error(error, request_id, *, streaming):\n"
        "    return plainly(error, request_id, streaming=streaming).upper()\n"
    )
    with running(tmp_path, config_for(upstream.url, "dialects: [mine.loud_chat]\n")) as gateway:
        status, headers, body = gateway.post(QUESTION, path="/loud/chat")
        assert (status, body["choices"][0]["message"]["content"]) == (200, "Hello")
        assert gateway.record_of(headers["x-request-id"])["dialect"] == "loud_chat"
        status, _, body = gateway.post({**QUESTION, "model": "chatt"}, path="/loud/chat")
        assert status == 404
        assert "DID YOU MEAN 'CHAT'?" in body["ERROR"]["MESSAGE"]
        assert gateway.post({**TO_ANTHROPIC, "model": "sim"}, path="/loud/chat")[0] == 200
        assert gateway.post(QUESTION)[0] == 200


def test_a_policy_that_leaves_no_target_or_fails_is_the_gateways_fault(tmp_path, upstream):
    (tmp_path / "odd.py").write_text(
        "class Nobody:\n    def rank(self, exchange, targets):\n        return []\n\n"
        "class Fails:\n    def rank(self, exchange, targets):\n        return targets[99]\n"
    )
    for policy in ("odd:Nobody", "odd:Fails"):
        entry = f"  chat: {{policy: '{policy}', targets: [openai/m]}}\n"
        config = config_for(upstream.url).replace("  chat: openai/gpt-4o-mini\n", entry)
        with running(tmp_path / policy[4:], config, environ={"PYTHONPATH": str(tmp_path)}) as gateway:
            status, headers, _ = gateway.post(QUESTION)
            assert (status, headers["x-headgate-error-code"]) == (500, "internal_error")
            assert gateway.record_of(headers["x-request-id"])["ending"] == "failed"
    assert not upstream.requests


def test_changed_code_is_taken_up_and_broken_code_is_not(tmp_path, upstream):
    """Row 147: a plug-in is hot-loaded; requests go on with the last code that could be imported."""
    code = "from headgate.core.errors import Forbidden\n\n\n"
    code += "class Greet:\n    async def __call__(self, exchange, proceed):\n"
    stage = tmp_path / "greet.py"
    stage.write_text(code + "        raise Forbidden('first')\n")
    with running(tmp_path, with_stages(upstream, {"use": "greet:Greet"})) as gateway:
        assert "first" in str(gateway.post(QUESTION)[2])
        stage.write_text(code + "        raise Forbidden('the second')\n")
        wait_for(lambda: "the second" in str(gateway.post(QUESTION)[2]))
        stage.write_text("this is no Python\n")
        wait_for(lambda: "fails with SyntaxError" in gateway.output())
        assert "the second" in str(gateway.post(QUESTION)[2])
        stage.write_text(code + "        return await proceed(exchange)\n")
        wait_for(lambda: gateway.post(QUESTION)[0] == 200)
