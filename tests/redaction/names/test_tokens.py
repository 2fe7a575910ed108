"""Few words are weighed: those that may be names, and what stands between and beside them."""

from headgate.redaction.names.tokens import WORD, Lexicon
from together import together

LEXICON = Lexicon({"anna": "g", "street": "r", "please": "p", "rose": "gp", "mill": "cp"})


@together(
    ("text", "wanted"),
    [
        ("nothing here, of the kind 12", []),
        ("Please wait", []),
        ("we saw Anna there", ["Anna"]),
        ("we saw anna there, a rose", ["anna"]),
        ("at 12 mill street; today", ["12 mill street"]),
        ("in the street", []),
        ("the University of the West, now", ["the University of the West ,"]),
        ("my name is bob", ["bob"]),
        ("by Ann and Bob", ["Ann and Bob"]),
        ("键以启动设备", []),
    ],
)
def test_what_is_weighed(text, wanted):
    words = WORD.findall(text)
    assert [" ".join(words[start:end]) for start, end in LEXICON.spans(words)] == wanted


def test_every_character_but_spaces_is_in_a_word():
    text = "O'Brien's  “naïve”\t12-34\n\u0301x_y 🙂"
    assert "".join(WORD.findall(text)) == "".join(each for each in text if each == "\n" or not each.isspace())
