"""Many cases in one test, for laws over thousands of them: pytest's own work for a test takes longer than each."""

import functools
import inspect

import pytest


def together(names, cases):
    """Like `pytest.mark.parametrize`, but one test takes all cases to their end and names those that fail.

    `cases` are values, tuples or `pytest.param`s, whose ids are told; or a function that gives them, which is called
    when the test is run: then what takes time to read is not read by those who run another test.
    """
    names = [names] if isinstance(names, str) else list(names)

    def decorate(test):
        assert not inspect.iscoroutinefunction(test), "an unawaited test shows nothing"

        @functools.wraps(test)
        def run(*args, **given):
            failures, count = [], 0
            for case in cases() if callable(cases) else cases:
                count += 1
                values = case.values if hasattr(case, "marks") else case if len(names) > 1 else (case,)
                try:
                    test(*args, **given, **dict(zip(names, values, strict=True)))
                except Exception as error:  # noqa: BLE001 - each is raised below, with its case
                    error.add_note(f"in the case {_name(case)}")
                    failures.append(error)
            if not count:
                pytest.skip("there are no cases")
            if failures:
                told = ", ".join(error.__notes__[-1].removeprefix("in the case ") for error in failures)
                raise ExceptionGroup(f"{len(failures)} of {count} cases fail: {told}", failures[:5])

        kept = [each for each in inspect.signature(test).parameters.values() if each.name not in names]
        run.__signature__ = inspect.Signature(kept)
        return run

    return decorate


def _name(case):
    if hasattr(case, "marks"):
        return case.id or _name(tuple(case.values))
    if isinstance(case, tuple):
        return "-".join(map(_name, case))
    name = getattr(case, "name", None) or getattr(case, "__name__", None)
    return name if isinstance(name, str) else repr(case)[:80]
