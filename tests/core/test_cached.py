"""Nobody's terms are wider than those of the name that is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.cached import NARROWER, Narrowed, Terms

NUMBERS = st.integers(1, 5)
PERS = st.sampled_from(NARROWER)
NARROWED = st.builds(
    Narrowed, NUMBERS.map(float), PERS, st.booleans(), st.booleans(), st.booleans(), st.booleans(), NUMBERS
)
TERMS = st.builds(
    Terms, NUMBERS.map(float), st.just(0.1), PERS, st.booleans(), st.booleans(), st.booleans(), NUMBERS,
    NUMBERS.map(float), NUMBERS.map(float), st.sampled_from(["similar", None]),
)  # fmt: skip


def within(left, whole):
    return (
        left.seconds + max(left.stale, left.stale_if_error) <= whole.seconds + max(whole.stale, whole.stale_if_error)
        and left.seconds <= whole.seconds
        and NARROWER.index(left.per) <= NARROWER.index(whole.per)
        and left.deterministic_only >= whole.deterministic_only
        and left.tool_calls <= whole.tool_calls
        and left.coalesce <= whole.coalesce
        and left.similar in (whole.similar, None)
        and left.largest <= whole.largest
    )


@given(NARROWED, NARROWED, TERMS)
def test_the_strictest_counts(one, other, terms):
    assert within(one.of(terms), terms)
    both = one.and_also(other).of(terms)
    assert within(both, one.of(terms))
    assert within(both, other.of(terms))
    assert both.seconds in (one.seconds, other.seconds, terms.seconds)
    assert Narrowed().of(terms) == terms
