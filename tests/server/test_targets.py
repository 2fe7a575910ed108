"""Where a gateway is asked for its targets, by its configuration."""

import click
import pytest

from headgate.config.schema import Config
from headgate.server.targets import address

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
