"""What a configuration says of sessions in which something is hidden, and what is told of one that could not hold."""

import pytest

HEAD = "providers: {simulator: }\nmodels: {other: simulator/sim}\n"


def test_all_of_it_in_order(told):
    for said in (
        "{per: request, store: state}",
        "{per: session}",
        "{per: session, by: key, ttl: 60, patience: 1, max_values: 10, max_bytes: 65536}",
        "{per: session, by: [conversation, header:X-Case], store: sqlite}",
    ):
        assert told(f"{HEAD}surrogates: {said}\n") == []
    assert told(HEAD + "server: {workers: 2}\nsurrogates: {per: session, store: sqlite}\n") == []


@pytest.mark.parametrize(
    ("said", "where", "words"),
    [
        ("{per: session, store: state}", "store", "there is no `state.url`"),
        ("{per: session, by: [team]}", "by[0]", "session"),
        ("{per: team}", "per", "session"),
        ("{ttl: 0}", "ttl", "1"),
    ],
)
def test_what_is_wrong_is_told(told, said, where, words):
    found = told(f"{HEAD}surrogates: {said}\n")
    assert {path for path, _ in found} == {f"surrogates.{where}"}
    assert any(words in each for _, each in found)


def test_workers_that_would_each_have_their_own_are_refused(told):
    [(path, said)] = told(HEAD + "server: {workers: 2}\nsurrogates: {per: session}\n")
    assert path == "surrogates.store"
    assert "one surrogate to several values" in said
