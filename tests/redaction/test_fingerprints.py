"""Pieces of registered files are known again, and nothing else is."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.redaction import fingerprints
from headgate.redaction.fingerprints import ROW, WINDOW, Registry, numbers

SOURCE = Path(fingerprints.__file__).parent
OWN = (SOURCE / "fingerprints.py").read_bytes()
OTHER = (SOURCE / "redactor.py").read_bytes()
TOKEN = re.compile(rb"\w+|[^\w\s]")


def snippets(data, tokens, seed=3):
    """Pieces of so many tokens, words and signs."""
    spans = [match.span() for match in TOKEN.finditer(data)]
    chance = random.Random(seed)
    starts = [chance.randrange(len(spans) - tokens) for _ in range(60)]
    return [data[spans[start][0] : spans[start + tokens - 1][1]] for start in starts]


def test_a_piece_of_fifty_tokens_is_known_however_it_is_set_out():
    registry = Registry(numbers(OWN))
    for piece in snippets(OWN, 60):
        if len(re.findall(rb"\w+", piece)) < ROW + WINDOW + 6:
            continue  # mostly signs
        for said in (
            piece,
            re.sub(rb"\s+", b" ", piece),
            piece.replace(b"\n", b"\n\t\t").replace(b'"', b"'"),
            piece.upper(),
        ):
            [found] = registry.find(b"Please mend this:\n" + said + b"\nThank you very much.")
            inner = said.strip()
            assert found.start >= 18 - 1
            assert found.end - found.start >= len(inner) * 0.6


def test_what_has_not_been_registered_is_not_known():
    registry = Registry(numbers(OWN))
    assert registry.find(OTHER) == []
    assert registry.find(b"words " * 500) == []
    assert registry.find(b"") == []
    assert Registry(numbers(b"a b c")).find(b"a b c") == []


@given(
    st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "Ünal", "x1"]), min_size=40, max_size=90), st.data()
)
def test_every_copy_that_is_long_enough_has_something_that_is_kept(words, data):
    length = data.draw(st.integers(ROW + WINDOW - 1, len(words)))
    start = data.draw(st.integers(0, len(words) - length))
    copied = " ".join(words[start : start + length])
    assert numbers(" ".join(words).encode()) & numbers(f"{copied}".encode())


def test_two_pieces_are_two(tmp_path):
    registry = Registry(numbers(OWN) | numbers(OTHER))
    text = OWN[500:1200] + b" something else entirely, written by hand, " * 20 + OTHER[600:1400]
    assert len(registry.find(text)) == 2


def test_it_is_kept_in_a_file_without_a_word_of_what_was_registered(tmp_path):
    path = tmp_path / "known"
    Registry(numbers(OWN)).save(path)
    assert Registry.load(path).numbers == numbers(OWN)
    assert b"winnow" not in path.read_bytes()
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="headgate guard register"):
        Registry.load(path)


def test_files_of_folders(tmp_path):
    for name in ("a.py", "b/c.py", ".git/x", "node_modules/y.js", "b/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [path.relative_to(tmp_path).as_posix() for path in fingerprints.files([tmp_path])] == ["a.py", "b/c.py"]
    (tmp_path / "picture").write_bytes(b"\x89PNG\0")
    assert fingerprints.text(tmp_path / "picture") is None
