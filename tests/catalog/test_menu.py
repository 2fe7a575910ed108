from headgate.catalog.catalogue import Catalogue
from headgate.catalog.menu import Menu
from headgate.catalog.shelf import Shelf, layer
from headgate.core.caller import Caller
from headgate.core.target import Target

DATA = layer(
    b"""{
"a":{"ops":"chat","takes":"text image","can":"tools schema","cannot":"audio","context":100,"max_output":10,
     "prices":[{"input":"1"}]},
"b":{"ops":"chat","takes":"text","can":"tools","cannot":"image","context":400,"max_input":50,"retires":"2999-01-01",
     "prices":[{"input":"2"}]},
"gone":{"ops":"chat","retires":"2020-01-01"}
}"""
)


class Host:
    def __init__(self, name):
        self.name = name


def menu(**aliases):
    made = {name: [Target(Host("x"), model) for model in models] for name, models in aliases.items()}
    return Menu(Catalogue({"x": Shelf("x", [DATA]), "y": Shelf("y", [])}), made)


def test_a_key_without_a_list_is_shown_the_aliases():
    assert menu(one=["a"], two=["b"]).names(Caller("k")) == ["one", "two"]


def test_where_there_are_no_aliases_it_is_shown_the_catalogue():
    assert menu().names(Caller("k")) == ["x/a", "x/b"]


def test_a_key_with_a_list_is_shown_just_that():
    shown = menu(one=["a"], two=["b"])
    assert shown.names(Caller("k", frozenset(["two", "x/zzz", "x/a"]))) == ["two", "x/a", "x/zzz"]
    assert shown.names(Caller("k", frozenset(["x/a"]), ("x/",))) == ["x/a", "x/b"]
    assert shown.names(Caller("k", frozenset(), ("y/", "nobody/"))) == []


def test_what_two_models_have_in_common():
    both = menu(both=["a", "b"]).known("both")
    assert (both.context, both.max_input, both.max_output) == (100, 50, None)
    assert (both.takes, both.can, both.cannot) == ("text", "tools", "audio image")
    assert both.known_to("image") is False
    assert (both.retires, both.prices) == ("2999-01-01", [])


def test_one_model_is_itself_and_an_unknown_one_makes_all_unknown():
    shown = menu(same=["a", "a"], odd=["a", "unheard-of"])
    assert shown.known("same").prices == [{"input": "1"}]
    assert shown.known("x/a").context == 100
    assert shown.known("odd") is None
    assert shown.known("x/unheard-of") is None
    assert shown.known("nonsense") is None


def test_who_can_is_named_shortly():
    shown = menu(one=["b", "a"], two=["b"])
    caller = Caller("k", frozenset(["one", "two"]), ("x/",))
    assert shown.able(caller, lambda entry: entry.known_to("image") is True) == ["one", "x/a"]
    assert shown.able(caller, lambda entry: True, most=1) == ["one"]
    assert shown.able(caller, lambda entry: False) == []
