"""What is made up looks like what it stands for, passes its checks, and is put back however a person is called."""

import re

from headgate.core.made_up import MOST, made_up
from headgate.core.vault import Taken, Vault
from headgate.redaction.sums import luhn, mod_97

LIKE = {
    ("email", "joe@x.com"): r"[a-z]+\.[a-z]+@example\.com",
    ("person", "Ada Lovelace"): r"[A-Z][a-z]+ [A-Z][a-z]+",
    ("person", "Mrs. Lovelace"): r"Mrs\. [A-Z][a-z]+",
    ("phone", "+1 (415) 867-5309"): r"\+1 \(415\) 555-01\d\d",
    ("phone", "212.867.5309"): r"212\.555\.01\d\d",
    ("card", "4111-1111-1111-1111"): r"4\d{3}-\d{4}-\d{4}-\d{4}",
    ("iban", "DE89 3704 0044 0532 0130 00"): r"DE\d\d \d{4} \d{4} \d{4} \d{4} \d\d",
    ("ip", "10.1.2.3"): r"192\.0\.2\.\d+",
}


def test_each_is_like_the_value_and_there_are_many():
    for (kind, value), like in LIKE.items():
        made = [made_up(kind, value, number) for number in range(MOST)]
        assert all(re.fullmatch(like, each) for each in made), made
        assert len(set(made)) == MOST
        assert value not in made
        for each in made:
            plain = re.sub(r"[ -]", "", each)
            assert kind != "card" or luhn(plain.encode())
            assert kind != "iban" or mod_97((plain[4:] + plain[:4]).encode())
        assert made_up(kind, value, MOST) is None
    assert made_up("ssn", "078-05-1120", 0) is None


def test_no_number_is_made_up_that_somebody_has():
    """Elsewhere than in North America 555-01xx is a number like any other."""
    for value in ("+49 30 901820", "+49 4158 675309", "030 901820-15", "0415 867 5309", "+44 20 7946 0958", "5309"):
        assert made_up("phone", value, 0) is None, value


def back(vault, text):
    for one in reversed(vault.met(text)):
        text = text[: one.start] + one.value + text[one.end :]
    return text


def test_a_person_is_known_by_each_name():
    vault, taken = Vault(), Taken(["Ada Lovelace and alexis"])
    made = vault.surrogate("person", "Ada Lovelace", taken, make=True)
    first, last = made.split()
    assert "Alexis" not in made
    assert vault.surrogate("person", "Lovelace", taken, make=True) == last
    assert back(vault, f"{made.upper()}, Ms. {last}'s {first}; {first}x {last.lower()}") == (
        f"Ada Lovelace, Ms. Lovelace's Ada; {first}x Lovelace"
    )
    assert vault.surrogate("ssn", "078-05-1120", taken, make=True) == "<SSN_1>"
    assert vault.clear(f"Dear {made[:-3]}") == 5
    assert vault.clear("Dear ") == 5


def test_what_is_not_known_how_to_make_up_has_a_label():
    vault, taken = Vault(), Taken([])
    made = [vault.surrogate("email", f"a{number}@x.com", taken, make=True) for number in range(MOST + 2)]
    assert made[MOST:] == ["<EMAIL_1>", "<EMAIL_2>"]
    assert [back(vault, each) for each in made] == [f"a{number}@x.com" for number in range(MOST + 2)]
