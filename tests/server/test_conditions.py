"""Of which targets there are metrics of their state."""

from types import SimpleNamespace

import pytest

from headgate.core.standing import Board
from headgate.server.conditions import Conditions


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def told(board):
    """The labels that a metric has where a configuration names these targets."""
    holder = SimpleNamespace()
    reads = Conditions(holder).reads()

    def labels(metric, *names):
        holder.gateway = SimpleNamespace(named=[SimpleNamespace(standing=board.standing(name)) for name in names])
        return set(reads[metric]())

    return labels


def test_only_targets_that_something_is_known_of(board, told):
    board.standing("a/asked").begun(1.0)
    board.standing("a/stranger").begun(1.0)
    board.standing("a/full").limit(0, requests=False, tokens=False)
    board.standing("a/full").gate.turned_away = 1
    board.standing("a/heard").breaker.adopt(float("inf"), "of others", firm=True, probes=0)
    named = ("a/asked", "a/asked", "a/full", "a/heard", "a/idle")
    assert told("headgate_target_running", *named) == {("a/asked",), ("a/full",)}
    closed = {(name, "closed") for name in ("a/asked", "a/full", "a/idle")}
    assert told("headgate_circuits", *named) == {*closed, ("a/heard", "open")}


def test_those_of_the_configuration_in_force(board, told):
    assert told("headgate_circuits", "a/old") == {("a/old", "closed")}
    assert told("headgate_circuits", "a/new") == {("a/new", "closed")}
