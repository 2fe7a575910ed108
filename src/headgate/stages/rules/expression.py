"""Expressions in CEL (https://github.com/google/cel-spec): checked when they are compiled, asked once per request.

The package is imported by what compiles one: a gateway without rules does without it.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, get_args

from headgate.core.labels import Priority
from headgate.core.plugin import suggestion
from headgate.core.request import Operation
from headgate.stages.rules.words import mentioned

PACKAGE = "cel_expr_python"
LONGEST = 4096
"""Characters of an expression."""
LOOPS = frozenset({"all", "exists", "exists_one", "filter", "map"})
"""CEL's macros that go over every entry of what a client sent, and over each again where they are nested."""
MAPS = frozenset({"headers", "metadata"})
"""Variables whose keys are the client's: one that is named but not there is the empty text, no error."""
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CLOSED: Mapping[str, Sequence[str]] = {
    "operation": get_args(Operation),
    "priority": get_args(Priority),
    "weekday": DAYS,
}
"""What some variables can be: another word is a mistake, for which nothing would ever be found."""
TOPIC = frozenset({"topic", "topic_score"})
"""Variables that a model has to be asked for: `Rules` does, where an answer depends on them."""

MEANT = {"error at: '=": "`==` compares", "input 'and'": "write `&&`", "input 'or'": "write `||`"}
"""What the parser stumbles over where somebody writes as in other languages, and what to write."""

