"""Filters: the same bytes as another client's, and nothing typed changes more than a value."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldaptor.protocols.pureber import BERDecoderContext, berDecodeObject
from ldaptor.protocols.pureldap import LDAPBERDecoderContext_Filter, LDAPFilter_equalityMatch

from headgate.identity.ldap.filters import parse
from together import together

with warnings.catch_warnings():  # what it is built on has renamed its functions
    warnings.simplefilter("ignore")
    from ldaptor.ldapfilter import parseFilter

CONTEXT = LDAPBERDecoderContext_Filter(fallback=BERDecoderContext())


@pytest.mark.parametrize(
    "source",
    [
        "(uid=ann)",
        "(uid=*)",
        "(cn=a*)",
        "(cn=*a)",
        "(cn=*a*)",
        "(cn=a*b*c)",
        "(age>=5)",
        "(age<=5)",
        "(cn~=ann)",
        "(&(objectClass=person)(uid=ann))",
        "(|(uid=ann)(mail=ann)(!(disabled=TRUE)))",
        "(cn=\\28\\2a\\29\\5c)",
        "(memberOf=cn=a,dc=b)",
        "(cn=J\u00fcrgen)",
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_bytes_are_those_of_another_client(source):
    assert parse(source).bytes({}) == parseFilter(source).toWire()


def test_rules_of_comparison_are_written_as_the_rfc_has_it():
    assert parse("(memberOf:1.2.3:=a)").bytes({}) == b"\xa9\x17\x81\x051.2.3\x82\x08memberOf\x83\x01a\x84\x01\0"
    assert parse("(o:dn:=Acme)").bytes({}) == b"\xa9\x0c\x82\x01o\x83\x04Acme\x84\x01\xff"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_what_is_typed_is_a_value_and_nothing_else(typed):
    found, _ = berDecodeObject(CONTEXT, parse("(uid={user})", frozenset({"user"})).bytes({"user": typed}))
    assert isinstance(found, LDAPFilter_equalityMatch)
    assert found.attributeDesc.value == b"uid"
    assert found.assertionValue.value == typed.encode()


@together("typed", ["*", "*)(uid=*", "ann)(|(uid=*", "\\2a", "a\0b", "{user}", "ann*", "(", "\\"])
def test_known_injections_are_values(typed):
    """None of them becomes a wildcard, a filter of its own, or another place."""
    wanted = parse("(&(objectClass=person)(uid={user}))", frozenset({"user"})).bytes({"user": typed})
    assert b"\x04\x03uid\x04" + bytes([len(typed.encode())]) + typed.encode() in wanted
    assert wanted.endswith(typed.encode())


@together(
    ("bad", "words"),
    [
        ("", "begins with"),
        ("uid=ann", "begins with"),
        ("(uid=ann", "not closed"),
        ("(uid=ann))", "goes on"),
        ("(uid=ann)(cn=a)", "goes on"),
        ("(&)", "in parentheses"),
        ("(!(a=b)(c=d))", "in parentheses"),
        ("(&uid=ann)", "in parentheses"),
        ("(uid)", "no comparison"),
        ("(=ann)", "an attribute"),
        ("(:=ann)", "attribute or a rule"),
        ("(a:dn=b)", "an attribute"),
        ("(a=b**c)", "two \\*"),
        ("(uid={name})", "{name}; there is {user}"),
        ("(!" * 20 + "(a=b)" + ")" * 20, "too deeply"),
    ],
)
def test_what_is_no_filter_is_told(bad, words):
    with pytest.raises(ValueError, match=words):
        parse(bad, frozenset({"user"}))
