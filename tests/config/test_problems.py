"""Problems read like a compiler's: file, line, key, what is wrong, how to mend it."""

from headgate.config.problems import ConfigError, Problem, dotted


def test_a_problem_in_words():
    assert str(Problem("f.yaml", 3, 1, "a.b", "wrong", "mend it")) == "f.yaml:3: a.b: wrong; mend it"
    assert str(Problem("f.yaml", 0, 0, "", "gone")) == "f.yaml: gone"


def test_all_are_told_sorted_by_line():
    error = ConfigError([Problem("f", 9, 1, "", "c"), Problem("f", 2, 5, "", "b"), Problem("f", 2, 1, "", "a")])
    assert str(error) == "f:2: a\nf:2: b\nf:9: c"


def test_paths():
    assert dotted(("models", "chat", "targets", 0, "model")) == "models.chat.targets[0].model"
    assert dotted(()) == ""
