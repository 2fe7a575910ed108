"""Distinguished names, with whatever somebody typed in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldaptor.protocols.ldap.distinguishedname import DistinguishedName

from headgate.identity.names import escaped, parse, plain, under
from together import together

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(TEXT)
def test_a_value_stays_one_value(value):
    name = parse(f"uid={escaped(value)},ou=people,dc=acme")
    assert name[1:] == parse("ou=people,dc=acme")
    assert name[0] == frozenset({("uid", " ".join(value.split()).casefold())})
    assert parse(plain(name)) == name


@given(st.text('ab ,+=#"\\;<>', min_size=1, max_size=12).filter(lambda value: value.strip() == value))
def test_another_reader_understands_the_same(value):
    found = DistinguishedName(f"uid={escaped(value)},dc=acme").split()
    assert len(found) == 2
    assert [(each.attributeType, each.value) for each in found[0].split()] == [("uid", value)]


@together(
    ("value", "written"),
    [
        ("ann,ou=admins", "ann\\,ou\\=admins"),
        ("a+cn=b", "a\\+cn\\=b"),
        (" a ", "\\ a\\ "),
        ("#a", "\\#a"),
        ("a\0b", "a\\00b"),
        ('"\\', '\\"\\\\'),
        ("J\u00fcrgen", "J\u00fcrgen"),
        ("", ""),
    ],
)
def test_what_is_special_is_escaped(value, written):
    assert escaped(value) == written


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Engineering, OU=Groups, DC=acme", "cn=engineering,ou=groups,dc=acme"),
        ("cn=a+uid=b,dc=acme", "UID=B + CN=A,dc=acme"),
        ("cn=J\\c3\\bcrgen,dc=acme", "cn=j\u00fcrgen,dc=acme"),
        ('cn="a,b",dc=acme', "cn=a\\,b,dc=acme"),
        ("cn=a  b,dc=acme", "cn=A B,dc=acme"),
        ("cn=a;dc=acme", "cn=a,dc=acme"),
    ],
)
def test_names_are_the_same_however_they_are_written(one, other):
    assert parse(one) == parse(other)
    assert plain(parse(one)) == plain(parse(other))


def test_what_stands_below_is_seen_by_whole_steps():
    groups = parse("ou=groups,dc=acme")
    assert under(parse("cn=a,ou=groups,dc=acme"), groups)
    assert under(groups, groups)
    assert under(groups, ())
    for other in ("cn=a,ou=othergroups,dc=acme", "cn=ou\\=groups\\,dc\\=acme", "dc=acme", "cn=a,ou=groups,dc=acme2"):
        assert not under(parse(other), groups)


@together("bad", ["acme", "=a", "cn", "cn=a,", "cn=a,,dc=b", "c n=a", "cn=a,b", "cn=\\ff,dc=a"])
def test_what_is_no_name_is_told(bad):
    with pytest.raises(ValueError):
        parse(bad)
