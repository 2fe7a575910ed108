"""What an expression may be, what is said of one that cannot be used, and what it answers."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.stages.rules.expression import LONGEST, Compiler, Undecided, Wrong
from headgate.stages.rules.subject import variables
from together import together

COMPILER = Compiler({name: each.kind for name, each in variables().items()}, {"legal": ["contract", "nda"], "all": []})
BLANK = {str: "", int: 0, float: 0.0, bool: False, list[str]: [], dict[str, str]: {}}


def answer(source, **values):
    blank = {name: BLANK[each.kind] for name, each in variables().items()}
    return COMPILER.compile(source).holds({**blank, **values})


@together(
    ("source", "values", "expected"),
    [
        ('key == "demo"', {"key": "demo"}, True),
        ('key == "demo"', {"key": "other"}, False),
        ('"batch" in tags && priority == "low"', {"tags": ["x", "batch"], "priority": "low"}, True),
        ("hour >= 22 || hour < 6", {"hour": 23}, True),
        ("hour >= 22 || hour < 6", {"hour": 12}, False),
        ('weekday in ["saturday", "sunday"]', {"weekday": "sunday"}, True),
        ("tokens > 1000 && images == 0", {"tokens": 1001}, True),
        ("stream || json", {"json": True}, True),
        ('prompt.matches("(?i)\\\\bcontract\\\\b")', {"prompt": "the CONTRACT."}, True),
        ("prompt.matches(r'(?i)\\bcontract\\b')", {"prompt": "the contracts"}, False),
        ('mentions(prompt, ["contract", "nda"])', {"prompt": "an NDA"}, True),
        ('mentions(prompt, "legal")', {"prompt": "an NDA"}, True),
        ('mentions(prompt, "all")', {"prompt": "an NDA"}, False),
        ('prompt.startsWith("/fix") && size(prompt) < 100', {"prompt": "/fix it"}, True),
        ("true // always", {}, True),
    ],
)
def test_answers(source, values, expected):
    assert answer(source, **values) is expected


class TestKeysThatAreNotThere:
    """Of metadata and headers a rule may name any key: one that is not there is the empty text."""

    @pytest.mark.parametrize(
        "source", ['metadata.tier != "premium"', 'metadata["tier"] == ""', 'headers["x-app"] == ""']
    )
    def test_is_empty(self, source):
        assert answer(source) is True

    @pytest.mark.parametrize(
        "source", ["has(metadata.tier)", '"tier" in metadata', 'has(metadata.tier) && metadata.tier == "y"']
    )
    def test_has_and_in_tell_the_truth(self, source):
        assert answer(source) is False
        assert answer(source, metadata={"tier": "y"}) is True

    def test_another_error_is_no_answer(self):
        with pytest.raises(Undecided, match="index=3"):
            answer('tags[3] == "x"')
        with pytest.raises(Undecided) as told:
            answer('metadata[prompt] == "x"')
        assert str(told.value) == "NOT_FOUND: Key not found in map"  # the log is not told what the prompt is


@together(
    ("source", "message", "hint"),
    [
        ('foo == "a"', "there is no `foo` (at character 1)", "there are `key`, `tags`"),
        ("true &&\n tokns > 3", "there is no `tokns` (in line 2 at character 2)", "did you mean `tokens`?"),
        ('mentionned(prompt, ["a"])', "there is no `mentionned` (at character 11)", "did you mean `mentions`?"),
        ("key ==", "the expression is wrong at character 7: mismatched input '<EOF>'", ""),
        ("", "the expression is wrong at character 1", ""),
        ('key = "a"', "the expression is wrong at character 5", "`==` compares"),
        ('key="a"', "the expression is wrong at character 4", "`==` compares"),
        ('stream and key == "a"', "the expression is wrong at character 8", "write `&&`"),
        ('stream or key == "a"', "the expression is wrong at character 8", "write `||`"),
        ("key", "the expression gives string, not true or false", "compare it"),
        ("tokens + 1", "the expression gives int, not true or false", "compare it"),
        ("dyn(stream)", "the expression gives dyn, not true or false", "compare it"),
        ('tokens == "3"', "found no matching overload for '_==_' applied to '(int, string)'", ""),
        ('mentions(prompt, "leagl")', "there is no list `leagl` in `matching.lists`", "did you mean `legal`?"),
        (
            'mentions(prompt, ["a", user])',
            "`mentions` takes words that stand in the rule",
            'write `mentions(prompt, ["…"])`',
        ),
        ("mentions(prompt, key)", "`mentions` takes words in brackets, or the name of one of `matching.lists`", ""),
        ('prompt.matches("(")', "invalid regular expression: missing )", ""),
        ('key == "x" && matches(prompt, "[")', "invalid regular expression", ""),
        ("prompt.matches(system)", "`matches` takes a pattern that stands in the rule", "write"),
        ('tags.exists(tag, tag == "x")', "`exists` goes over every entry", '"x" in tags'),
        ('metadata.all(k, k == "x")', "`all` goes over every entry", ""),
        ("tags.map(t, t).size() > 0", "`map` goes over every entry", ""),
        ("(" * 100 + "stream" + ")" * 100, "Expression recursion limit exceeded", ""),
        ("stream || " * 500 + "stream", f"the expression is longer than {LONGEST} characters", "several rules"),
    ],
)
def test_what_cannot_be_used(source, message, hint):
    with pytest.raises(Wrong) as told:
        COMPILER.compile(source)
    assert message in told.value.message
    assert hint in told.value.hint
    assert "\n" not in str(told.value)


def test_names_of_macros_in_a_text_are_only_text():
    assert answer('prompt.contains(".map(") && prompt != "exists"', prompt="x.map(y)") is True


def test_only_what_is_asked_about_is_worked_out():
    expression = COMPILER.compile('key == "tokens" && metadata.prompt == "x" // language')
    assert expression.names == ["key", "metadata"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40) | st.sampled_from(['"', "'''", 'r"\\', 'r"\\"', "b'x'", "/", "//", "(", "key.", "has("]))
def test_any_text_is_an_expression_or_told(source):
    with contextlib.suppress(Wrong):
        assert isinstance(COMPILER.compile(source).names, list)
