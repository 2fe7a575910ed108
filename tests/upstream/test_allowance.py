"""The vendors' headers about limits, as their documentation shows them."""

import pytest

from headgate.upstream.allowance import Left, left


def test_openais():
    headers = [
        (b"content-type", b"application/json"),
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"59"),
        (b"x-ratelimit-remaining-tokens", b"149984"),
        (b"x-ratelimit-reset-requests", b"1s"),
        (b"x-ratelimit-reset-tokens", b"6m0s"),
    ]
    assert left(headers, 0.0) == Left(59, 149984, 1.0, 360.0)


def test_anthropics():
    headers = [
        (b"anthropic-ratelimit-requests-remaining", b"0"),
        (b"anthropic-ratelimit-requests-reset", b"2026-01-01T00:00:30Z"),
        (b"anthropic-ratelimit-input-tokens-remaining", b"2000"),
        (b"anthropic-ratelimit-input-tokens-reset", b"2026-01-01T00:01:00Z"),
        (b"anthropic-ratelimit-tokens-remaining", b"9000"),
    ]
    assert left(headers, 1767225600.0) == Left(0, 2000, 30.0, 60.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"17ms", 0.017),
        (b"7.66s", 7.66),
        (b"1h2m3s", 3600.0),
        (b"0.5", 0.5),
        (b"-3", 0.0),
        (b"soon", 60.0),
        (b"", 60.0),
    ],
)
def test_times(text, seconds):
    found = left([(b"x-ratelimit-remaining-requests", b"1"), (b"x-ratelimit-reset-requests", text)], 0.0)
    assert found.requests_reset == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"many", b"-1", b"1.5", "٣".encode()])
def test_nonsense_is_nothing(value):
    assert left([(b"x-ratelimit-remaining-requests", value)], 0.0) is None


def test_no_headers_no_limits():
    assert left([(b"content-type", b"application/json")], 0.0) is None
