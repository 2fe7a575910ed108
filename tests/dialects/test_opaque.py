"""Where a forwarded request may go, and what may go with it, in either direction."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import InvalidRequest, Unauthenticated, Unsupported
from headgate.dialects import anthropic_messages
from headgate.dialects.opaque import Opaque, asked, joined, linked, passed
from headgate.dialects.opaque import given as passed_back
from together import together


@together(
    ("base", "rest", "path"),
    [
        ("/v1", b"/files", "/v1/files"),
        ("/v1", b"/v1/files", "/v1/files"),
        ("/v1/", b"/v1/files/file-1/content", "/v1/files/file-1/content"),
        ("/v1", b"/v1", "/v1"),
        ("", b"/v1/files", "/v1/files"),
        ("/", b"/v1/files", "/v1/files"),
        ("", b"/", "/"),
        ("/openai/v1", b"/v1/batches", "/openai/v1/batches"),
        ("/openai/v1", b"/openai/v1/batches", "/openai/v1/batches"),
        ("/openai/v1", b"/batches/", "/openai/v1/batches/"),
        ("/v1", b"/v1beta/files", "/v1/v1beta/files"),
        ("/api", b"/api/tags", "/api/api/tags"),
        ("", b"/upload/v1beta/files", "/upload/v1beta/files"),
        ("/v1", b"/models/ft:gpt-4o@org:x$y,(z)", "/v1/models/ft:gpt-4o@org:x$y,(z)"),
        ("/v1", b"/files/a%20b%C3%A9", "/v1/files/a%20b%C3%A9"),
        ("/v1", b"/files/.../.well-known", "/v1/files/.../.well-known"),
    ],
)
def test_the_rest_of_the_path_goes_below_the_base(base, rest, path):
    assert joined(base, rest) == path


@together(
    "rest",
    [
        b"/..", b"/.", b"/../admin", b"/files/../../admin", b"/files/./x", b"/%2e%2e/admin", b"/%2E./x", b"/.%2e",
        b"/%252e%252e/x", b"/%25252e%25252e/x", b"/..;/admin", b"/..;a=b/x", b"/%2e%2e;x/y", b"/%2e%2e%3bx",
        b"/a%2fb", b"/a%2Fb", b"/a%252fb", b"/a%5cb", b"/a\\b", b"/..\\x", b"/a%00b", b"/a%0d%0ahost:evil", b"/a%7f",
        b"//evil.example/x", b"/files//x", b"/files//", b"//", b"/\xc3\xa9", b"/a b", b"/a#b", b"/a%zz", b"/a%2",
        b'/a"b', b"/a<b>", b"/a|b", b"/a^b", b"/a`b", b"/{a}", b"", b"files", b"http://evil.example/",
        b"@evil.example/x", b":80/x", b"/a?b", b"/\r\nx", b"/a%25%32%66b",
    ],
)  # fmt: skip
def test_what_could_mean_another_place_is_refused(rest):
    with pytest.raises(InvalidRequest):
        joined("/v1", rest)


@together(
    ("root", "value", "leads"),
    [
        (b"/v1", b"https://host.example/v1/files?a=1", b"http://ours/name/files?a=1"),
        (b"/v1", b"/v1/files", b"http://ours/name/files"),
        (b"", b"/files", b"http://ours/name/files"),
        (b"", b"https://host.example/files", b"http://ours/name/files"),
        (b"", b"https://host.example.evil.example/files", None),
        (b"", b"//evil.example/files", None),
        (b"", b"https://host.example//evil.example", None),
        (b"/v1", b"https://host.example/v1beta/files", None),
        (b"/v1", b"/v2/files", None),
        (b"/v1", b"files", None),
    ],
)
def test_where_a_reply_leads_is_the_gateways_where_it_can_be(root, value, leads):
    assert linked(value, b"https://host.example", root, b"http://ours/name") == (leads or value)


@given(st.binary(max_size=40) | st.text("abv1/.%2efF5c\\@:;#? \r\n", max_size=40).map(str.encode))
def test_no_path_leaves_the_base_or_the_origin(rest):
    try:
        path = joined("/base/v1", b"/" + rest)
    except InvalidRequest:
        return
    assert path.startswith("/base/v1")
    url = urlsplit(f"https://host.example{path}")
    assert (url.hostname, url.path, url.query, url.fragment) == ("host.example", path, "", "")
    while path != unquote(path):
        path = unquote(path)
    assert not {".", ".."} & set(path.replace("\\", "/").split("/"))
    assert "//" not in path


@pytest.mark.parametrize(
    ("base", "query", "sent"),
    [
        ("", b"", ""),
        ("", b"limit=2&after=x%26y&flag", "limit=2&after=x%26y&flag"),
        ("api-version=1", b"", "api-version=1"),
        ("api-version=1", b"limit=2", "api-version=1&limit=2"),
        ("", b"key=hg-secret&pageToken=t", "pageToken=t"),
        ("", b"%6bey=hg-secret&KEY=x&api%5Fkey=1&access_token=2&+key=3", ""),
        ("", b"keyword=a&expand[]=b", "keyword=a&expand[]=b"),
    ],
)
def test_a_query_goes_on_without_its_keys(base, query, sent):
    assert asked(base, query) == sent


@pytest.mark.parametrize("query", [b"a b", b"a#b", b"a\r\nb", b"a=%zz", b"\xc3"])
def test_a_query_that_is_none_is_refused(query):
    with pytest.raises(InvalidRequest):
        asked("", query)


def test_only_named_headers_of_a_client_go_on():
    kept = [
        (b"accept", b"text/event-stream"), (b"content-type", b"application/json"), (b"content-encoding", b"gzip"),
        (b"range", b"bytes=0-9"), (b"if-none-match", b'"x"'), (b"idempotency-key", b"1"),
        (b"openai-beta", b"assistants=v2"), (b"anthropic-beta", b"files"), (b"anthropic-version", b"2023-06-01"),
        (b"x-goog-upload-command", b"upload, finalize"), (b"x-goog-fieldmask", b"*"),
    ]  # fmt: skip
    dropped = [
        (b"authorization", b"Bearer hg-1"), (b"x-api-key", b"hg-1"), (b"api-key", b"hg-1"), (b"x-goog-api-key", b"1"),
        (b"xi-api-key", b"1"), (b"cookie", b"a"), (b"host", b"gw"), (b"content-length", b"3"), (b"connection", b"x"),
        (b"transfer-encoding", b"chunked"), (b"x-forwarded-for", b"1"), (b"forwarded", b"1"), (b"user-agent", b"x"),
        (b"accept-encoding", b"gzip"), (b"openai-organization", b"other"), (b"openai-project", b"other"),
        (b"x-goog-user-project", b"other"), (b"x-goog-iam-authorization-token", b"t"), (b"x-stainless-os", b"Linux"),
        (b"upgrade", b"websocket"), (b"expect", b"100-continue"), (b"proxy-authorization", b"x"),
    ]  # fmt: skip
    assert passed([*kept, *dropped]) == kept


def test_a_providers_headers_go_back_but_for_secrets_and_the_connections():
    kept = [(b"content-type", b"text/plain"), (b"etag", b'"1"'), (b"openai-version", b"1"), (b"retry-after", b"3"),
            (b"content-disposition", b"attachment"), (b"x-ratelimit-remaining-requests", b"1"),
            (b"cache-control", b"no-store"), (b"request-id", b"req_1")]  # fmt: skip
    dropped = [(b"set-cookie", b"s"), (b"transfer-encoding", b"chunked"), (b"connection", b"close, x-mine"),
               (b"x-mine", b"1"), (b"content-length", b"3"), (b"content-encoding", b"gzip"), (b"keep-alive", b"1"),
               (b"x-request-id", b"theirs"), (b"x-headgate-model", b"forged"), (b"server", b"x"), (b"alt-svc", b"h3"),
               (b"proxy-authenticate", b"x"), (b"upgrade", b"h2c")]  # fmt: skip
    assert passed_back([*kept, *dropped]) == kept


def test_errors_are_in_the_words_of_the_vendor():
    error = Unauthenticated("no key")
    assert Opaque().write_error(error, "r", streaming=False).startswith(b'{"error":{"message"')
    assert b'"type":"error"' in Opaque(anthropic_messages).write_error(error, "r", streaming=False)
    assert Opaque(anthropic_messages).write_error(error, "r", streaming=True) == b""
    assert b"request-id" in Opaque(anthropic_messages).reply_headers
    with pytest.raises(Unsupported):
        Opaque().write_request(Opaque().read_request({}), [])
