"""Plug-ins are found by name, and what is not one is refused with advice."""

import sys
import textwrap

import pytest

from headgate.core.plugin import PluginNotFound, every, fits, load, module, names, suggestion
from headgate.records.sinks.sink import Sink
from headgate.stages.guards.guard import Guard
from headgate.stages.policies.ordered import Ordered
from headgate.stages.policies.policy import Policy
from headgate.stages.stage import Stage
from together import together


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a module that can be imported, and forgets it afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))

    yield write
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_a_folder_lists_its_plugins_without_its_contract():
    assert "ordered" in names("stages.policies")
    assert "policy" not in names("stages.policies")
    assert "stage" not in names("stages")
    assert "provider" not in names("providers")
    assert "policies" not in names("stages")


def test_a_bare_name_loads_our_class():
    assert load("stages.policies", "ordered", Policy) is Ordered


def test_all_of_a_folder_are_loaded_at_once():
    assert every("stages.policies", Policy)["ordered"] is Ordered
    assert list(every("stages.policies", Policy)) == names("stages.policies")


def test_listing_imports_no_plugin():
    code = (
        "import sys; from headgate.core.plugin import names; names('providers');"
        "sys.exit(any(m.startswith('headgate.providers.') for m in sys.modules))"
    )
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_says_what_was_meant():
    with pytest.raises(PluginNotFound, match=r"there is no policy `orderd`; did you mean `ordered`\?"):
        load("stages.policies", "orderd", Policy)


@together("name", ["", "../ordered", "ordered ", "Ordered", "a..b", ".a", "a.", "a:", ":a", "a:b:c", "a/b.c", "é-x"])
def test_what_is_no_name_is_never_imported(name):
    with pytest.raises(PluginNotFound):
        load("stages.policies", name, Policy)


@pytest.mark.parametrize("name", ["mine_dotted:Mine", "mine_dotted.Mine"])
def test_a_dotted_path_loads_somebody_elses(written, name):
    written("mine_dotted", "class Mine:\n    def rank(self, exchange, targets):\n        return targets\n")
    assert load("stages.policies", name, Policy).__name__ == "Mine"


def test_a_dotted_path_to_a_class_that_is_not_there_names_those_that_are(written):
    written("mine_named", "class Mine:\n    def rank(self, exchange, targets):\n        return targets\n")
    with pytest.raises(PluginNotFound, match=r"has no `Mien`; did you mean `Mine`\?"):
        load("stages.policies", "mine_named:Mien", Policy)


def test_a_class_of_another_shape_is_refused(written):
    written("mine_shape", "class Mine:\n    pass\nvalue = 3\n")
    with pytest.raises(PluginNotFound, match="it must have rank as in"):
        load("stages.policies", "mine_shape:Mine", Policy)
    with pytest.raises(PluginNotFound, match="is not a Policy"):
        load("stages.policies", "mine_shape:value", Policy)


def test_a_class_that_leaves_out_what_it_must_say_is_refused(written):
    written("mine_lacking", "from headgate.records.sinks.sink import Sink\nclass Mine(Sink):\n    pass\n")
    with pytest.raises(PluginNotFound, match="does not say how it does send; write it as"):
        load("records.sinks", "mine_lacking:Mine", Sink)
    written("mine_blind", "from headgate.stages.guards.guard import Guard\nclass Mine(Guard):\n    pass\n")
    with pytest.raises(PluginNotFound, match="does not say how it does look; write it as"):
        load("stages.guards", "mine_blind:Mine", Guard)


def test_a_module_that_is_not_there(written):
    with pytest.raises(PluginNotFound, match="there is no module `no_such_module_here`"):
        load("stages", "no_such_module_here:X", Stage)
    written("mine_needs", "import no_such_package_either\n")
    with pytest.raises(PluginNotFound, match="`mine_needs` needs `no_such_package_either`"):
        load("stages", "mine_needs:X", Stage)


@pytest.mark.parametrize("text", ["1/0", "raise ValueError('sk-secret-value')", "def broken(:", "undefined_name"])
def test_a_module_that_fails_is_told_without_its_words(written, text):
    name = f"mine_fails_{abs(hash(text))}"
    written(name, text)
    with pytest.raises(PluginNotFound, match="when it is imported") as caught:
        load("stages", f"{name}:X", Stage)
    assert "sk-secret-value" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ndef broken(:\n", "fails with SyntaxError when it is imported: {name}.py:2: invalid syntax"),
        ("x = 1\nif x:\nx = 2\n", "IndentationError when it is imported: {name}.py:3: expected an indented block"),
        ("\nundefined_name\n", "NameError when it is imported: {name}.py:2: name 'undefined_name' is not defined"),
        ("import os\nos.nothing()\n", "imported: {name}.py:2: module 'os' has no attribute 'nothing'"),
        ("from os import nothing\n", "imported: {name}.py:1: cannot import name 'nothing' from 'os'"),
        ("def check():\n    raise ValueError('sk-secret-value')\ncheck()\n", "Error when it is imported: {name}.py:2"),
        ("import json\njson.loads('sk-secret-value')\n", "JSONDecodeError when it is imported: {name}.py:2"),
    ],
)  # fmt: skip
def test_a_module_that_fails_is_told_with_its_line(written, text, told):
    name = f"mine_line_{abs(hash(text))}"
    written(name, text)
    with pytest.raises(PluginNotFound) as caught:
        load("stages", f"{name}:X", Stage)
    assert told.format(name=name) in str(caught.value)
    assert "sk-secret-value" not in str(caught.value)


def test_a_dialect_is_a_module(written, tmp_path):
    assert module("stages.policies", "ordered").Ordered is Ordered
    (tmp_path / "my_dialects").mkdir()
    written("my_dialects/mine", "name = 'mine'\n")
    assert module("dialects", "my_dialects.mine").name == "mine"
    with pytest.raises(PluginNotFound, match="is not a name"):
        module("dialects", "not.a:module")


def test_every_class_has_a_call_of_its_metaclass_which_does_not_count():
    class Not:
        pass

    class Is:
        async def __call__(self, exchange, proceed):
            return await proceed(exchange)

    assert not fits(Not, Stage)
    assert fits(Is, Stage)
    assert not fits(Stage, Stage)


def test_suggestions():
    assert suggestion("modles", ["models", "keys"]) == "did you mean `models`?"
    assert suggestion("zzz", ["models", "keys"]) == "there are `models`, `keys`"
    assert suggestion("zzz", ["models"]) == "there is `models`"
    assert suggestion("zzz", []) == ""
    assert suggestion("zzz", [f"m{n}" for n in range(50)]).endswith("…")
