"""An effort of reasoning behind a model's name, where the name is not one as it is."""

from headgate.core.effort import parted
from together import together


@together(
    ("model", "found"),
    [
        ("smart:high", ("smart", "high")),
        ("claude/opus:none", ("claude/opus", "none")),
        ("smart", ("smart", None)),
        ("ollama/qwen3:8b", ("ollama/qwen3:8b", None)),
        ("own:high", ("own:high", None)),
        ("", ("", None)),
    ],
)
def test_an_effort_is_told_apart_from_the_name(model, found):
    assert parted(model, {"own:high"}) == found
