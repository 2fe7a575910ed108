"""The guards of personal data and of secrets: kinds that are chosen, places in characters, fields, streams."""

import asyncio
import signal

import pytest

from headgate.core.guard import Asked, Passage
from headgate.redaction.looking import clear, clear_of_names, clear_of_quotes, with_names
from headgate.redaction.names.found import Found
from headgate.stages.guards.personal import Personal, PersonalSettings
from headgate.stages.guards.secrets import Secrets, SecretsSettings
from together import together

DEFAULT = Personal(PersonalSettings())


def found(guard, text, **more):
    return [(text[each.start : each.end], each.category) for each in guard.look([Passage(text, **more)], Asked())]


def personal(**settings):
    return Personal(PersonalSettings(**settings))


def test_places_are_in_characters():
    text = "Größe 🦊 jürgen@bücher.example, Karte 4111 1111 1111 1111, IBAN DE89370400440532013000."
    assert found(DEFAULT, text) == [
        ("jürgen@bücher.example", "email"),
        ("4111 1111 1111 1111", "card"),
        ("DE89370400440532013000", "iban"),
    ]
    assert found(DEFAULT, "\ud83d joe@example.com") == [("joe@example.com", "email")]


def test_every_passage_is_looked_at_and_nothing_of_what_was_found_is_told():
    said = list(DEFAULT.look([Passage("see +49 30 901820"), Passage("nothing"), Passage("SSN 078-05-1120")], Asked()))
    assert [(each.passage, each.category, each.reason) for each in said] == [
        (0, "phone", "it has the form of one"),
        (2, "ssn", "words near it say so"),
    ]


def test_the_name_of_a_field_tells_what_its_text_is():
    path = ("messages", 1, "tool_calls", 0, "function", "arguments", "{}", "customerPhone")
    assert found(DEFAULT, "5551234567", path=path) == [("5551234567", "phone")]
    assert found(DEFAULT, "5551234567", path=(*path[:-1], "order")) == []
    assert found(DEFAULT, "ü 5551234567", path=path) == [("5551234567", "phone")]


