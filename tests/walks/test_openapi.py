"""What the gateway answers is as the published OpenAPI description says, whoever was asked."""

import http.client
import json
import re
from pathlib import Path

import jsonschema
import pytest

from gateways import KEY
from walks.vendors import WEATHER, Said, error_body, stream, whole

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "openapi.json").read_text())
VENDORS = {"chats": "openai", **{name: name for name in ("anthropic", "gemini", "cohere", "bedrock")}}
"""By alias. What `responses` answers in its own words is not rewritten."""
CHAT = {"messages": [{"role": "user", "content": "hi"}]}
SAID = (Said(), Said(text=None, calls=WEATHER, stop="tools"), Said(stop="length", thinking="Hm."))
PICTURE = b"\x89PNG\r\n\x1a\n"
FORM = "multipart/form-data; boundary=b"


def check(template, kind, value, status=200):
    """Raises where a reply of this path and content type is not as described."""
    said = DOCUMENT["paths"][template]
    answer = (said.get("post") or said["get"])["responses"]
    content = answer.get(str(status), answer["default"])["content"][kind]
    jsonschema.Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]}).validate(value)


def ask(gateway, path, body=None, kind="application/json", template=None):
    """(status, content type, body), checked where it is JSON or a stream of it."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    headers = {"authorization": f"Bearer {KEY}", "content-type": kind}
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    connection.request("GET" if body is None else "POST", path, data, headers)
    answer = connection.getresponse()
    got, found = answer.read(), answer.headers["content-type"].partition(";")[0]
    connection.close()
    if found == "application/json":
        check(template or path, found, json.loads(got), answer.status)
    elif found == "text/event-stream":
        events = [line[6:] for line in got.split(b"\n") if line.startswith(b"data: ") and line != b"data: [DONE]"]
        assert events
        for event in events:
            check(template or path, found, json.loads(event))
    return answer.status, found, got


@pytest.mark.parametrize(("alias", "vendor"), VENDORS.items())
def test_chats(gateway, upstream, alias, vendor):
    for path, fields in (("/v1/chat/completions", CHAT), ("/v1/responses", {"input": "hi"})):
        for said in SAID:
            upstream.script = whole(vendor, said)
            assert ask(gateway, path, {"model": alias, **fields})[0] == 200
            upstream.script = stream(vendor, said)
            status, kind, _ = ask(gateway, path, {"model": alias, "stream": True, **fields})
            assert (status, kind) == (200, "text/event-stream")


@pytest.mark.parametrize("vendor", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("status", [400, 429, 500])
def test_errors(gateway, upstream, vendor, status):
    body = json.dumps(error_body(vendor, status, "no")).encode()
    upstream.script = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )
    assert ask(gateway, "/v1/chat/completions", {"model": vendor, **CHAT})[0] >= 400
    assert ask(gateway, "/v1/chat/completions", {"model": "nobody"})[0] == 404
    assert ask(gateway, "/v1/embeddings", b"{")[0] == 400


def form(**fields):
    parts = [
        f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    return "".join(parts).encode()


def with_file(name, **fields):
    head = f'--b\r\ncontent-disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'.encode()
    return form(**fields) + head + PICTURE + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/v1/completions", {"prompt": "hi"}, None),
        ("/v1/completions", {"prompt": "hi", "stream": True}, None),
        ("/v1/embeddings", {"input": ["a", "b"]}, None),
        ("/v1/moderations", {"input": "hi"}, None),
        ("/v1/rerank", {"query": "a", "documents": ["a", "b"]}, None),
        ("/v1/images/generations", {"prompt": "a cat"}, None),
        ("/v1/images/generations", {"prompt": "a cat", "stream": True}, None),
        ("/v1/images/edits", with_file("image", model="sim", prompt="a cat"), FORM),
        ("/v1/images/variations", with_file("image", model="sim"), FORM),
        ("/v1/audio/transcriptions", with_file("file", model="sim"), FORM),
        ("/v1/audio/transcriptions", with_file("file", model="sim", response_format="verbose_json"), FORM),
        ("/v1/audio/transcriptions", with_file("file", model="sim", stream="true"), FORM),
        ("/v1/audio/translations", with_file("file", model="sim"), FORM),
    ],
)
def test_other_operations(gateway, path, body, kind):
    body = {"model": "sim", **body} if isinstance(body, dict) else body
    assert ask(gateway, path, body, kind or "application/json")[0] == 200


def test_models(gateway):
    assert ask(gateway, "/v1/models")[0] == 200
    assert ask(gateway, "/v1/models/sim", template="/v1/models/{name}")[0] == 200


def test_every_reference_leads_somewhere():
    for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(DOCUMENT)):
        assert name in DOCUMENT["components"]["schemas"]


def test_every_path_is_one_that_is_served_and_the_check_can_fail(gateway):
    for path, said in DOCUMENT["paths"].items():
        if "post" in said:
            assert ask(gateway, path, b"{", "text/plain")[0] == 415
    with pytest.raises(jsonschema.ValidationError):
        check("/v1/chat/completions", "application/json", {"id": "x", "choices": "none"})
