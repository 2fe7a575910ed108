"""The version of all clauses, by which a record says what it was looked at by."""

from headgate.config.clauses import Clause
from headgate.stages.rules.clause import version


def clause(deny, **more):
    return Clause(name="a", deny=deny, says="no", **more)


def test_it_is_another_where_anything_is_of_what_clauses_say():
    legal = clause('mentions(prompt, "legal")')
    lists = {"legal": ["nda"], "other": ["x"]}
    first = version([legal], lists)
    assert first == version([legal], {**lists, "other": ["y"]})
    others = [
        version([legal], {**lists, "legal": ["nda", "contract"]}),
        version([clause('mentions(text, "legal")')], lists),
        version([clause('mentions(prompt, "legal")', mode="monitor")], lists),
        version([legal, legal], lists),
    ]
    assert len({first, *others}) == 5
