"""An OpenID provider that is not ours, in a process of its own."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from gateways import free_port


class OpenIDProvider:
    """A running provider that lets in whoever says so."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def visit(self, url, person):
        """A person follows the address and logs in; what they are sent back with."""
        form = urllib.parse.urlencode({"sub": person}).encode()
        with pytest.raises(urllib.error.HTTPError) as answer:  # who is sent back, stays here
            _opener.open(urllib.request.Request(url, form), timeout=10)
        with answer.value as sent:
            assert sent.code == 302
            return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(sent.headers["location"]).query))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)


@contextlib.contextmanager
def openid_provider(*arguments):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *arguments],
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    provider = OpenIDProvider(port)
    try:
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                _opener.open(f"{provider.url}/.well-known/openid-configuration", timeout=5).read()
                break
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield provider
    finally:
        process.kill()
        process.wait()