def test_what_is_looked_for_can_be_chosen():
    text = "Steuer-ID 86095742719, joe@example.com, BSN 111222333, asthma"
    assert [kind for _, kind in found(DEFAULT, text)] == ["de_steuer_id", "email", "nl_bsn"]
    assert [kind for _, kind in found(personal(kinds=["tax_id"]), text)] == ["de_steuer_id"]
    assert [kind for _, kind in found(personal(also=["diagnosis"]), text)] == [
        "de_steuer_id",
        "email",
        "nl_bsn",
        "diagnosis",
    ]
    assert [kind for _, kind in found(personal(without=["contact", "nl_bsn"]), text)] == ["de_steuer_id"]
    assert [kind for _, kind in found(personal(packs=["nl"]), text)] == ["nl_bsn"]
    assert found(personal(threshold=1.0), text) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ["emial"]}, "there is no kind `emial`; did you mean `email`?"),
        ({"packs": ["deu"]}, "there is no pack `deu`; did you mean"),
        ({"packs": ["de"], "also": ["nl_bsn"]}, "there is no kind `nl_bsn`"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(settings, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        personal(**settings)


def test_secrets():
    guard = Secrets(SecretsSettings())
    assert found(guard, f"key sk-proj-{'a1B2' * 8}, joe@example.com, password: hunter22") == [
        (f"sk-proj-{'a1B2' * 8}", "api_key"),
        ("hunter22", "secret"),
    ]
    assert found(Secrets(SecretsSettings(kinds=["private_key"])), "password: hunter22") == []


@together(
    ("text", "open_"),
    [
        ("all is said. ", ""), ("and the wor", "wor"), ("card 4111 1111 11", "4111 1111 11"), ("card 4111 1111 ", "4111 1111 "),
        ("born 3 May 19", "3 May 19"), ("on 3 chairs we ", ""), ("lines 12\n34", "34"), ("我的电话", ""), ("x" * 500, "x" * 500),
        ("a " + "y" * 9000, "y" * 4096), (f"a -----BEGIN PRIVATE KEY-----\n{'zz11' * 300}\nab", f"-----BEGIN PRIVATE KEY-----\n{'zz11' * 300}\nab"), (f"a -----BEGIN PRIVATE KEY-----\n{'zz11' * 30}\n-----END PRIVATE K", f"-----BEGIN PRIVATE KEY-----\n{'zz11' * 30}\n-----END PRIVATE K"), ("-----BEGIN PRIVATE KEY----- is how it begins, mostly ", ""), ("", ""),
    ],
)  # fmt: skip
def test_what_of_a_stream_may_still_become_something(text, open_):
    assert text[clear(text) :][-len(open_) or len(text) :] == open_ or (not open_ and clear(text) == len(text))
    assert len(text) - clear(text) <= max(len(open_), 4096 + 160)


@pytest.mark.parametrize("line", ["a", "a ", "ab\\n", "Comment: "])
def test_what_only_begins_like_a_private_key_takes_no_time(line):
    """It took for ever: a reply of a hundred letters stopped the process."""
    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(20)
    try:
        text = f"-----BEGIN PRIVATE KEY-----\n{line * 2000}! and"
        assert text[clear(text) :] == "and"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def too_late(*_):
    raise TimeoutError


@together(
    ("text", "open_"),
    [
        ('{"password": "correct horse ba', "correct horse ba"), ("the password is 'correct ho", "correct ho"), (r'{\"db_password\": \"correct ', "correct "), ('"password": "correct horse", "n', ""),
        ('the "password" field', ""), ("it's open", ""), ('"password": "' + "long " * 30, ""), ("", ""),
    ],
)  # fmt: skip
def test_a_password_of_several_words_is_held_back_to_its_quotes(text, open_):
    assert text[clear_of_quotes(text) :] == open_
    assert Secrets(SecretsSettings()).clear(text) <= len(text) - len(open_)


NAMED = personal(names=True)


def test_names_and_addresses_are_found_where_it_is_asked_to():
    text = "Größe 🦊 My name is Margaret Okafor, I live at 42 Birchwood Avenue; joe@example.com"
    assert found(DEFAULT, text) == [("joe@example.com", "email")]
    assert found(NAMED, text) == [
        ("Margaret Okafor", "person"),
        ("42 Birchwood Avenue", "address"),
        ("joe@example.com", "email"),
    ]
    assert found(personal(names=["location"]), "I am from Paris. My name is Margaret Okafor.") == [
        ("Paris", "location")
    ]


def test_the_name_of_a_field_tells_that_its_text_is_a_name():
    path = ("messages", 1, "tool_calls", 0, "function", "arguments", "{}", "customerName")
    assert found(NAMED, "margaret okafor", path=path) == [("margaret okafor", "person")]


def test_of_a_name_and_a_number_upon_each_other_nothing_is_left():
    class Both:
        def find(self, text):
            at = text.index("12 Elm")
            return [Found(at, at + len("12 Elm Row, joe@exam"), "address", 0.9)]

    text = "to 12 Elm Row, joe@example.com"
    passages = [Passage("nothing"), Passage(text)]
    said = with_names(DEFAULT.look(passages, Asked()), Only(Both(), passages[1].text), passages)
    assert [(each.passage, text[each.start : each.end], each.category) for each in said] == [
        (1, "12 Elm Row, joe@example.com", "address")
    ]


class Only:
    """A recogniser that knows one text."""

    def __init__(self, finder, text):
        self.finder, self.text = finder, text

    def find(self, text):
        return self.finder.find(text) if text == self.text else []


@together(
    ("text", "open_"),
    [
        ("we all said that it is so", "that it is so"), ("so says Anna Maria of the Hill in", "Anna Maria of the Hill in"),
        ("a b", "a b"), ("", ""),
    ],
)  # fmt: skip
def test_what_of_a_stream_may_still_become_a_name(text, open_):
    assert text[clear_of_names(text) :] == open_
    assert NAMED.clear(text) <= clear_of_names(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ["persn"]}, "there is no kind of names `persn`; did you mean `person`?"),
        ({"ner": "names.mine:Mine"}, "add `names: true`"),
        ({"names": True, "ner": "mine"}, "write `package.module:Class`"),
        ({"names": True, "ner": "no.such:Thing"}, "there is no module `no`"),
        ({"names": True, "ner": "a.b:C", "spacy": "en"}, "leave one out"),
    ],
)
def test_a_recogniser_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        personal(**settings)


async def test_others_have_their_turn_while_long_texts_are_looked_through():
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    said = "Dear Mrs. Lindqvist, this is a letter. " * 1500 + "My name is Margaret Okafor"
    findings = await NAMED.look([Passage("nothing"), Passage(said), Passage("x" * 20_000)], Asked())
    beside.cancel()
    assert [(each.passage, said[each.start : each.end]) for each in findings] == [
        *[(1, "Lindqvist")] * 1500,
        (1, "Margaret Okafor"),
    ]
    assert turns > len(said) / 8192
