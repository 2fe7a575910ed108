"""Any HTTP server gets whole batches, with an id that stays and a signature that holds."""

import base64
import hashlib
import hmac
import json
import ssl

import pytest
import trustme

from catchers import HTTPCatcher
from headgate.records.sinks.sink import Away, Unfit


@pytest.fixture
def server():
    with HTTPCatcher() as catcher:
        yield catcher


def test_a_batch_is_an_array(sink, batch, server):
    sink(kind="http", url=f"{server.url}/in?a=b", headers={"authorization": "Splunk abc def"}).send(batch(3))
    [caught] = server.caught
    assert json.loads(caught.body) == [json.loads(item.line) for item in batch(3).items]
    assert (caught.method, caught.path) == ("POST", "/in?a=b")
    assert caught.headers["authorization"] == "Splunk abc def"
    assert caught.headers["content-type"] == "application/json"
    assert caught.headers["idempotency-key"] == "batch-1"
    assert "webhook-signature" not in caught.headers


def test_or_a_line_for_each(sink, batch, server):
    sink(kind="http", url=server.url, format="ndjson", compress="gzip").send(batch(3))
    [caught] = server.caught
    assert caught.headers["content-encoding"] == "gzip"
    assert caught.body == b"".join(item.line + b"\n" for item in batch(3).items)


@pytest.mark.parametrize("secret", ["a secret of mine", "whsec_" + base64.b64encode(b"\x01" * 24).decode()])
def test_the_signature_is_that_of_standard_webhooks(sink, batch, server, secret):
    sink(kind="http", url=server.url, secret=secret).send(batch(2))
    [caught] = server.caught
    key = b"\x01" * 24 if secret.startswith("whsec_") else secret.encode()
    signed = f"{caught.headers['webhook-id']}.{caught.headers['webhook-timestamp']}.".encode() + caught.body
    proof = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert caught.headers["webhook-signature"] == f"v1,{proof}"
    assert caught.headers["webhook-id"] == "batch-1"


@pytest.mark.parametrize(
    ("status", "error"), [(400, Unfit), (413, Unfit), (401, Away), (404, Away), (429, Away), (503, Away), (302, Away)]
)
def test_what_is_no_success_is_told_with_what_the_server_says(sink, batch, server, status, error):
    server.answer = lambda caught: (status, b"because\nof that")
    with pytest.raises(error, match=rf"it answered {status}: because\\nof that"):
        sink(kind="http", url=server.url).send(batch())


def test_who_is_not_there_is_told(sink, batch):
    with pytest.raises(Away, match=r"127\.0\.0\.1"):
        sink(kind="http", url="http://127.0.0.1:1").send(batch())


def test_a_certificate_proves_who_sends_and_who_takes(tmp_path, sink, batch):
    authority, stranger = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    own = authority.issue_cert("gateway")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    for ca, name in ((authority, "ca.pem"), (stranger, "other.pem")):
        ca.cert_pem.write_to_path(tmp_path / name)
    with HTTPCatcher() as server:
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        told = {"kind": "http", "url": f"https://127.0.0.1:{server.port}", "ca_file": str(tmp_path / "ca.pem")}
        proof = {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
        sink(**told, **proof).send(batch())
        with pytest.raises(Away):
            sink(**told).send(batch())
        with pytest.raises(Away):
            sink(**{**told, **proof, "ca_file": str(tmp_path / "other.pem")}).send(batch())
        assert len(server.caught) == 1


def test_the_proxy_of_the_environment_is_gone_through(sink, batch, server, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    sink(kind="http", url="http://logs.example.com/in").send(batch())
    assert server.caught[0].path == "http://logs.example.com:80/in"
