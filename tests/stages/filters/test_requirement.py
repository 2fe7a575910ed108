"""Who is left out for what a key or a request requires."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.caller import Caller
from headgate.core.errors import RequirementUnmet
from headgate.core.target import Target, Terms
from headgate.stages.filters.requirement import Requirement
from stages.policies.targets import asked

WORDS = st.sets(st.sampled_from(["eu", "us", "hipaa", "no-training"]))


def target(name, of_provider=(), own=()):
    host = SimpleNamespace(name=name, traits=frozenset(of_provider))
    return Target(host, "m", terms=Terms(traits=frozenset(own)))


def test_nothing_is_looked_at_where_nothing_is_required():
    targets = (Target(SimpleNamespace(name="a"), "m"),)
    assert Requirement()(asked(), targets) is targets


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5), WORDS, WORDS)
def test_those_are_left_of_whom_all_is_so(traits, of_key, of_request):
    targets = tuple(target(f"h{number}", *each) for number, each in enumerate(traits))
    headers = [(b"x-headgate-requires", ", ".join(of_request).upper().encode())]
    exchange = asked(headers=headers)
    exchange.caller, exchange.model = Caller("k", requires=frozenset(of_key)), "chat"
    fit = [each for each, (one, other) in zip(targets, traits, strict=True) if of_key | of_request <= one | other]
    if fit:
        assert list(Requirement()(exchange, targets)) == fit
        assert [each for each, _, _ in exchange.decision.out] == [each for each in targets if each not in fit]
    else:
        with pytest.raises(RequirementUnmet, match="requires"):
            Requirement()(exchange, targets)
