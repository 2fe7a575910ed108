"""What real hosts answered is never refused: the catalogue's "cannot" against recorded traffic."""

import importlib
import json
import re
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

from headgate.catalog.catalogue import assemble
from headgate.catalog.menu import Menu
from headgate.core.errors import GatewayError, Incapable
from headgate.core.exchange import Exchange
from headgate.core.plugin import names
from headgate.core.record import Record
from headgate.core.target import Target
from headgate.stages.filters.capability import Capability

RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges"
pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="no recorded traffic beside the checkout (../shared/recorded)"
)
SPOKEN = {
    "chat_completions": "openai_chat",
    "messages": "anthropic_messages",
    "responses": "openai_responses",
    "chat_v2": "cohere_chat",
    "ollama_chat": "ollama_chat",
    "converse": "bedrock_converse",
    "generateContent": "gemini_generate",
    "embeddings": "openai_embeddings",
}
IN_URL = re.compile(r"/models?/([^/?]+?)(?:/converse|:generateContent|:streamGenerateContent)")
KINDS = {"gemini": "google", "alibaba": "qwen", "moonshotai": "moonshot", "bedrock_mantle": "bedrock"}


class Host:
    def __init__(self, name):
        self.name = name


def recordings():
    for path in sorted(RECORDED.glob("*/*.json")):
        found = json.loads(path.read_bytes())
        body = found["request"].get("body")
        if found["response"]["status"] != 200 or not isinstance(body, dict):
            continue
        if place := IN_URL.search(found["request"]["url"]):
            body["model"] = unquote(place[1])
        if isinstance(body.get("model"), str):
            yield found


def exchange(found, dialect, kind):
    body = found["request"]["body"]

    async def receive():
        return b""

    record = Record(id="req_1", time=time.time())
    made = Exchange("req_1", dialect, "/", [], receive, time.perf_counter(), record)
    made.body, made.fields, made.model = json.dumps(body).encode(), body, body["model"]
    made.targets = [Target(Host(kind), body["model"])]
    return made


def test_what_a_host_answered_is_never_refused():
    kinds = sorted({KINDS.get(path.name, path.name) for path in RECORDED.iterdir() if path.is_dir()})
    capability = Capability(Menu(assemble({kind: kind for kind in kinds}, {}), {}))
    there = set(names("dialects"))
    wrong, count, known = [], 0, 0
    for found in recordings():
        name = SPOKEN.get(found["api"])
        if name not in there:
            continue
        kind = KINDS.get(found["provider"], found["provider"])
        made = exchange(found, importlib.import_module(f"headgate.dialects.{name}"), kind)
        count += 1
        known += capability.menu.catalogue.find(kind, made.model) is not None
        try:
            capability(made, made.targets)
        except Incapable as refused:
            wrong.append(f"{found['id']}: {refused.message}")
        except GatewayError:
            continue  # the typed reading refuses it: a test of the dialect tells
    assert known > 500
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong[:40])
