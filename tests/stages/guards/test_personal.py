"""The guards of personal data and of secrets: kinds that are chosen, places in characters, fields, streams."""

import pytest

from headgate.core.guard import Asked, Passage
from headgate.redaction.looking import clear
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
        ("a " + "y" * 9000, "y" * 4096), (f"a -----BEGIN PRIVATE KEY-----\n{'z ' * 300}", f"-----BEGIN PRIVATE KEY-----\n{'z ' * 300}"), ("", ""),
    ],
)  # fmt: skip
def test_what_of_a_stream_may_still_become_something(text, open_):
    assert text[clear(text) :][-len(open_) or len(text) :] == open_ or (not open_ and clear(text) == len(text))
    assert len(text) - clear(text) <= max(len(open_), 4096 + 160)
