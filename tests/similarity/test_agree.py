"""What may not differ between two questions that are given one answer."""

import random
import time

import pytest

from headgate.similarity.agree import LONGEST, differ
from headgate.similarity.reading import Reading
from together import together

DIFFERENT = [
    ("number", "What is 3% of 609?", "What is 3% of 619?"),
    ("number", "Give me five facts about whales", "Give me six facts about whales"),
    ("number", "What is 1,000 plus 2?", "What is 100 plus 2?"),
    ("number", "Is Python 3.1 still supported?", "Is Python 3.10 still supported?"),
    ("number", "Is the answer -5?", "Is the answer 5?"),
    ("number", "Is 19 greater than 11?", "Is 11 greater than 19?"),
    ("number", "List the numbers from 5 to 10", "List the numbers from 5 to 100"),
    ("number", "Who was the third president?", "Who was the fourth president?"),
    ("number", "A salary of 50k a year", "A salary of 60k a year"),
    ("number", "What is my balance?", "What is my balance? (user 3588)"),
    ("number", "Wie hoch ist die Steuer auf drei Autos?", "Wie hoch ist die Steuer auf vier Autos?"),
    ("number", "Quel est le prix de deux billets ?", "Quel est le prix de trois billets ?"),
    ("number", "¿Cuánto cuestan cinco entradas?", "¿Cuánto cuestan seis entradas?"),
    ("time", "What is on my calendar in March?", "What is on my calendar in April?"),
    ("time", "Is the shop open on Monday?", "Is the shop open on Sunday?"),
    ("time", "What is the weather like?", "What is the weather like tomorrow?"),
    ("time", "Wie wird das Wetter gestern?", "Wie wird das Wetter morgen?"),
    ("time", "¿Qué tiempo hace en enero?", "¿Qué tiempo hace en febrero?"),
    ("time", "What did the Dow do on the 5 of May?", "What did the Dow do on the 5 of June?"),
    ("unit", "How heavy is 5 kg?", "How heavy is 5 lb?"),
    ("unit", "What does $20 buy?", "What does €20 buy?"),
    ("unit", "Is 30 °C warm?", "Is 30 °F warm?"),
    ("unit", "Wake me at 5 am", "Wake me at 5 pm"),
    ("sign", "What is 7 + 3?", "What is 7 * 3?"),
    ("sign", "What is 7 - 3?", "What is 7 / 3?"),
    ("sign", "What is 2+2*3?", "What is 2*2+3?"),
    ("sign", "What does \U0001f600 mean?", "What does \U0001f621 mean?"),
    ("sign", "What does \u2192 mean in logic?", "What does \u2200 mean in logic?"),
    ("name", "Tell me where Niels Bohr died.", "Tell me where Alan Turing died."),
    ("name", "Convert this list to YAML: apples", "Convert this list to XML: apples"),
    ("name", "Write a parser in C", "Write a parser in C++"),
    ("name", "Summarize https://example.com/a", "Summarize https://example.com/b"),
    ("name", "Write to ann@example.com", "Write to bob@example.com"),
    ("name", "What does load_data do?", "What does save_data do?"),
    ("name", "Where is model-x1b hosted?", "Where is model-y1b hosted?"),
    ("name", "Explain v2.1.0", "Explain v2.1.1"),
    ("quote", "Translate 'hello' for me", "Translate 'goodbye' for me"),
    ("quote", "What does «bon» mean?", "What does «bien» mean?"),
    ("quote", "Was heißt „gut“?", "Was heißt „schlecht“?"),
    ("quote", "What does `rm -r` do?", "What does `rm -f` do?"),
    ("negation", "List the reasons to use React.", "List the reasons not to use React."),
    ("negation", "Is it safe to eat raw eggs?", "Is it unsafe to eat raw eggs?"),
    ("negation", "Why does it work?", "Why doesn't it work?"),
    ("negation", "I am sure that it does not work", "I am not sure that it does work"),
    ("negation", "I won't verify my identity.", "I can't verify my identity."),
    ("negation", "Recipes with nuts", "Recipes without nuts"),
    ("negation", "Darf ich das tun?", "Darf ich das nicht tun?"),
    ("negation", "Puis-je manger du fromage ?", "Puis-je manger sans fromage ?"),
    ("negation", "¿Puedo viajar con visa?", "¿Puedo viajar sin visa?"),
    ("question", "When was the bridge built?", "Where was the bridge built?"),
    ("question", "How many people live there?", "How long do people live there?"),
    ("opposite", "Do all customers get a refund?", "Do any customers get a refund?"),
    ("opposite", "How do I enable the firewall?", "How do I disable the firewall?"),
    ("opposite", "What is the maximum dose?", "What is the minimum dose?"),
    ("opposite", "What is the dose for an adult?", "What is the dose for a child?"),
    ("opposite", "Show my orders", "Show his orders"),
    ("opposite", "say hello in french please", "say hello in german please"),
    ("direction", "find a train from dublin to rome", "find a train from rome to dublin"),
    ("unit", "Convert 944 EUR to JPY.", "Convert 944 JPY to EUR."),
    ("order", "Do I need to pay him?", "Does he need to pay me?"),
    ("unit", "How many grams are in an ounce?", "How many ounces are in a gram?"),
    ("direction", "Flights from Monday to Friday", "Flights from Friday to Monday"),
    ("order", "What is f(a, b)?", "What is f(b, a)?"),
    ("order", "SELECT a FROM t WHERE b", "SELECT b FROM t WHERE a"),
    ("order", "does the dog bite the man", "does the man bite the dog"),
    ("wording", "How do I boil an egg?", "How do I fry an egg?"),
    ("wording", "What was her nationality?", "What was her main discovery?"),
    ("wording", "How do I reset my password?", "How do I reset my password in the app?"),
    ("wording", "It's old.", "It's new."),
    ("wording", "巴黎的天气怎么样", "伦敦的天气怎么样"),
    ("wording", "Как сбросить пароль?", "Как сменить пароль?"),
]


