"""Addresses that a provider names in an answer."""

import pytest

from headgate.core.errors import ProviderNonsense
from headgate.core.target import Origin
from headgate.providers.jobs.job import address, origin
from together import together


def test_an_address_has_an_origin():
    assert origin(address("https://a.example/x")) == Origin("https", "a.example", 443)
    assert origin(address("http://a.example:81/x")) == Origin("http", "a.example", 81)


@together(
    "url",
    [
        "", "a.example/x", "//a.example/x", "ftp://a.example/", "https://", "https://u:p@a.example/",
        "https://a.example:0/", "https://a.example:99999/", "https://a.example:x/", "https://[::1/",
        "https://a.example/ x", "https://a.example/\r\nx: y", "https://ä.example/", "https://a.example/" + "x" * 9000,
    ],
)  # fmt: skip
def test_what_is_no_address(url):
    with pytest.raises(ProviderNonsense):
        address(url)
