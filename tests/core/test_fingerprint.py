"""The same body has the same fingerprint, another has another, and only who has the key knows which."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.fingerprint import HEAD, LONG, Fingerprints

KEYED = Fingerprints("one secret")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_bodies_are_alike_where_their_fingerprints_are(one, other):
    assert (KEYED(one) == KEYED(other)) == (one == other)
    assert KEYED(one) == Fingerprints("one secret")(one) != Fingerprints("another")(one)


def test_of_a_long_body_its_beginning_end_and_length_count():
    body = bytes(range(256)) * 40
    whole, prefix = KEYED(body)
    assert len(body) > LONG
    assert KEYED(body[:-1] + b"x") == (KEYED(body[:-1] + b"x")[0], prefix)
    others = [body[:-1] + b"x", body + body[-256:], b"x" + body[1:]]
    assert len({whole, *(KEYED(other)[0] for other in others)}) == 4
    assert KEYED(b"x" + body[1:])[1] != prefix


def test_a_short_body_has_no_beginning_of_its_own():
    assert KEYED(b"a" * (LONG - 1))[1] is None
    assert KEYED(b"a" * LONG)[1] == KEYED(b"a" * HEAD + b"b" * HEAD)[1] is not None
