"""What may not differ between two questions that are given one answer."""

from headgate.similarity.agree import differ
from together import together

DIFFERENT = [
    ("number", "What is 3% of 609?", "What is 3% of 619?"),
    ("negation", "List the reasons to use React.", "List the reasons not to use React."),
]


@together(("kind", "a", "b"), DIFFERENT)
def test_what_differs_is_named(kind, a, b):
    assert differ(a, b) == differ(b, a) == kind
