"""What is said of a value is said of so many others that were seen lately, of the same tenant; else nothing is."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.crowd import Crowd

EVENTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(0, 30)), min_size=1, max_size=60
)  # whose, which number, how many seconds later


def said(number):
    return [f"{number // 10 * 10}s", f"{number // 20 * 20}s of 20"]


@given(EVENTS, st.integers(2, 5))
def test_it_is_true_of_so_many_different_values_of_the_time(events, least):
    now, seen = 0.0, []
    crowd = Crowd(least, 100.0, lambda: now)
    for whose, number, later in events:
        now += later
        seen.append((whose, number, now))
        crowd.see((whose,), str(number), said(number))
        given = crowd.shared((whose,), said(number))
        sharing = [
            {other for who, other, when in seen if who == whose and each in said(other) and when >= now - 100}
            for each in said(number)
        ]
        enough = [len(those) >= least for those in sharing]
        assert given == (said(number)[enough.index(True)] if any(enough) else None)


def test_it_forgets_what_was_not_seen_for_longest():
    crowd = Crowd(2, 100.0, lambda: 0.0, most=50)
    for number in range(100):
        for value in ("one", "other"):
            crowd.see(("a",), value, [str(number)])
            crowd.see(("a",), value, ["seen again and again"])
    known = [number for number in range(100) if crowd.shared(("a",), [str(number)])]
    assert known == list(range(76, 100))
    assert crowd.shared(("a",), ["seen again and again"])


def test_what_was_never_seen_is_not_said():
    crowd = Crowd(2, 100.0)
    assert crowd.shared(("a",), ["1980-1989"]) is None
    assert crowd.shared(("a",), []) is None
