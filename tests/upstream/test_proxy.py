"""Which hosts go through a proxy, and how."""

import asyncio
import base64
import ssl

import pytest
import trustme

from headgate.core.errors import ProviderTimeout, ProviderUnreachable
from headgate.core.target import Origin
from headgate.upstream.proxy import Proxies, Proxy, read_exemptions
from together import together
from upstreams import ScriptedUpstream, Sleep, Stall, json_reply

OK = json_reply({"ok": True})


def through(environment, host="api.provider.test", scheme="https", port=443):
    return Proxies(environment).proxy_for(Origin(scheme, host, port))


@together(
    ("environment", "scheme", "expected"),
    [
        ({}, "https", None),
        ({"HTTPS_PROXY": "http://p:3128"}, "https", Proxy(False, "p", 3128)),
        ({"HTTPS_PROXY": "http://p:3128"}, "http", None),
        ({"https_proxy": "http://lower:1", "HTTPS_PROXY": "http://upper:2"}, "https", Proxy(False, "lower", 1)),
        ({"https_proxy": "", "HTTPS_PROXY": "http://upper:2"}, "https", None),
        ({"HTTP_PROXY": "p:3128"}, "http", Proxy(False, "p", 3128)),
        ({"HTTP_PROXY": "http://p", "REQUEST_METHOD": "GET"}, "http", None),
        ({"http_proxy": "http://p", "REQUEST_METHOD": "GET"}, "http", Proxy(False, "p", 80)),
        ({"ALL_PROXY": "https://p"}, "http", Proxy(True, "p", 443)),
        ({"all_proxy": "http://all:1", "https_proxy": "http://own:2"}, "https", Proxy(False, "own", 2)),
        ({"https_proxy": "http://u:p%40ss@[::1]:8080"}, "https", Proxy(False, "::1", 8080, b"Basic dTpwQHNz")),
    ],
)
def test_the_environment_is_read_as_usual(environment, scheme, expected):
    assert through(environment, scheme=scheme) == expected


@together(
    ("rule", "host", "port", "exempt"),
    [
        ("api.test", "api.test", 443, True),
        ("api.test", "API.test", 443, True),
        ("api.test", "api.test.", 443, True),
        ("api.test", "eu.api.test", 443, True),
        ("api.test", "myapi.test", 443, False),
        (".api.test", "eu.api.test", 443, True),
        (".api.test", "api.test", 443, True),
        ("*.api.test", "eu.api.test", 443, True),
        ("API.TEST", "api.test", 443, True),
        ("api.test:8443", "api.test", 8443, True),
        ("api.test:8443", "api.test", 443, False),
        ("*", "anything.test", 443, True),
        ("other.test, api.test", "api.test", 443, True),
        ("other.test api.test", "api.test", 443, True),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "10.test", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:80", "10.1.2.3", 443, False),
        ("10.1.2.3:443", "10.1.2.3", 443, True),
        ("fd00::/8", "fd12::1", 443, True),
        ("fd12::1", "fd12:0::1", 443, True),
        ("[fd12::1]:443", "fd12::1", 443, True),
        ("[fd12::1]:80", "fd12::1", 443, False),
        ("", "api.test", 443, False),
        (",,", "api.test", 443, False),
        (".", "api.test", 443, False),
    ],
)
def test_no_proxy(rule, host, port, exempt):
    origin = Origin("https", host, port)
    assert any(each.covers(origin) for each in read_exemptions(rule)) is exempt
    environment = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": rule}
    assert (through(environment, host, port=port) is None) is exempt


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_never_asked_for_through_a_proxy(host):
    assert through({"ALL_PROXY": "http://p:1"}, host) is None


@pytest.mark.parametrize(
    "url", ["socks5://user:secret@p:1080", "http://user:secret@:3128", "http://user:secret@p:port", "http://["]
)
def test_a_bad_proxy_is_named_without_its_password(url):
    with pytest.raises(ProviderUnreachable, match="HTTPS_PROXY") as caught:
        through({"HTTPS_PROXY": url})
    assert "secret" not in caught.value.message


def test_credentials_do_not_show():
    assert "dTpw" not in repr(through({"https_proxy": "http://u:p@proxy:1"}))


