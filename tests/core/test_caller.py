"""What a caller may do: models that lists permit together, paths, operations, addresses."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.caller import ADMIN_OPERATION, Caller, Models, Networks
from together import together

LISTS = st.lists(st.sampled_from(["a", "b", "x/1", "x/2", "y/1", "x/*", "y/*", "x/deep/*"]), max_size=5)
ASKED = ["a", "b", "x/1", "x/2", "x/deep/1", "y/1", "z", "x/"]


@given(LISTS, LISTS)
def test_two_lists_permit_together_what_each_permits(one, other):
    first, second = Models.of(one), Models.of(other)
    both = first.within(second)
    for model in ASKED:
        assert both.permit(model) == (first.permit(model) and second.permit(model)), model


def test_a_star_permits_all():
    assert Models.of(["a", "*"]) is None
    assert not Models.of([]).permit("a")


def net(*listed):
    return tuple(map(ipaddress.ip_network, listed))


@together(
    ("networks", "address", "admitted"),
    [
        (Networks(), "203.0.113.9", True),
        (Networks(net("10.0.0.0/8")), "10.1.2.3", True),
        (Networks(net("10.0.0.0/8")), "11.1.2.3", False),
        (Networks(net("10.0.0.0/8"), net("10.9.0.0/16")), "10.9.1.1", False),
        (Networks(None, net("10.9.0.0/16")), "10.8.1.1", True),
        (Networks(net("10.0.0.0/8")), "::ffff:10.1.2.3", True),
        (Networks(None, net("10.0.0.0/8")), "::ffff:10.1.2.3", False),
        (Networks(net("2001:db8::/32")), "2001:db8::1", True),
        (Networks(net("2001:db8::/32")), "10.1.2.3", False),
        (Networks(net("10.0.0.0/8")), None, True),
        (Networks(net("10.0.0.0/8")), "unknown", False),
    ],
)
def test_who_comes_from_where(networks, address, admitted):
    assert networks.admit(address) is admitted


def test_the_admin_api_is_for_those_only_who_are_told_so():
    assert Caller("k").may_do("chat")
    assert not Caller("k").may_do(ADMIN_OPERATION)
    assert Caller("k", operations=frozenset({ADMIN_OPERATION})).may_do(ADMIN_OPERATION)
    assert not Caller("k", operations=frozenset({ADMIN_OPERATION})).may_do("chat")


def test_every_list_of_paths_has_to_fit():
    caller = Caller("k", paths=(("/v1/*", "/openai/v1/files"), ("/v1/chat/completions", "/openai/*")))
    assert caller.may_ask_at("/v1/chat/completions")
    assert caller.may_ask_at("/openai/v1/files")
    assert not caller.may_ask_at("/v1/embeddings")
    assert not caller.may_ask_at("/openai/v1/files/x")
