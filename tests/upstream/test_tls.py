"""TLS: who is trusted, who is not, and that sessions are taken up again."""

import asyncio
import ssl

import pytest
import trustme

from headgate.core.errors import ProviderTimeout, ProviderUnreachable
from headgate.upstream.tls import context
from upstreams import Close, ScriptedUpstream, Stall, as_chunk, chunked_head, json_reply

OK = json_reply({"ok": True})


def server_context(issuer, name):
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert(name).configure_cert(made)
    return made


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


async def test_a_trusted_server_is_asked_and_kept(made, to, ca, ca_file):
    client = made(ca_file=ca_file)
    with ScriptedUpstream(OK, tls=server_context(ca, "localhost")) as upstream:
        for _ in range(3):
            response = await client.post(to(upstream, host="localhost"), b"{}")
            assert await response.read(1000) == b'{"ok": true}'
        assert upstream.connections == 1


async def test_an_address_is_checked_like_a_name(made, to, ca, ca_file):
    client = made(ca_file=ca_file)
    with ScriptedUpstream(OK, tls=server_context(ca, "127.0.0.1")) as upstream:
        assert (await client.post(to(upstream), b"{}")).status == 200


async def test_an_unknown_authority_is_refused_with_advice(made, to, ca):
    client = made(ca_file=None)
    with ScriptedUpstream(OK, tls=server_context(ca, "localhost")) as upstream:
        with pytest.raises(ProviderUnreachable, match=r"not trusted \(.*`ca_file`"):
            await client.post(to(upstream, host="localhost"), b"{}")
        assert upstream.requests == []
        assert all(stats.open == 0 for stats in client.stats().values())


async def test_another_hosts_certificate_is_refused(made, to, ca, ca_file):
    client = made(ca_file=ca_file)
    with ScriptedUpstream(OK, tls=server_context(ca, "provider.test")) as upstream:
        with pytest.raises(ProviderUnreachable, match=r"not trusted.*ostname mismatch"):
            await client.post(to(upstream, host="localhost"), b"{}")
        assert upstream.requests == []


async def test_ssl_cert_file_is_used(made, to, ca, ca_file, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    client = made(ca_file=None)
    with ScriptedUpstream(OK, tls=server_context(ca, "localhost")) as upstream:
        assert (await client.post(to(upstream, host="localhost"), b"{}")).status == 200


def test_an_unreadable_bundle_is_told_at_the_start(tmp_path):
    with pytest.raises(FileNotFoundError):
        context(str(tmp_path / "absent.pem"))


def test_old_tls_is_not_spoken():
    assert context(None).minimum_version == ssl.TLSVersion.TLSv1_2
    assert context(None).check_hostname
    assert context(None).verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_next_connection_takes_up_the_session(made, to, ca, ca_file, version):
    client = made(ca_file=ca_file)
    tls = server_context(ca, "localhost")
    tls.maximum_version = version
    with ScriptedUpstream((OK, Close()), tls=tls) as upstream:
        for _ in range(3):
            response = await client.post(to(upstream, host="localhost"), b"{}")
            await response.read(1000)
            await asyncio.sleep(0.05)
        assert upstream.sessions_reused == [False, True, True]


async def test_plain_http_on_a_tls_port_and_the_other_way_round(made, to, ca, ca_file):
    client = made(ca_file=ca_file)
    with (
        ScriptedUpstream((b"HTTP/1.1 400 Bad\r\n\r\n", Close()), read_requests=False) as upstream,
        pytest.raises(ProviderUnreachable, match="http or https"),
    ):
        await client.post(to(upstream, scheme="https"), b"{}")


async def test_a_handshake_that_stalls_is_timed_out_and_closed(made, to, ca_file):
    client = made(ca_file=ca_file)
    with ScriptedUpstream((Stall(),), read_requests=False) as upstream:
        with pytest.raises(ProviderTimeout, match=r"within 0.2 s \(TLS took too long\).*timeouts.connect"):
            await client.post(to(upstream, scheme="https", connect=0.2), b"{}")
        assert all(stats.open == 0 for stats in client.stats().values())


async def test_cancelling_a_handshake_closes_it(made, to, ca_file):
    client = made(ca_file=ca_file)

    async def mute(asked):
        await asked.reader.read(100_000)
        await asked.stall()

    with ScriptedUpstream(mute, read_requests=False) as upstream:
        task = asyncio.ensure_future(client.post(to(upstream, scheme="https"), b"{}"))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(upstream.wait_for_close, 1, 1.0)
        assert all(stats.open == 0 for stats in client.stats().values())


async def test_streams_and_large_requests_over_tls(made, to, ca, ca_file):
    client = made(ca_file=ca_file)
    body = bytes(range(256)) * 10_000
    script = (chunked_head(), as_chunk(b"one"), as_chunk(b"two" * 100_000), b"0\r\n\r\n")
    with ScriptedUpstream(script, tls=server_context(ca, "localhost")) as upstream:
        for _ in range(2):
            response = await client.post(to(upstream, host="localhost"), body)
            assert await response.read(1_000_000) == b"one" + b"two" * 100_000
        assert [each.body == body for each in upstream.requests] == [True, True]
        assert upstream.connections == 1
