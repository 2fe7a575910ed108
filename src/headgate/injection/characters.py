"""Characters that hide what a text says: what they are read as, and which of them nobody sees."""

from __future__ import annotations

import re
import unicodedata

TWINS = {
    # Cyrillic
    **dict(zip("аАвВсСеЕгԍһНіІїјЈкКӏԛмМпоОрРѕЅтТуУѵԝхХԁ", "aAbBcCeErghHiIijJkKlqmMnoOpPsStTyYvwxXd", strict=True)),
    # Greek
    **dict(zip("αΑβΒϲϹεΕηΗιΙϳΚκΜνΝοΟρΡσΤτυΥΖχΧωγ", "aAbBcCeEnHiIjKkMvNoOpPoTtuYZxXwy", strict=True)),
    # Armenian, small capitals, letters of phonetic alphabets
    **dict(zip("աՏցօսհոռգԼ", "wSgouhnnqL", strict=True)),
    **dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True)),
    **dict(zip("ɑɡɩɔǝɐɯɹʇʌʍʎʞɥɟɓɖɗƙƥɛ", "agiceamrtvwykhfbddkpe", strict=True)),
}
"""What looks like a Latin letter and is none, of Unicode's confusables those that attacks are written with
(https://www.unicode.org/reports/tr39/); what NFKC makes Latin needs no place here."""
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
"""As the inside of a class of `re`: zero width, bidi, tags, variation selectors, fillers."""
UNSEEN = re.compile(f"[{INVISIBLE}]")
MARKS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
"""Accents, which can be heaped upon letters."""
ALSO = {
    **dict(zip("øØłŁđĐħĦŧŦƒıſ‐‑‒–—−‘’‚“”„", "oOlLdDhHtTfis------'''\"\"\"", strict=True)),
    **{chr(first + place): chr(65 + place) for first in (0x1F130, 0x1F150, 0x1F170) for place in range(26)},
}
"""What NFKD leaves as it is: letters with strokes, dashes, quotes, letters in squares and circles."""


class Plain(dict[int, str | None]):
    """A table for `str.translate` that finds out what a character is read as when one asks for the first time."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        if UNSEEN.match(letter):
            plain = None
        else:
            plain = ALSO.get(letter)
            if plain is None:
                parted = MARKS.sub("", unicodedata.normalize("NFKD", letter))
                plain = unicodedata.normalize("NFC", parted)
        if len(self) < 20_000:
            self[code] = plain
        return plain


_TWIN = "".join(TWINS)
TWIN = re.compile(f"[{_TWIN}]")
_LATIN = "A-Za-z\u00c0-\u024f"
MIXED = re.compile(f"[{_LATIN}][{_TWIN}]|[{_TWIN}][{_LATIN}]")
"""Where a word changes from letters to their twins: no alphabet has both."""
ALIKE = re.compile(f"(?<![^\\W\\d_])[{_LATIN}{_TWIN}]+(?![^\\W\\d_])")
"""A word of letters and twins alone."""
UNTWIN = {ord(twin): letter for twin, letter in TWINS.items()}