_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_UNKNOWN = re.compile(r"undeclared reference to '([^']*)'")
_TOKEN = re.compile(
    r"""
      (?P<blank>\s+|//[^\n]*)
    | (?P<text>(?:[rR][bB]?|[bB][rR])(?:"{3}.*?"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')
        |[bB]?(?:"{3}(?:\\.|[^\\])*?"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    | (?P<name>[A-Za-z_]\w*)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Wrong(ValueError):
    """An expression that cannot be used. `message` says why, `hint` (may be empty) how to mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.hint = hint


class Undecided(Exception):
    """An expression has no answer for this request (a list without an entry that it asks for); the message says why."""


class Token(NamedTuple):
    kind: str
    text: str


class Values(Protocol):
    """Variables by name."""

    def __getitem__(self, name: str) -> Any:
        """The value of one."""


class Expression:
    """A question about a request, to be answered with yes or no."""

    __slots__ = ("_blank", "_program", "names")

    def __init__(self, program: Any, names: Sequence[str], blank: Mapping[str, Mapping[str, str]]) -> None:
        self._program = program
        self.names = names
        """The variables it is about."""
        self._blank = blank
        """Of variables that are maps, the keys that it names."""

    def holds(self, subject: Values, unknown: Collection[str] = ()) -> bool:
        """Raises Undecided, also where the answer depends on a variable that is unknown or undecided."""
        values, doubt = {}, ""
        for name in self.names:
            if name in unknown:
                continue
            try:
                values[name] = {**self._blank[name], **subject[name]} if name in self._blank else subject[name]
            except Undecided as undecided:
                doubt = str(undecided)  # which the answer may not depend on
        try:
            answer = self._program.eval(data=values).value()
        except RuntimeError as error:  # text that is none
            raise Undecided(str(error)) from None
        if answer is True or answer is False:
            return answer
        # in quotation marks is what the client sent
        raise Undecided(doubt or str(answer).partition('"')[0].rstrip(" :"))


def installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec(PACKAGE) is not None


class Compiler:
    """Knows what there is to ask about."""

    def __init__(
        self, variables: Mapping[str, Any], lists: Mapping[str, Sequence[str]], topics: Collection[str] = ()
    ) -> None:
        """`variables`: the Python type of each. `lists`: of words, by name, for `mentions`. `topics`: their names."""
        from cel_expr_python import cel

        text, yes = cel.Type.STRING, cel.Type.BOOL
        self._types = {
            str: text,
            int: cel.Type.INT,
            float: cel.Type.DOUBLE,
            bool: yes,
            list[str]: cel.Type.List(text),
            dict[str, str]: cel.Type.Map(text, text),
        }
        self._yes = yes
        self.variables = variables
        self.lists = lists
        self.topics = topics
        words = {name: tuple(entries) for name, entries in lists.items()}

        def mentions(said: str, list_of_words: list[str]) -> bool:
            return mentioned(said, tuple(list_of_words))

        def mentions_list(said: str, name: str) -> bool:
            return mentioned(said, words[name])

        overloads = [
            cel.Overload("mentions_words", yes, [text, cel.Type.List(text)], False, mentions),
            cel.Overload("mentions_list", yes, [text, text], False, mentions_list),
        ]
        declared = {name: self._types[kind] for name, kind in variables.items()}
        self._environment = cel.NewEnv(variables=declared, functions=[cel.FunctionDecl("mentions", overloads)])

    def compile(self, source: str) -> Expression:
        """Raises Wrong."""
        if len(source) > LONGEST:
            raise Wrong(f"the expression is longer than {LONGEST} characters", "make several rules of it")
        try:
            program = self._environment.compile(source)
        except RuntimeError as error:
            raise self._translated(str(error)) from None
        if program.return_type() != self._yes:
            kind = str(program.return_type().name()).lower()
            raise Wrong(f"the expression gives {kind}, not true or false", "compare it with something")
        tokens = _tokens(source)
        self._refuse(tokens)
        ahead = [Token("", ""), *tokens]
        used = {token.text for before, token in zip(ahead, tokens, strict=False) if before.text != "."}
        names = [name for name in self.variables if name in used]
        if not self.topics and not TOPIC.isdisjoint(names):
            raise Wrong("there are no topics in `matching.topics`", "give each some example sentences there")
        blank = {name: dict.fromkeys(self._keys(tokens, name), "") for name in names if name in MAPS}
        return Expression(program, names, {name: keys for name, keys in blank.items() if keys})

    def words(self, source: str, variable: str) -> list[str]:
        """What an expression compares a variable with, or looks for in it."""
        tokens = _tokens(source)
        looked_for = [
            word
            for word, sign, name in zip(tokens, tokens[1:], tokens[2:], strict=False)
            if word.kind == "text" and sign.text == "in" and name == Token("name", variable)
        ]
        return [self._constant(token) for token in (*_compared(tokens, variable), *looked_for)]

    def _translated(self, error: str) -> Wrong:
        found = _ERROR.search(error)
        if found is None:
            return Wrong(f"the expression cannot be read: {error.rpartition(' [')[0] or error}")
        place = f"at character {found[2]}" if found[1] == "1" else f"in line {found[1]} at character {found[2]}"
        unknown = _UNKNOWN.search(found[3])
        if unknown is None:
            meant = next((hint for sign, hint in MEANT.items() if sign in found[3]), "")
            return Wrong(f"the expression is wrong {place}: {found[3]}", meant)
        known = [*self.variables, "mentions"]
        return Wrong(f"there is no `{unknown[1]}` ({place})", suggestion(unknown[1], known, limit=len(known)))

    def _refuse(self, tokens: Sequence[Token]) -> None:
        """Raises Wrong for what would only fail, or take long, when a request is there."""
        for at, token in enumerate(tokens[1:-1], 1):
            if token.text in LOOPS and tokens[at - 1].text == "." and tokens[at + 1].text == "(":
                hint = 'ask for an entry: `"x" in tags`, `mentions(prompt, ["x"])`'
                raise Wrong(f"`{token.text}` goes over every entry of what a client sends, which no rule may", hint)
        for given in _calls(tokens, "matches"):
            pattern = given[-1]
            if len(pattern) != 1 or pattern[0].kind != "text":
                raise Wrong("`matches` takes a pattern that stands in the rule", 'write `prompt.matches("…")`')
            answer = self._environment.compile(f'"".matches({pattern[0].text})').eval(data={}).value()
            if not isinstance(answer, bool):
                raise Wrong(answer.partition(": ")[2], f"it is {pattern[0].text}")
        for given in _calls(tokens, "mentions"):
            self._look_up(given[1])
        self._words(tokens)

    def _words(self, tokens: Sequence[Token]) -> None:
        """Raises Wrong for what a variable can never be."""
        for variable, can_be in CLOSED.items():
            for name in map(self._constant, _compared(tokens, variable)):
                if name and name not in can_be:
                    raise Wrong(f"there is no {variable} `{name}`", suggestion(name, can_be))
        for name in map(self._constant, _compared(tokens, "data_class")):
            if name != name.lower():
                raise Wrong(f"no class of data is `{name}`", f"they are in small letters: `{name.lower()}`")
        for name in map(self._constant, _compared(tokens, "topic")):
            if name and name not in self.topics and self.topics:
                raise Wrong(f"there is no topic `{name}` in `matching.topics`", suggestion(name, list(self.topics)))

    def _look_up(self, words: Sequence[Token]) -> None:
        """Raises Wrong for words that are no list of the configuration, nor stand in the rule."""
        if words[0].text == "[":
            if any(token.kind != "text" and token.text not in "[,]" for token in words):
                raise Wrong("`mentions` takes words that stand in the rule", 'write `mentions(prompt, ["…"])`')
            return
        if len(words) != 1 or words[0].kind != "text":
            raise Wrong("`mentions` takes words in brackets, or the name of one of `matching.lists`")
        name = self._constant(words[0])
        if name not in self.lists:
            raise Wrong(f"there is no list `{name}` in `matching.lists`", suggestion(name, list(self.lists)))

    def _keys(self, tokens: Sequence[Token], name: str) -> Iterator[str]:
        """Keys of a map that the expression names, less those of which it asks whether they are there."""
        asked = set()
        found = []
        for at, token in enumerate(tokens):
            if token != Token("name", name) or (at and tokens[at - 1].text == "."):
                continue
            ahead = [*tokens[at + 1 : at + 4], Token("", ""), Token("", "")]
            if at > 1 and tokens[at - 1].text == "in" and tokens[at - 2].kind == "text":
                asked.add(self._constant(tokens[at - 2]))
            if ahead[0].text == "." and ahead[1].kind == "name":
                found.append(ahead[1].text)
            elif ahead[0].text == "[" and ahead[1].kind == "text":
                found.append(self._constant(ahead[1]))
            else:
                continue
            if at > 1 and tokens[at - 1].text == "(" and tokens[at - 2].text == "has":
                asked.add(found[-1])
        return (key for key in found if key not in asked)

    def _constant(self, token: Token) -> str:
        value = self._environment.compile(token.text).eval(data={}).value()
        return value if isinstance(value, str) else ""


def _tokens(source: str) -> list[Token]:
    tokens = [Token(found.lastgroup or "", found[0]) for found in _TOKEN.finditer(source)]
    return [token for token in tokens if token.kind != "blank"]


def _compared(tokens: Sequence[Token], variable: str) -> Iterator[Token]:
    """The texts that a variable is compared with: `topic == "x"`, `"x" != topic`, `topic in ["x", "y"]`."""
    ends = [Token("", "")] * 4
    around = [*ends, *tokens, *ends]
    for at, token in enumerate(around):
        if token != Token("name", variable) or around[at - 1].text in (".", "+"):
            continue
        before, ahead = around[at - 3 : at], around[at + 1 : at + 4]
        if ahead[0].text in ("=", "!") and ahead[1].text == "=":
            compared = ahead[2:]
        elif before[1].text in ("=", "!") and before[2].text == "=":
            compared = before[:1]
        elif ahead[0].text == "in" and ahead[1].text == "[":
            compared = list(itertools.takewhile(lambda token: token.text != "]", around[at + 3 :]))
        else:
            compared = []
        yield from (token for token in compared if token.kind == "text")


def _calls(tokens: Sequence[Token], function: str) -> Iterator[list[list[Token]]]:
    """What each call of a function is given, in tokens."""
    for at, token in enumerate(tokens[:-1]):
        if token == Token("name", function) and tokens[at + 1].text == "(":
            given: list[list[Token]] = [[]]
            depth = 0
            for inner in tokens[at + 2 :]:
                depth += (inner.text in "([{") - (inner.text in ")]}")
                if depth < 0:
                    break
                if inner.text == "," and depth == 0:
                    given.append([])
                else:
                    given[-1].append(inner)
            yield given
