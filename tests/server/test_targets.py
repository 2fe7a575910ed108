"""Where a gateway is asked for its targets, by its configuration, and how they are printed."""

import click
import pytest

from headgate.config.remote import address
from headgate.config.schema import Config
from headgate.server.targets import show
from upstreams import ScriptedUpstream, json_reply

TLS = {"cert": "cert.pem", "key": "key.pem"}


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ({}, "http://127.0.0.1:4000"),
        ({"host": "0.0.0.0", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": "::"}, "http://[::1]:4000"),
        ({"host": "gateway.example", "tls": TLS}, "https://gateway.example:4000"),
        ({"host": "gateway.example", "tls": TLS, "admin": {"port": 4001}}, "http://127.0.0.1:4001"),
    ],
)
def test_it_is_asked_where_operators_are_answered(server, url):
    assert address(Config.model_validate({"server": server})) == url


def test_a_port_that_nobody_knows_is_asked_for():
    with pytest.raises(click.ClickException, match="--url"):
        address(Config.model_validate({"server": {"port": 0}}))


def told(name, **circuit):
    return {
        "target": name, "models": ["chat"], "circuit": {"state": "closed", "opened": 0, **circuit}, "running": 3,
        "last_30_seconds": {"answered": 9, "failed": 1}, "seconds": {"answer_p50": 0.5, "answer_p95": 2.0},
        "limits": {"concurrency": 8, "waiting": 2}, "keys": [],
    }  # fmt: skip


def test_what_workers_see_differently_is_said(capsys):
    apart = {"closed": 2, "open": 1, "half_open": 1}
    targets = [told("a/m", in_workers=apart), told("b/\x1b[31m", in_workers={"closed": 4})]
    with ScriptedUpstream() as gateway:
        gateway.script = json_reply({"worker": 1, "targets": targets})
        show(gateway.url, {"HEADGATE_ADMIN_KEY": "k" * 16}, as_json=False)
    out = capsys.readouterr().out.splitlines()
    assert out[1].split() == ["a/m", "closed", "3/8", "2", "9", "1", "0.5/2s"]
    assert out[3:] == ["a/m: of 4 workers its circuit is closed in 2, open in 1, half-open in 1"]
    assert "\x1b" not in "".join(out)
    assert gateway.requests[0].path == "/admin/api/targets"


def test_the_admin_key_has_to_be_given():
    with pytest.raises(click.ClickException, match="HEADGATE_ADMIN_KEY"):
        show("http://127.0.0.1:9", {}, as_json=False)
