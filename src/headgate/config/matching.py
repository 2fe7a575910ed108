"""What is wrong with that which rules go by: the language of expressions, topics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from headgate.catalog.catalogue import assemble
from headgate.config.document import Node, Path
from headgate.config.schema import Config
from headgate.config.targets import ProviderEntry
from headgate.core.plugin import suggestion
from headgate.providers.provider import Provider
from headgate.stages.rules import clause
from headgate.stages.rules.expression import PACKAGE, Compiler, Wrong, installed
from headgate.stages.rules.subject import variables

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
MODEL: Path = ("matching", "embedding_model")
TOPICS: Path = ("matching", "topics")
INSTEAD = "`headgate models list --operation embeddings --configured` lists those that do"


def compiler(config: Config, root: Node, tell: Tell) -> Compiler | None:
    """What expressions are checked by; None where there are none, or no package for them, which is told. `root` names
    lists and topics also where they could not be read."""
    with_expressions = [rule for rule in config.rules if rule.when is not None]
    if with_expressions and not installed():
        hint = "install headgate[rules]"
        tell(("rules",), f"`when` needs the package {PACKAGE.replace('_', '-')}, which is not there", hint)
    elif with_expressions:
        kinds = {name: each.kind for name, each in variables().items()}
        lists = {**dict.fromkeys(_names(root, "lists"), ()), **config.matching.lists}
        return Compiler(kinds, lists, _names(root, "topics"))
    return None


def clauses(config: Config, kept: Sequence[int], root: Node, tell: Tell, shown: Callable[[Path, str], str]) -> None:
    """Tell what is wrong with clauses; `kept`: where they stand in the file."""
    if not config.clauses:
        return
    if not installed():
        hint = "install headgate[rules]"
        tell(("clauses",), f"they need the package {PACKAGE.replace('_', '-')}, which is not there", hint)
        return
    by = clause.compiler({**dict.fromkeys(_names(root, "lists"), ()), **config.matching.lists})
    taken: set[str] = set()
    for index, each in zip(kept, config.clauses, strict=True):
        path: Path = ("clauses", index)
        if not each.name.isprintable() or each.name != each.name.strip():
            tell((*path, "name"), "not a clause's name", "use printable characters")
        elif each.name in taken:
            name = shown((*path, "name"), each.name)
            tell((*path, "name"), f"the name `{name}` is taken by another clause", "names must differ")
        taken.add(each.name)
        try:
            by.compile(each.deny)
        except Wrong as wrong:
            tell((*path, "deny"), wrong.message, wrong.hint)


def idle(config: Config) -> Iterator[str]:
    """Clauses that speak of what there is not, in words: what they mean to deny may not be denied."""
    if not config.clauses:
        return
    by = clause.compiler(config.matching.lists)
    entries = [*config.providers.values(), *(each.provider for each in config.targets() if each.provider is not None)]
    traits = {trait for entry in entries for trait in entry.settings.traits}
    traits |= {trait for target in config.targets() for trait in target.traits}
    known = {"provider": sorted(config.providers), "traits": sorted(traits)}
    for each in config.clauses:
        for variable, there in known.items():
            for word in by.words(each.deny, variable):
                if word not in there:
                    what = "provider" if variable == "provider" else "target with the trait"
                    hint = suggestion(word, there)
                    yield f"the clause `{each.name}` is about a {what} `{word[:50]}`, and there is none; {hint}".rstrip(
                        "; "
                    )


def _names(root: Node, section: str) -> list[str]:
    node = root.at(("matching", section))
    return list(node.value) if node is not None and isinstance(node.value, dict) else []


def check(config: Config, tell: Tell, shown: Callable[[Path, str], str]) -> bool:
    """Tell what is wrong with topics and who tells them; False where their model's name need not be looked at, too."""
    matching, told = config.matching, set()
    for name, examples in matching.topics.items():
        if not name or name != name.strip() or not name.isprintable():
            tell((*TOPICS, name), "not a topic's name", "use printable characters")
        for number, example in enumerate(examples):
            if example in told:
                tell((*TOPICS, name, number), "this sentence stands there twice", "one is an example of one topic")
            told.add(example)
    model = matching.embedding_model
    if model is None:
        if matching.topics:
            hint = "set it to a name of `models`, or `provider/model`"
            tell(TOPICS, "topics need `matching.embedding_model`, which is missing", hint)
        return False
    return embeds(config, tell, shown, MODEL, model)


def embeds(config: Config, tell: Tell, shown: Callable[[Path, str], str], path: Path, model: str) -> bool:
    """Tell what is wrong with a model that is to give vectors; False where its name need not be looked at, too."""
    if model not in config.models and any(model in rule.models for rule in config.rules):
        said = f"rules decide what `{shown(path, model)}` stands for, and this model is asked without them"
        tell(path, said, "write a name of `models`, or provider/model")
        return False
    for target, entry in _behind(config, model):
        if not _embeds(config, target, entry):
            tell(path, f"`{shown(path, target)}` gives no embeddings", INSTEAD)
    return True


def _behind(config: Config, model: str) -> Iterator[tuple[str, ProviderEntry]]:
    """The targets of the embedding model that are at a provider of the configuration."""
    named = config.models.get(model)
    targets = [(each.model, each.provider) for _, each in named.places()] if named is not None else [(model, None)]
    for target, own in targets:
        entry = own or config.providers.get(target.partition("/")[0])
        if entry is not None:
            yield target, entry


def _embeds(config: Config, target: str, entry: ProviderEntry) -> bool:
    """As far as it is known."""
    says_itself = entry.settings.speaks or entry.type.dialect_for is not Provider.dialect_for
    if not says_itself and not any(each.operation == "embeddings" for each in entry.type.dialects):
        return False
    provider, _, model = target.partition("/")
    facts = {name: each.facts() for name, each in config.catalogue.models.items()}
    known = assemble({provider: entry.catalogue}, facts).find(provider, model)
    return known is None or not known.ops or "embeddings" in known.ops.split()