@together(("kind", "a", "b"), DIFFERENT)
def test_what_differs_is_named_whichever_comes_first(kind, a, b):
    assert (differ(a, b), differ(b, a)) == (kind, kind)


ALIKE = [
    ("What is 3% of 609?", "Compute 3 percent of 609."),
    ("How do I reset my password?", "how can i reset my password please"),
    ("How do I upgrade Redis to version 7?", "What are the steps for upgrading Redis to version 7"),
    ("Find me a train from Oslo to Rome.", "I need a train that goes from Oslo to Rome"),
    ("Tell me the nationality of Ada Lovelace.", "Ada Lovelace: what was the nationality?"),
    ("What's the weather like today?", "Current weather conditions?"),
    ("Give me twenty five facts about whales", "give me 25 facts about whales!"),
    ("Is two thousand and five enough?", "Is 2,005 enough?"),
    ("What is 5k in yen?", "What is 5000 in yen?"),
    ("It costs 3 million dollars", "It costs 3000000 dollars"),
    ("Meet me at 09:00", "Meet me at 9:00"),
    ("Is the shop open on 7 March?", "Is the shop open on March 7th?"),
    ("HOW DO I RESET MY PASSWORD?", "How do I reset my password?"),
    ("How Do I Reset My Password?", "how do i reset my password"),
    ("Does the U.S. have a king", "does the US have a king?"),
    ("What does “idempotent” mean?", 'What does "idempotent" mean?'),
    ("No, that does not work.", "That doesn't work."),
    ("如何重置密码?", "如何重置密码"),
    (
        "The guide explains how one can organise files before uploading a dataset to the hub.",
        "Before a dataset is uploaded to the hub, its files have to be arranged; the guide tells how.",
    ),
]


@together(("a", "b"), ALIKE)
def test_what_says_the_same_agrees(a, b):
    assert differ(a, b) is None
    assert differ(b, a) is None


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twenty five, thirty", ["25", "30"]),
        ("five six seven", ["5", "6", "7"]),
        ("one hundred and one thousand two hundred", ["101200"]),
        ("nineteen eighty four", ["19", "84"]),
        ("1.5 million and 2 hundred", ["1500000", "200"]),
        ("1.234.567,89 and 1,234,567.89", ["1234567.89", "1234567.89"]),
        ("007 or 7", ["007", "7"]),
        ("2024-03-07 at 10:05", ["2024", "03", "07", "10:5"]),
        ("three million five hundred thousand", ["3500000"]),
    ],
)
def test_numbers_are_read(text, numbers):
    assert Reading(text).numbers == numbers


PROMPT = "You are an agent for the shop. Answer briefly, kindly and in English. Mind the rules that follow.\n" * 84
THINGS = ["bread", "soup", "wine", "tables", "chairs", "trains", "hotels", "taxes", "bikes", "phones", "poems", "films"]
ASKS = ["where do I buy {}", "how do I repair {}", "who invented {}", "what do {} cost", "tell me all about {} and {}"]


def test_a_fixed_prompt_with_a_varying_last_line_is_never_the_same():
    lots = random.Random(7)
    lines = [lots.choice(ASKS).format(*lots.sample(THINGS, 2)) for _ in range(2000)]
    pairs = [(a, b) for a, b in zip(lines[::2], lines[1::2], strict=True) if a != b]
    assert len(PROMPT) >= 8192
    assert len(pairs) > 900
    assert [pair for pair in pairs if differ(f"{PROMPT}{pair[0]}", f"{PROMPT}{pair[1]}") is None] == []
    assert [pair for pair in pairs if differ(f"{pair[0]}\n{PROMPT}", f"{pair[1]}\n{PROMPT}") is None] == []


HOSTILE = [
    "lorem ipsum dolor ", "'a 'b ", '"', "\u201c", "1 ", "1", "a.", "1.", "a+", "a@", "\u4f60", "Ab ", "not ", "`a",
    "http://", "a'", " ", "-", "hundred ", "five and ", "[(", "\u00ab",
]  # fmt: skip


def test_the_time_it_takes_grows_with_the_length_of_a_hostile_text():
    """Bounds that only what is not linear misses, on however busy a machine."""
    for piece in HOSTILE:
        text = piece * (LONGEST // len(piece) - 1)
        began = time.process_time()
        differ(f"x{text}", f"{text} y")
        assert time.process_time() - began < 1.5, piece
        began = time.process_time()
        differ(f"x {piece * 100_000}", f"y {piece * 100_000}")
        assert time.process_time() - began < 1.5, piece


def test_a_template_tells_apart_what_somebody_does_in_it():
    said = "Translate the following sentence into French, and say nothing else: his sister {} a dog"
    verbs = ["likes", "finds", "needs", "gives", "sees"]
    assert [differ(said.format(a), said.format(b)) for a in verbs for b in verbs if a != b] == ["wording"] * 20
    assert differ("How can I find the hours of your branch?", "How do I get the hours of your branch?") is None
