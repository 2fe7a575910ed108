"""What is wrong with clauses is told where it stands."""

import pytest

from headgate.config.load import load
from headgate.config.problems import ConfigError


def problems(tmp_path, clauses):
    path = tmp_path / "headgate.yaml"
    path.write_text(f"providers: {{simulator: }}\nclauses:\n{clauses}")
    with pytest.raises(ConfigError) as raised:
        load(path, {}, {})
    return str(raised.value)


@pytest.mark.parametrize(
    ("clauses", "told"),
    [
        ("  - {name: a, deny: tem == 'x', says: no}\n", "there is no `tem`"),
        ("  - {name: a, deny: team, says: no}\n", "gives string, not true or false"),
        ("  - {name: a, deny: operation == 'image', says: no}\n", "no operation `image`; did you mean `images`?"),
        ("  - {name: a, deny: 'weekday in [\"Sunday\"]', says: no}\n", "there is no weekday `Sunday`"),
        ("  - {name: a, deny: data_class == 'Health', says: no}\n", "they are in small letters: `health`"),
        ("  - {name: a, deny: '', says: no}\n", "clauses[0].deny: must not be empty"),
        ("  - {name: a, deny: topic == 'x', says: no}\n", "there is no `topic`"),
        ("  - {name: a, deny: 'true', says: x}\n  - {name: a, deny: 'true', says: x}\n", "taken by another clause"),
        ("  - {name: a, deny: 'traits.exists(t, t == \"x\")', says: x}\n", "goes over every entry"),
    ],
)
def test_a_clause_that_cannot_be_is_refused(tmp_path, clauses, told):
    assert told in problems(tmp_path, clauses)


def test_words_for_what_there_is_not_are_told(tmp_path):
    path = tmp_path / "headgate.yaml"
    path.write_text(
        "providers: {local: {kind: simulator, traits: [EU]}}\n"
        "models: {chat: {targets: [{model: local/a, traits: [reviewed]}]}}\n"
        "clauses:\n"
        '  - {name: right, deny: \'!("eu" in traits) || provider != "local" || "reviewed" in traits\', says: x}\n'
        '  - {name: wrong, deny: \'"EU" in traits || provider == "locl"\', says: x}\n'
    )
    assert load(path, {}, {}).warnings == [
        "the clause `wrong` is about a provider `locl`, and there is none; did you mean `local`?",
        "the clause `wrong` is about a target with the trait `EU`, and there is none; there are `eu`, `reviewed`",
    ]
