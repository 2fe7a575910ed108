import hashlib

import pytest

from headgate.catalog.refreshed import MAX_BYTES, BadCatalogue, parse
from together import together

GOOD = (
    b'{"openai":{"":{"sources":{"l":{"version":"2","read":"2026-02-02"}}},'
    b'"m":{"context":5,"prices":[{"from":"2026-01-01","daily":"00:30-16:30","input>200000":"1.25","images@low/1x1":"0.04",'
    b'"batch.input":"0.5"}]},"n":"m"}}'
)


def test_good_data_is_taken():
    found = parse(GOOD, "here")
    assert (found.models, found.origin, found.read) == (1, "here", "2026-02-02")
    assert found.sha256 == hashlib.sha256(GOOD).hexdigest()
    assert parse(GOOD, "here", hashlib.sha256(GOOD).hexdigest().upper()).models == 1


@together(
    ("data", "why"),
    [
        (b"", "cannot be read"),
        (b"<html>not found</html>", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (GOOD[:-3], "cannot be read"),
        (b"[]", "cannot be read"),
        (b"{}", "no models"),
        (b'{"openai":{"":{}}}', "no models"),
        (b'{"openai":{"m":{"context":"many"}}}', "cannot be read"),
        (b'{"openai":{"m":{"prices":[{"input":1.5}]}}}', "cannot be read"),
        (b'{"openai":{"m":{"prices":[{"input":"-1"}]}}}', "has a price that is none"),
        (b'{"openai":{"m":{"prices":[{"input":"1e-6"}]}}}', "has a price that is none"),
        (b'{"openai":{"m":{"prices":[{"input":"NaN"}]}}}', "has a price that is none"),
        (b'{"openai":{"m":{"prices":[{"from":"today","input":"1"}]}}}', "has a price that is none"),
        (b'{"openai":{"m":"n","n":"m"}}', "another name of a model that is not there"),
        (b'{"openai":{"m":{},"n":"gone"}}', "another name of a model that is not there"),
        (b" " * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_bad_data_is_refused_whole(data, why):
    with pytest.raises(BadCatalogue, match=why):
        parse(data, "here")


def test_data_that_is_not_the_pinned_one_is_refused():
    with pytest.raises(BadCatalogue, match="SHA-256"):
        parse(GOOD, "here", "0" * 64)
