"""Our WordPiece parts texts as Hugging Face's tokenizers do."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece as Theirs
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from headgate.similarity.wordpiece import WordPiece

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LETTERS = "abcdefghijklmnopqrstuvwxyzäéñß0123456789你好.,!?'-$_éσς"
WORDS = ["how", "##ing", "##s", "weath", "##er", "play", "un", "##aff", "##able", "İ", "##ll"]
VOCABULARY = {
    word: number
    for number, word in enumerate(
        dict.fromkeys([*SPECIAL, *LETTERS, *LETTERS.upper(), *(f"##{letter}" for letter in LETTERS), *WORDS])
    )
}
TEXTS = [
    "How's the weather?\tUNAFFABLE\nplaying", "你好 playing好", "Ünïcödé É É naïve", "ΟΔΥΣΣΕΥΣ ΣΑΣ", "İstanbul ǅ",
    "a\u200bb a\u00adb a\u0000b \ufffd", "x" * 100 + " " + "x" * 101, "", "  ", "a_b$c^d`e", "«quoted» — dash",
    "\u061f \u0663 \u0627",
    "\u2028line\u00a0space\u3000wide\u0085next\x0bx", "a\ue000b\U000e0001c", "가나다 ｶﾅ", "\u037e \u1fef", "①½ x²",
]  # fmt: skip


def theirs(lower, strip, cjk):
    tokenizer = Tokenizer(Theirs(VOCABULARY, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(True, cjk, strip, lower)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize(
    ("lower", "strip", "cjk"), [(True, None, True), (False, None, True), (True, False, False), (False, True, True)]
)
def test_texts_are_parted_as_the_reference_does(lower, strip, cjk):
    reference, ours = theirs(lower, strip, cjk), WordPiece(VOCABULARY, lower=lower, strip=strip, cjk=cjk)
    for text in TEXTS:
        assert ours.numbers(text, 10_000)[1:-1] == reference(text), text


_reference, _ours = theirs(True, None, True), WordPiece(VOCABULARY)


def long_known(character):
    """Theirs goes by an older Unicode than Python does."""
    return unicodedata.category(character) == unicodedata.ucd_3_2_0.category(character)


@given(st.text(st.sampled_from(LETTERS + LETTERS.upper() + "   ") | st.characters(codec="utf-8").filter(long_known)))
def test_any_text_is_parted_as_the_reference_does(text):
    assert _ours.numbers(text, 10_000)[1:-1] == _reference(text)


def test_a_long_text_is_cut_between_its_beginning_and_end():
    begin, end = VOCABULARY["[CLS]"], VOCABULARY["[SEP]"]
    assert WordPiece(VOCABULARY).numbers("a b c d e", 5) == [begin, *(VOCABULARY[each] for each in "abc"), end]
    assert WordPiece(VOCABULARY).numbers("unaffable", 3) == [begin, VOCABULARY["un"], end]


def test_a_vocabulary_without_special_tokens_is_told():
    with pytest.raises(KeyError, match="UNK"):
        WordPiece({"a": 1})
