"""Guards of what is said at all: how much, in which language, a refusal, JSON by a schema, what was given."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.caller import Caller, Instructions
from headgate.core.guard import Asked, Passage
from headgate.stages.guard.mending import closed
from headgate.stages.guards.grounded import Grounded
from headgate.stages.guards.languages import Languages
from headgate.stages.guards.length import Length
from headgate.stages.guards.refusal import Refusal
from headgate.stages.guards.schema import Schema
from headgate.stages.guards.words import Words


def made(kind, **said):
    return kind(kind.Settings.model_validate(said))


def found(guard, *texts, side="reply", asked=None, **more):
    return list(guard.look([Passage(text, side, **more) for text in texts], asked or Asked()))


@pytest.mark.parametrize(
    ("said", "texts", "category"),
    [
        ({"characters": 10}, ["12345", "123456"], "too_long"),
        ({"characters": 11}, ["12345", "123456"], None),
        ({"each": 5}, ["12345", "123456"], "too_long"),
        ({"texts": 1}, ["a", "b"], "too_many"),
        ({"tokens": 3}, ["abcdefghijklm"], "too_long"),
        ({"tokens": 4}, ["abcdefghijklm"], None),
    ],
)
def test_how_much_may_be_asked(said, texts, category):
    assert [each.category for each in found(made(Length, **said), *texts, side="request")] == [category] * bool(
        category
    )


def test_a_bound_has_to_be_said():
    with pytest.raises(ValueError, match="say what is bounded"):
        made(Length)


GERMAN = "Könnten Sie mir bitte erklären, wie ich meine Rechnung vom letzten Monat noch einmal bekommen kann?"
ENGLISH = "Could you please explain to me how I can get my invoice of the last month once more, as a file?"


def test_languages_that_are_not_wanted():
    only = made(Languages, allowed=["en"])
    assert [each.category for each in found(only, ENGLISH, GERMAN)] == ["de"]
    assert found(only, GERMAN[:40], GERMAN[:20] * 3, part="tool_argument") == []
    assert [each.category for each in found(made(Languages, denied=["de"]), ENGLISH, GERMAN)] == ["de"]
    assert found(only, "def f(x):\n    return {k: v for k, v in x.items() if v is not None and len(v) > 3}\n") == []
    for said in ({}, {"allowed": ["en"], "denied": ["de"]}):
        with pytest.raises(ValueError, match="say which are"):
            made(Languages, **said)


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I\u2019m sorry, I cannot assist with this request.",
    "I cannot provide instructions for that.",
    "I won't help you write that.",
    "As an AI language model, I cannot give legal advice.",
    "I must decline this.",
    "Sorry, but I am unable to help here. I cannot discuss it.",
    "Es tut mir leid, aber dabei kann ich dir nicht helfen.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "Mi dispiace, ma non posso aiutarti.",
]
ANSWERS = [
    "Sure! Here is how you do it.",
    "I'm sorry to hear that. Here is what you can do about it.",
    "You cannot help everybody, but you can start with one.",
    "The server cannot create the file as the disk is full.",
    "Leider regnet es morgen; übermorgen wird es schön.",
    "I can help with that: first, open the settings.",
    "Write `sorry, I can't` in red letters on the sign.",
]


def test_refusals_are_told_from_answers():
    guard = made(Refusal)
    assert [text for text in REFUSALS if not found(guard, text)] == []
    assert [text for text in ANSWERS if found(guard, text)] == []
    assert found(guard, REFUSALS[0], part="thinking") == []
    assert found(guard, "x" * 500 + REFUSALS[0]) == []


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"name": "Ann", "age": 3}', None),
        ('```json\n{"name": "Ann"}\n```', {"name": "Ann"}),
        ('Here you are:\n```\n{"name": "Ann",}\n```\nAnything else?', {"name": "Ann"}),
        ('Sure: {"name": "Ann", "age": 3} as you wished.', {"name": "Ann", "age": 3}),
        ('{"name": "Ann", "age": 3,}', {"name": "Ann", "age": 3}),
        ('{"name": "Ann", "ag', {"name": "Ann"}),
        ('{"name": "Ann", "tags": ["a", "b', {"name": "Ann", "tags": ["a", "b"]}),
        ('{"name": "An', {"name": "An"}),
    ],
)
def test_what_is_nearly_json_is_mended(text, meant):
    told = found(made(Schema, schema=PERSON), text)
    if meant is None:
        assert told == []
    else:
        assert [(each.category, each.action, json.loads(each.instead)) for each in told] == [
            ("mended", "replace", meant)
        ]
        assert [each.category for each in found(made(Schema, schema=PERSON, mend=False), text)] == ["not_as_schema"]


@pytest.mark.parametrize("text", ["Hello", '{"age": 3}', '{"name": 3}', "[1, 2", '{"name": "An'])
def test_what_is_not_as_the_schema_says_is_blocked_without_its_words(text):
    schema = {**PERSON, "required": ["name", "age"]}
    [told] = found(made(Schema, schema=schema), text)
    assert (told.category, told.action) == ("not_as_schema", None)
    assert "An" not in told.reason


def test_a_schema_that_is_none_stops_the_start():
    with pytest.raises(ValueError, match="no JSON schema"):
        made(Schema, schema={"type": "objct"})


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    value=st.lists(values, min_size=1, max_size=3)
    | st.dictionaries(st.text(max_size=5), values, min_size=1, max_size=3)
)
def test_whole_json_is_left_as_it_is(value):
    assert json.loads(closed(json.dumps(value))) == value


CONTEXT = "The Falcon 9 rocket was launched on 12 March 2024 from Cape Canaveral with 23 satellites for Starlink."


def grounded(*answers, **said):
    guard, asked = made(Grounded, **said), Asked()
    assert found(guard, CONTEXT, side="request", part="document", asked=asked) == []
    return [each.category for each in found(guard, *answers, asked=asked)]


def test_sentences_that_were_not_given_are_told():
    assert grounded("The Falcon rocket was launched in March 2024 from Cape Canaveral.") == []
    assert grounded("The rocket launched with 25 satellites from Cape Canaveral.") == ["number_not_given"]
    assert grounded("Penguins usually prefer colder waters near Antarctica during summer.") == ["not_grounded"]
    assert grounded("Yes.", "Certainly!") == []
    assert found(made(Grounded), "Penguins usually prefer colder waters near Antarctica.") == []
    assert grounded("It carried 23 satellites. Penguins usually prefer colder waters near Antarctica.") == [
        "not_grounded"
    ]


def test_what_an_organisation_says_was_given():
    told = Caller("app", instructions=Instructions("There are 30 days of leave a year.", ("organisation acme",)))
    guard, asked = made(Grounded), Asked(caller=told)
    assert found(guard, "How long?", side="request", asked=asked) == []
    assert found(guard, "You have 30 days of leave a year.", asked=asked) == []


def test_lists_of_words_that_are_there():
    guard = made(Words, lists=["profanity", "abuse"])
    texts = ["What the fuck?", "Scunthorpe United", "I will   kill you", "a shiitake mushroom", "Das ist scheiße"]
    assert [(each.passage, each.category) for each in found(guard, *texts)] == [
        (0, "profanity"), (2, "abuse"), (4, "profanity"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="there are no words"):
        made(Words)


@pytest.mark.parametrize(
    "path",
    [
        ("choices", 0, "logprobs", "content", 0, "token"),
        ("choices", 0, "message", "annotations", 0, "url_citation", "title"),
        ("candidates", 0, "groundingMetadata", "groundingSupports", 0, "segment", "text"),
        ("createTime",),
    ],
)
def test_what_stands_beside_an_answer_is_none(path):
    guard = made(Schema, schema=PERSON)
    assert found(guard, "tea", path=path) == []
    assert len(found(guard, "tea", path=("choices", 0, "message", "content"))) == 1


def test_the_model_is_told_what_is_expected_and_where():
    schema = {
        "type": "object",
        "required": ["name", "age"],
        "additionalProperties": False,
        "properties": {
            "name": {"enum": ["Ann", "Bob"]},
            "age": {"type": "integer", "minimum": 1},
            "tags": {"items": {}},
        },
    }
    [told] = found(made(Schema, schema=schema), 'So: {"name": "Cy", "tags": [], "size": 3}')
    for line in ('$ lacks ["age"]', '$.name: expected enum ["Ann","Bob"]', 'other fields than ["name","age","tags"]'):
        assert line in told.advice
    [told] = found(made(Schema, schema=schema), "Tea")
    assert "it is no JSON: " in told.advice
    assert "Tea" not in told.reason
