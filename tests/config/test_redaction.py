"""What looks like a key is hidden; names, dates, paths and words are not."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.config.problems import Problem
from headgate.config.redaction import HIDDEN, Redaction, masked, shown
from headgate.config.secrets import new_key
from together import together


@together(
    "text",
    [
        "claude-sonnet-4-5-20250929",
        "accounts/fireworks/models/llama-v3p1-405b-instruct",
        "Qwen2-5-VL-72B-Instruct-AWQ",
        "my_package.stages:AddGreetingToEveryRequest",
        "/var/lib/headgate/journal-2026-01-01T12-00-00Z",
        "the environment variable AZURE_OPENAI_API_KEY_2 is not set",
        "client-key-of-good-length",
        "task-risk-desk-management",
    ],
)
def test_ordinary_text_stays(text):
    assert masked(text) == text


@given(st.builds(new_key))
def test_our_own_keys_are_hidden(key):
    assert masked(f"`{key}` is wrong") == "`…` is wrong"


@together(
    "key",
    [
        "sk-1234567890",
        "sk-ant-api03-abc_def-ghi",
        "gsk_abcdefgh",
        "xai-abcdefgh",
        "AIzaSyA-abcdefgh",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "550e8400-e29b-41d4-a716-446655440000",
        "q7Zr2Lw9Xc4Vb8Nm1Kj5",
    ],
)
def test_other_keys_are_hidden(key):
    assert masked(f"no `{key}` there") == "no `…` there"


def test_names_are_shown_up_to_a_length_and_without_control_characters():
    assert shown("word " * 9) == "word " * 9
    assert shown("word " * 10) == HIDDEN
    assert shown("a\x1bb") == "a\\x1bb"


def test_the_longest_known_value_is_replaced_first_and_public_words_never():
    net = Redaction(["openai"])
    for value, written in (("openai", "${A}"), ("secret", "${B}"), ("secret-word", "${C}"), ("short", "${D}")):
        net.know(value, written)
    problem = Problem("f", 1, 1, "a.secret", "secret-word short", "openai secret")
    assert net.problems([problem]) == [Problem("f", 1, 1, "a.${B}", "${C} short", "openai ${B}")]