def connect_proxy(target):
    """A proxy that takes every name to be at `target`."""

    async def serve(asked):
        if asked.request.method != "CONNECT":
            await asked.send(OK)
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        await asked.send(b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n")

        async def pump(source, sink):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        try:
            await asyncio.gather(pump(asked.reader, writer), pump(reader, asked.writer))
        finally:
            writer.close()

    return serve


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


def server_context(issuer, name):
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert(name).configure_cert(made)
    return made


@pytest.mark.parametrize("secured", [False, True], ids=["http proxy", "https proxy"])
async def test_https_goes_through_a_tunnel(made, to, ca, ca_file, secured):
    with (
        ScriptedUpstream(OK, tls=server_context(ca, "api.provider.test")) as upstream,
        ScriptedUpstream(connect_proxy(upstream), tls=server_context(ca, "localhost") if secured else None) as proxy,
    ):
        url = f"{'https' if secured else 'http'}://user:secret@localhost:{proxy.port}"
        client = made(ca_file=ca_file, proxies=Proxies({"https_proxy": url}))
        for _ in range(3):
            response = await client.post(to(upstream, host="api.provider.test", port=443), b"{}")
            assert await response.read(1000) == b'{"ok": true}'
        assert (upstream.connections, proxy.connections) == (1, 1)
        asked = proxy.requests[0]
        assert (asked.method, asked.path) == ("CONNECT", "api.provider.test:443")
        assert asked.headers["host"] == "api.provider.test:443"
        assert asked.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"user:secret").decode()
        assert "proxy-authorization" not in upstream.requests[0].headers
        await client.close()


async def test_http_names_the_whole_url_to_the_proxy(made, to):
    with ScriptedUpstream(OK) as proxy:
        client = made(proxies=Proxies({"http_proxy": f"http://user:secret@localhost:{proxy.port}"}))
        for _ in range(2):
            response = await client.post(to(proxy, host="api.provider.test", port=8000), b"{}")
            assert await response.read(1000) == b'{"ok": true}'
        assert proxy.connections == 1
        assert proxy.requests[0].path == "http://api.provider.test:8000/v1/chat"
        assert proxy.requests[0].headers["host"] == "provider.test"
        assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")


async def test_exempt_hosts_are_asked_directly(made, to):
    with ScriptedUpstream(OK) as upstream, ScriptedUpstream(OK) as proxy:
        client = made(proxies=Proxies({"http_proxy": f"http://localhost:{proxy.port}", "no_proxy": "127.0.0.1"}))
        assert (await client.post(to(upstream), b"{}")).status == 200
        assert proxy.connections == 0


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",), "407.*user name and password"),
        ((b"HTTP/1.1 403 Forbidden\r\n\r\n",), "refused with '403 Forbidden'"),
        ((b"SSH-2.0-OpenSSH\r\n\r\n",), "did not answer in HTTP"),
        ((b"HTTP/1.1 200 OK\r\n\r\nextra",), "bytes of its own"),
        ((b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 4000, Stall()), "more headers"),
    ],
)
async def test_a_proxy_that_refuses_is_named_without_its_password(made, to, reply, message):
    with ScriptedUpstream((*reply, Sleep(1))) as proxy:
        client = made(proxies=Proxies({"https_proxy": f"http://user:secret@localhost:{proxy.port}"}))
        with pytest.raises(ProviderUnreachable, match=message) as caught:
            await client.post(to(proxy, scheme="https", host="api.provider.test", port=443), b"{}")
        assert f"localhost:{proxy.port}" in caught.value.message
        assert "secret" not in caught.value.message


async def test_a_proxy_that_closes_or_is_not_there(made, to):
    async def close(asked):
        asked.close()

    with ScriptedUpstream(close) as proxy:
        client = made(proxies=Proxies({"https_proxy": f"localhost:{proxy.port}"}))
        endpoint = to(proxy, scheme="https", host="api.provider.test", port=443)
        with pytest.raises(ProviderUnreachable, match="closed the connection instead"):
            await client.post(endpoint, b"{}")
    with pytest.raises(ProviderUnreachable, match=rf"connecting to the proxy localhost:{proxy.port}"):
        await client.post(endpoint, b"{}")


async def test_a_proxy_that_never_answers_is_timed_out(made, to):
    with ScriptedUpstream((Stall(),)) as proxy:
        client = made(proxies=Proxies({"https_proxy": f"http://localhost:{proxy.port}"}))
        with pytest.raises(ProviderTimeout, match=r"the tunnel through the proxy .* took too long"):
            await client.post(to(proxy, scheme="https", host="api.provider.test", port=443, connect=0.2), b"{}")


async def test_a_proxy_that_wants_a_password_for_http(made, to):
    with ScriptedUpstream(json_reply({}, status=407)) as proxy:
        client = made(proxies=Proxies({"http_proxy": f"http://localhost:{proxy.port}"}))
        with pytest.raises(ProviderUnreachable, match="asks for a user name and password"):
            await client.post(to(proxy, host="api.provider.test", port=80), b"{}")
