"""Secrets in bytes that pass."""

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.secrecy import Secrecy

KEYS = ["aabaabaabaabaabaab", "abaabaabaabaabaaba", "sk-0123456789-0123456789"]
PIECES = st.lists(st.sampled_from([*KEYS, "aab", "ab", "sk-0123456789", "\n", "short"]), max_size=12).map("".join)


def veiled(secrecy, data, sizes):
    veil, given_back, at = secrecy.veil(), [], 0
    for size in sizes:
        given_back.append(veil.feed(data[at : at + size]))
        at += size
    return b"".join((*given_back, veil.feed(data[at:]), veil.end()))


@given(PIECES, st.lists(st.integers(0, 30), max_size=8))
@settings(max_examples=60, deadline=None)
def test_no_split_lets_a_secret_through(text, sizes):
    data = text.encode()
    found = veiled(Secrecy(KEYS), data, sizes)
    assert len(found) == len(data)
    assert not any(key.encode() in found for key in KEYS)
    if not any(key in text for key in KEYS):
        assert found == data


def test_what_is_short_may_stand_anywhere():
    assert veiled(Secrecy(["none", "test", "short"]), b"a short test", [3]) == b"a short test"


def test_nothing_is_held_back_that_is_not_the_beginning_of_a_secret():
    veil = Secrecy(KEYS).veil()
    assert veil.feed(b"data: 1 sk-0123\n\n") == b"data: 1 sk-0123\n\n"
    assert veil.feed(b"data: sk-01") == b"data: "
    assert veil.feed(b"2 no\n\n") == b"sk-012 no\n\n"


def test_tokens_that_were_learned():
    secrecy = Secrecy([])
    secrecy.learn(b"a-token-that-was-fetched")
    assert veiled(secrecy, b"<a-token-that-was-fetched>", [5]) == b"<" + b"*" * 24 + b">"
