from hypothesis import given
from hypothesis import strategies as st

from headgate.catalog.names import candidates
from together import together


@together(
    ("asked", "plain"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4-0613", "gpt-4"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("claude-3-5-haiku", "claude-3-5-haiku-latest"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("publishers/anthropic/models/claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
        ("gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "anthropic.claude-opus-4-5-20251101-v1:0"),
        ("anthropic.claude-3-haiku-20240307-v1:0:200k", "anthropic.claude-3-haiku-20240307-v1:0"),
        (
            "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-4-5-20251101-v1:0",
            "anthropic.claude-opus-4-5-20251101-v1:0",
        ),
        ("llama3.1:70b-instruct-q4_0", "llama3.1"),
        ("openai/gpt-4o:online", "openai/gpt-4o"),
        ("ft:gpt-4o-mini-2024-07-18:org:name:id", "ft:gpt-4o-mini-2024-07-18"),
    ],
)
def test_a_longer_id_leads_to_the_plain_one(asked, plain):
    found = list(candidates(asked))
    assert found[0] == asked
    assert plain in found


def test_a_fine_tuned_model_is_not_taken_for_its_base():
    assert "gpt-4o" not in list(candidates("ft:gpt-4o:org::id"))


def test_the_region_of_another_vendors_name_stays():
    assert list(candidates("us.model")) == ["us.model", "us.model-latest"]


@given(st.text(alphabet="abc-:@./0123456789", min_size=1, max_size=80))
def test_any_name_comes_to_an_end(name):
    found = list(candidates(name))
    assert len(found) == len(set(found)) <= 90
    assert all(found)
