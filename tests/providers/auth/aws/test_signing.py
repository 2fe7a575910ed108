"""Signatures are those of botocore, whatever is signed."""

import datetime
from unittest import mock
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways import rounds
from headgate.providers.auth.aws.signing import Keys, Signer, canonical_path

letters = "abcXYZ019-_.~!$&'()*+,;=:@ %/é🌍"
segments = st.text(letters, max_size=12)
paths = st.lists(segments | st.sampled_from(["", ".", "..", "us.anthropic.claude-opus-4-1-20250805-v1:0"]), max_size=5)
queries = st.lists(st.tuples(st.text("aAbB01-_ é/+", min_size=1, max_size=6), st.text(letters, max_size=8)), max_size=5)
spaces = st.text(" ab,;=\t0", max_size=20)
extras = st.dictionaries(
    st.sampled_from(["x-amz-target", "x-amzn-bedrock-trace", "content-type", "x-amz-meta-b", "accept"]), spaces
)
secrets = st.text("abcdefAB0123456789/+", min_size=1, max_size=40)
moments = st.integers(946684800, 4102444799)


def botocores(keys, region, service, method, target, headers, body, now):
    request = AWSRequest(method=method, url=f"https://{headers['host']}{target}", headers=headers, data=body)
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token)
    # the oracle has no other way to be told the time
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment):
        botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
    return dict(request.headers)


@given(paths, queries, extras, secrets, st.none() | secrets, st.binary(max_size=100), moments, st.booleans())
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_it_signs_as_botocore_does(path, query, extra, secret, token, body, now, slash):
    target = "/" + "/".join(quote(segment, safe="") for segment in path) + ("/" if slash else "")
    if query:
        target += "?" + "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query)
    keys = Keys("AKIDEXAMPLE", secret, token)
    headers = {"host": "bedrock-runtime.eu-west-1.amazonaws.com", **extra}
    signer = Signer("bedrock", "eu-west-1")
    given_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
    found = dict(signer.sign(keys, "POST", target, given_headers, body, now))
    wanted = botocores(keys, "eu-west-1", "bedrock", "POST", target, headers, body, now)
    assert found[b"authorization"].decode() == wanted["Authorization"]
    assert found[b"x-amz-date"].decode() == wanted["X-Amz-Date"]
    assert found.get(b"x-amz-security-token", b"").decode() == wanted.get("X-Amz-Security-Token", "")


@given(st.lists(st.tuples(secrets, moments), max_size=8))
@settings(deadline=None)
def test_one_signer_signs_with_many_keys_on_many_days(uses):
    signer = Signer("bedrock", "us-east-1")
    headers = [(b"host", b"h")]
    for secret, now in uses:
        keys = Keys("A", secret)
        fresh = Signer("bedrock", "us-east-1").sign(keys, "POST", "/", headers, b"", now)
        assert signer.sign(keys, "POST", "/", headers, b"", now) == fresh


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("", "/"),
        ("/", "/"),
        ("/model/anthropic.claude-v2%3A1/converse", "/model/anthropic.claude-v2%253A1/converse"),
        ("/model/anthropic.claude-v2:1/converse", "/model/anthropic.claude-v2%3A1/converse"),
        ("/model/arn%3Aaws%3Abedrock%2Fx/invoke", "/model/arn%253Aaws%253Abedrock%252Fx/invoke"),
        ("/a//b/../c/./d/", "/a/c/d/"),
        ("/../..", "/"),
    ],
)
def test_the_path_is_encoded_once_more(path, canonical):
    assert canonical_path(path) == canonical


def test_the_vendors_own_example():
    """`get-vanilla` of Amazon's test suite for signatures."""
    keys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    [date, proof] = Signer("service", "us-east-1").sign(
        keys, "GET", "/", [(b"host", b"example.amazonaws.com")], b"", 1440938160
    )
    assert date == (b"x-amz-date", b"20150830T123600Z")
    assert proof[1].decode() == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_keys_do_not_show_their_secrets():
    assert "hunter2" not in repr(Keys("AKIDEXAMPLE", "hunter2", "hunter2"))
