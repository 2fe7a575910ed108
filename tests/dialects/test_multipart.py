"""Forms are read strictly, however their bytes are cut, and nothing of what they say is guessed."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import GatewayError, InvalidRequest, RequestError, TooLarge
from headgate.dialects.multipart import HEADER_BYTES, PARTS, TEXT_BYTES, Parser, boundary_of
from together import together

B = b"boundary-1234"
HEADER = b'Content-Disposition: form-data; name="%b"'

names = st.text(st.characters(codec="ascii", min_codepoint=33, exclude_characters='"\\\x7f'), min_size=1, max_size=12)
contents = st.binary(max_size=60) | st.sampled_from(
    [b"\r\n", b"\r\n--", b"\r\n--boundary-123", b"--boundary-1234", b"\n--boundary-1234--\n", b"\r", b"-" * 20]
)


def field(name, value, more=b""):
    return HEADER % name + more + b"\r\n\r\n" + value


def form(*parts, boundary=B):
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def read(body, cuts=(), boundary=B):
    parser = Parser(boundary)
    at = 0
    for cut in (*sorted(cut for cut in cuts if cut < len(body)), len(body)):
        parser.feed(body[at:cut])
        at = cut
    return parser.end()


def outcome(body, cuts=()):
    try:
        return [(part.name, part.text, part.filename, body[part.start : part.end]) for part in read(body, cuts)]
    except GatewayError as error:
        return type(error)


@given(st.lists(st.tuples(names, contents, st.booleans()), max_size=5), st.lists(st.integers(0, 900), max_size=12))
def test_any_cut_of_the_bytes_reads_the_same(parts, cuts):
    body = form(
        *(
            field(name.encode(), content, b'; filename="a.wav"' if file else b"")
            for name, content, file in parts
            if b"\r\n--" + B not in content
        )
    )
    assert outcome(body, cuts) == outcome(body)
    assert outcome(body, range(len(body))) == outcome(body)


@given(st.lists(st.tuples(names, st.binary(max_size=200)), min_size=1, max_size=5))
def test_what_was_written_is_read(parts):
    parts = [(name, content) for name, content in parts if b"\r\n--" + B not in content]
    body = form(*(field(name.encode(), content, b'; filename="f"') for name, content in parts))
    assert [(part.name, body[part.start : part.end]) for part in read(body)] == parts


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_junk_is_an_error_of_the_clients_and_nothing_else(junk, cuts):
    for body in (junk, b"--" + B + b"\r\n" + junk, form(junk), form(field(b"a", b"b"), junk)):
        found = outcome(body, cuts)
        assert isinstance(found, list) or issubclass(found, RequestError)
        assert outcome(body) == found


def test_a_form_cut_anywhere_is_refused():
    body = form(field(b"model", b"whisper-1"), field(b"file", b"RIFF....", b'; filename="a.wav"'))
    for end in range(len(body) - 2):  # the last line break may be missing
        with pytest.raises(InvalidRequest):
            read(body[:end])
    assert len(read(body[:-2])) == len(read(body)) == 2


def test_fields_and_files_are_told_apart_by_the_filename():
    body = form(
        field(b"model", b"m"),
        field(b"file", b"\xff\x00", b'; filename="../../etc/passwd"\r\nContent-Type: audio/wav'),
        field(b"other", b"x", b"; filename*=utf-8''a%20b.wav"),
        field(b"empty", b""),
    )
    model, file, other, empty = read(body)
    assert (model.text, model.filename, empty.text) == ("m", None, "")
    assert (file.text, file.filename, file.content_type) == (None, "../../etc/passwd", "audio/wav")
    assert other.text is None
    assert [part.line for part in (model, file)] == [0, body.index(b"--" + B, 1)]


@together(
    ("body", "why"),
    [
        (b"", "ends before"),
        (b"preamble\r\n" + form(), "begin with the boundary"),
        (form(field(b"a", b"1"), boundary=b"another"), "begin with the boundary"),
        (form(field(b"a", b"x\r\n--boundary-12345\r\n")), "goes on"),
        (form(field(b"a", b"1")).replace(B + b"\r\n", B + b" \r\n", 1), "goes on"),
        (form(field(b"a", b"1")) + b"epilogue", "follow"),
        (form(b"\r\n1"), "no content-disposition"),
        (form(b"X: y\r\n\r\n1"), "no content-disposition"),
        (form(HEADER % b"a" + b"\r\n folded: 1\r\n\r\n1"), "malformed"),
        (form(HEADER % b"a" + b"\nX: 1\r\n\r\n1"), "malformed"),
        (form(HEADER % b"a" + b"\r\n" + HEADER % b"b" + b"\r\n\r\n1"), "two content-disposition"),
        (form(b'Content-Disposition: form-data; name="a"; name="b"\r\n\r\n1'), "twice"),
        (form(b'Content-Disposition: form-data; name="a"; Name="b"\r\n\r\n1'), "twice"),
        (form(b"Content-Disposition: form-data; name*=utf-8''model\r\n\r\n1"), "`name`"),
        (form(b'Content-Disposition: form-data; name="mod\\el"\r\n\r\n1'), "backslash"),
        (form(b'Content-Disposition: attachment; name="a"\r\n\r\n1'), "must be form-data"),
        (form(b"Content-Disposition: form-data\r\n\r\n1"), "`name`"),
        (form(b'Content-Disposition: form-data; name="a\r\n\r\n1'), "malformed"),
        (form(field(b"a", b"1", b"\r\nContent-Type: text/plain; charset=utf-16")), "UTF-8"),
        (form(field(b"a", b"1", b"\r\nContent-Transfer-Encoding: base64")), "transfer-encoding"),
        (form(field(b"a", b"\xff")), "UTF-8"),
        (form(field(b"\xff", b"1")), "UTF-8"),
    ],
)
def test_what_parsers_differ_in_is_refused(body, why):
    with pytest.raises(InvalidRequest, match=why):
        read(body)


def test_a_nested_form_is_one_fields_content():
    inner = form(field(b"model", b"other"), boundary=b"inner")
    body = form(field(b"model", b"m"), field(b"files", inner, b"\r\nContent-Type: multipart/mixed; boundary=inner"))
    assert [(part.name, part.text) for part in read(body)] == [("model", "m"), ("files", inner.decode())]


@pytest.mark.parametrize(
    "body",
    [
        form(field(b"a", b"1", b"\r\nX: " + b"y" * HEADER_BYTES)),
        form(field(b"a", b"1", b"\r\nX: y" * 20)),
        form(*[field(b"a%d" % number, b"1") for number in range(PARTS + 1)]),
        form(field(b"a", b"x" * (TEXT_BYTES + 1))),
        form(*[field(b"a%d" % number, b"x" * 1000) for number in range(1, 150)], field(b"b", b"x" * TEXT_BYTES)),
    ],
    ids=["header", "headers", "parts", "field", "fields"],
)
def test_limits_hold(body):
    assert outcome(body) is TooLarge
    assert outcome(body, range(0, len(body), 977)) is TooLarge


def test_headers_without_end_are_not_waited_for():
    parser = Parser(B)
    parser.feed(b"--" + B + b"\r\n")
    for _ in range(HEADER_BYTES // 1024):
        parser.feed(b"x" * 1024)
    with pytest.raises(TooLarge):
        parser.feed(b"x" * 1024)


def test_nothing_of_a_file_is_kept():
    parser = Parser(B)
    parser.feed(b"--" + B + b"\r\n" + field(b"file", b"", b'; filename="f"'))
    piece = b"\r\n-" * 21845
    tracemalloc.start()
    for _ in range(200):
        parser.feed(piece)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    parser.feed(b"\r\n--" + B + b"--")
    [part] = parser.end()
    assert part.end - part.start == 200 * len(piece)


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'Multipart/Form-Data; charset=utf-8; Boundary="a b:c"', b"a b:c"),
        (b"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk", b"----WebKitFormBoundary7MA4YWxk"),
        (b"application/json", None),
        (b"", None),
        (b"multipart/mixed; boundary=abc", None),
    ],
)
def test_the_boundary_stands_in_the_content_type(value, boundary):
    assert boundary_of(value) == boundary


@together(
    "value",
    [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=" + b"x" * 71,
        b'multipart/form-data; boundary="x "',
        b'multipart/form-data; boundary="x\r\ny"',
        b"multipart/form-data; boundary=a; boundary=b",
        b"multipart/form-data; boundary=\xe9",
        b"multipart/form-data; boundary",
    ],
)
def test_a_boundary_that_is_none_is_refused(value):
    with pytest.raises(InvalidRequest):
        boundary_of(value)
