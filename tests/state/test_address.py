"""URLs of shared states."""

import pytest

from headgate.state.address import address
from together import together


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache", ("cache", 6379, None, None, 0, False)),
        ("valkey://cache:1/", ("cache", 1, None, None, 0, False)),
        ("rediss://:s%40y@[::1]:6380/3", ("::1", 6380, None, "s@y", 3, True)),
        ("valkeys://me:secret@cache.internal", ("cache.internal", 6379, "me", "secret", 0, True)),
    ],
)
def test_what_a_url_says(url, expected):
    assert address(url) == expected


@together(
    "url",
    [
        "http://:hunter2hunter2@host", "cache:6379", "", "redis://", "redis://:hunter2hunter2@", "redis://host:0",
        "redis://host:port", "redis://host:99999", "redis://host/keys", "redis://host/1/2", "redis://host?db=1",
        "redis://host/\u0663", "redis://host#hunter2hunter2", "redis://[::1",
    ],
)  # fmt: skip
def test_what_is_none_is_told_without_what_it_holds(url):
    with pytest.raises(ValueError, match="URL") as raised:
        address(url)
    assert "hunter2" not in str(raised.value)
