"""What a target's requests get otherwise: fields set, added, left out; mappings key by key."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.target import Shape, merged, without
from together import together

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


def applied(shape, fields):
    changes = shape.changes(fields)
    return {key: value for key, value in {**fields, **changes}.items() if not (key in changes and value is None)}


@together(
    ("shape", "fields", "sent"),
    [
        (Shape(set={"seed": 1}), {"seed": 2, "x": 3}, {"seed": 1, "x": 3}),
        (Shape(defaults={"seed": 1}), {"x": 3}, {"seed": 1, "x": 3}),
        (Shape(defaults={"seed": 1}), {"seed": 2}, {"seed": 2}),
        (Shape(defaults={"seed": 1}), {"seed": None}, {"seed": 1}),
        (Shape(drop=["seed"]), {"seed": 2, "x": 3}, {"x": 3}),
        (Shape(drop=["seed"]), {"x": 3}, {"x": 3}),
        (Shape(drop=["o.seed"]), {"o": {"seed": 2, "k": 1}}, {"o": {"k": 1}}),
        (Shape(drop=["o.seed.deep", "o.k"]), {"o": {"seed": 2, "k": 1}}, {"o": {"seed": 2}}),
        (Shape(set={"o": {"seed": 1}}), {"o": {"seed": 2, "k": 1}}, {"o": {"seed": 1, "k": 1}}),
        (Shape(defaults={"o": {"seed": 1, "j": 1}}), {"o": {"seed": 2}}, {"o": {"seed": 2, "j": 1}}),
        (Shape(drop=["seed"], defaults={"seed": 1}), {"seed": 2}, {"seed": 1}),
    ],
)
def test_changes(shape, fields, sent):
    before = repr(fields)
    assert applied(shape, fields) == sent
    assert repr(fields) == before, "it changed what is only to be read"


@given(OBJECTS, OBJECTS)
def test_what_is_set_stands_there(fields, wanted):
    wanted = {key: value for key, value in wanted.items() if value is not None}
    sent = applied(Shape(set=wanted), fields)
    for key, value in wanted.items():
        assert merged(sent[key], value) == sent[key]
    assert {key: value for key, value in sent.items() if key not in wanted} == {
        key: value for key, value in fields.items() if key not in wanted
    }


@given(OBJECTS, st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
def test_what_is_left_out_is_gone(fields, path):
    left = without(fields, ".".join(path))
    for name in path[:-1]:
        left = left.get(name) if isinstance(left, dict) else None
    assert not isinstance(left, dict) or path[-1] not in left


def test_the_targets_own_counts_more_than_the_providers():
    below = Shape(set={"a": 1, "b": {"x": 1}}, drop=["c"], effort="low")
    shape = Shape(set={"a": 2, "b": {"y": 2}}, system="Be brief.").over(below)
    assert shape == Shape(set={"a": 2, "b": {"x": 1, "y": 2}}, drop=("c",), system="Be brief.", effort="low")
