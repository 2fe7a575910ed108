"""Guards' settings as they are read: files beside the configuration, what makes no sense told with its place."""

import pytest

from headgate.config.load import load
from headgate.config.problems import ConfigError
from headgate.redaction.fingerprints import Registry


def test_files_of_guards_are_those_beside_the_configuration(tmp_path):
    Registry([1, 2, 3]).save(tmp_path / "own")
    (tmp_path / "headgate.yaml").write_text(
        "providers: {simulator: }\nmodels: {chat: simulator/x}\nguards: {code: {use: code, with: {registered: own}}}\n"
    )
    policy = load(tmp_path / "headgate.yaml", {}).config.guards["code"]
    assert policy._read.registered == tmp_path / "own"


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        ("{use: personal, with: {kinds: [emial]}}", "there is no kind `emial`; did you mean `email`?"),
        ("{use: personal, with: {packs: [germany]}}", "there is no pack `germany`"),
        ("{use: secrets, with: {kinds: [card]}}", "there is no kind `card`"),
        ("{use: code, with: {registered: none}}", "cannot be read"),
        ("{use: topics, with: {denied: [law]}}", "there is no topic `law` in `matching.topics`"),
        ("{use: topics}", "name topics"),
        ("{use: topics, with: {denied: [law], words: {law: [court], tax: [vat]}}}", "the topic 'tax' of `words`"),
        ("{use: leak, at: after}", "leave `at` out"),
        ("{use: grounded, for: {provider: simulator}}", "before it is known who is asked"),
        ("{use: leak, external_only: true}", "before it is known who is asked"),
        ("{use: leak, parts: [text]}", "leave `parts` out"),
        ("{use: judge, with: {model: nobody/x, rubric: {a: b}}}", "nobody"),
        ("{use: moderation, with: {model: simulator/x, key: nobody}}", "there is no key of this name"),
        ("{use: webhook, with: {url: 'ftp://secret-host'}}", "has to be like https://host/path"),
        ("{use: azure, with: {endpoint: 'https://a.example', api_key: k, harms: {}}}", "look for nothing"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(tmp_path, guard, said):
    (tmp_path / "headgate.yaml").write_text(
        f"providers: {{simulator: }}\nmodels: {{chat: simulator/x}}\nguards: {{g: {guard}}}\n"
    )
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "headgate.yaml", {})
    [problem] = error.value.problems
    assert problem.path.startswith("guards.g")
    assert said in f"{problem.message}; {problem.hint}"


@pytest.mark.parametrize(
    ("more", "told"), [("", ["cloud"]), (", external_only: true", []), (", INTERNAL", [])], ids=["all", "abroad", "own"]
)
def test_what_a_cloud_may_not_be_shown_is_told(tmp_path, more, told):
    said = ", internal: true" if "INTERNAL" in more else ""
    (tmp_path / "headgate.yaml").write_text(
        "providers: {simulator: }\nmodels: {chat: simulator/x}\nguards:\n"
        "  words: {use: words, with: {words: {project: [zeppelin]}}, external_only: true}\n"
        f"  cloud: {{use: azure, with: {{endpoint: 'https://x.example', api_key: k{said}}}"
        f"{more.replace(', INTERNAL', '')}}}\n"
        "  ours: {use: presidio, with: {url: 'http://x.example'}}\n"
    )
    warned = load(tmp_path / "headgate.yaml", {}).warnings
    assert [each.split("'")[1] for each in map(str, warned) if "cannot look" in each] == told


def test_that_nobody_is_asked_again_where_a_policy_only_watches_is_told(tmp_path):
    for mode, told in (("monitor", True), ("enforce", False)):
        (tmp_path / "headgate.yaml").write_text(
            "providers: {simulator: }\nmodels: {chat: simulator/x}\n"
            f"guards: {{calls: {{use: tool_calls, with: {{retry: 1}}, mode: {mode}}}}}\n"
        )
        warned = load(tmp_path / "headgate.yaml", {}).warnings
        assert any("has no model asked again" in each for each in warned) is told
