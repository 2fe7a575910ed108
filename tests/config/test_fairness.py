"""What is wrong with the questions of `fairness` is told before they are asked."""

import pytest

from headgate.config.load import load
from headgate.config.problems import ConfigError

CONFIG = "providers: {openai: {api_key: sk-1}}\nmodels: {chat: openai/a}\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("fairness: {models: [chatt]}", "there is no model `chatt` in `models`; did you mean `chat`?"),
        ("fairness: {models: [openia/a]}", "fairness.models[0]"),
        ("fairness: {models: [chat], key: hg-1, every: 3600}\nrecords: {store: false}", "leave `every` out"),
    ],
)
def test_what_could_not_be_asked_is_refused(tmp_path, said, told):
    path = tmp_path / "headgate.yaml"
    path.write_text(CONFIG + said)
    with pytest.raises(ConfigError) as raised:
        load(path, {}, {})
    assert told in str(raised.value)


def test_names_of_rules_and_efforts_can_be_asked(tmp_path):
    path = tmp_path / "headgate.yaml"
    rules = "rules: [{name: all, use: chat}]\n"
    path.write_text(f"{CONFIG}{rules}fairness: {{models: [auto, 'chat:high', openai/b]}}")
    assert load(path, {}, {}).config.fairness.models == ["auto", "chat:high", "openai/b"]
