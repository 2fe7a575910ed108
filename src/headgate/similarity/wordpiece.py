"""Parts texts into the numbers that BERT's models know them by, as their WordPiece tokenizers do."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

LONGEST = 100
"""Characters of a word; a longer one is unknown as a whole."""
LEARNED = 20_000
"""Characters, and words, of which is remembered what they become."""
CJK = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
"""Each of these characters is a word (as the Rust tokenizers have it, whose 0x2B920 is 0x2B820 in Google's)."""
UNKNOWN, BEGIN, END = "[UNK]", "[CLS]", "[SEP]"


class WordPiece:
    """A text's numbers, between those of its beginning and its end. Special tokens in a text are words like others."""

    def __init__(
        self, vocabulary: Mapping[str, int], *, lower: bool = True, strip: bool | None = None, cjk: bool = True
    ) -> None:
        """`strip` takes accents away; None: where `lower` is. Raises KeyError without special tokens."""
        self._vocabulary = vocabulary
        self._lower = lower
        self._strip = lower if strip is None else strip
        self._table = _Table(self._strip, cjk)
        self._unknown, self._begin, self._end = (vocabulary[special] for special in (UNKNOWN, BEGIN, END))
        self._learned: dict[str, list[int]] = {}

    def numbers(self, text: str, most: int) -> list[int]:
        """At most `most`; what comes after is left out."""
        if self._strip:
            text = unicodedata.normalize("NFD", text)
        if self._lower:
            text = text.replace("\u03a3", "\u03c3").lower()  # a sigma does not look whether it is the last
        found = [self._begin]
        for word in text.translate(self._table).split(" "):
            if word:
                found += self._word(word)
                if len(found) >= most:
                    break
        return [*found[: most - 1], self._end]

    def _word(self, word: str) -> list[int]:
        found = self._learned.get(word)
        if found is None:
            found = self._pieces(word)
            if len(self._learned) < LEARNED and len(word) <= LONGEST:
                self._learned[word] = found
        return found

    def _pieces(self, word: str) -> list[int]:
        """The longest beginning that is known, then of the rest, and so on."""
        if len(word) > LONGEST:
            return [self._unknown]
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                number = self._vocabulary.get(word[start:end] if not start else f"##{word[start:end]}")
                if number is not None:
                    break
            else:
                return [self._unknown]
            found.append(number)
            start = end
        return found


class _Table(dict[int, str | None]):
    """What becomes of a character: nothing, a space, a word of its own, or itself."""

    def __init__(self, strip: bool, cjk: bool) -> None:
        super().__init__()
        self._strip = strip
        self._cjk = cjk

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        found = self._of(code, character, unicodedata.category(character))
        if len(self) < LEARNED:
            self[code] = found
        return found

    def _of(self, code: int, character: str, category: str) -> str | None:
        if character in "\t\n\r" or category[0] == "Z":
            return " "
        if code == 0xFFFD or category in ("Cc", "Cf", "Cs", "Co") or (self._strip and category == "Mn"):
            return None
        if category[0] == "P" or (code < 128 and category[0] == "S"):
            return f" {character} "
        return f" {character} " if self._cjk and any(first <= code <= last for first, last in CJK) else character
