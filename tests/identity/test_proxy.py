"""Clients known by their certificates, as a proxy tells of them; and clients that tell it of themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import Unauthenticated
from headgate.identity.mapping import Rule, Rules
from headgate.identity.proxy import Proxied, Settings, of_subject, parse
from together import together

HASH = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688"
XFCC = (
    f'By=http://front.lyft.com;Hash={HASH};Subject="/C=US/ST=CA"',
    f'Hash={HASH};Subject="CN=Ann\\, the first,OU=Search + OU=Ads,O=Acme \\"Inc\\"";URI=spiffe://acme/ns/x/sa/ann;DNS=a.acme;DNS=b.acme',
)


def identify(told, *, trusted=True, more=(), **settings):
    name = settings.get("header", "x-forwarded-client-cert").encode()
    return Proxied(Settings(**settings)).identify([(b"host", b"a"), (name, told.encode()), *more], trusted=trusted)


def test_the_form_of_envoy_is_read():
    found = parse(f"{XFCC[0]},{XFCC[1]}")
    assert len(found) == 2
    assert found[0] == {"by": ["http://front.lyft.com"], "hash": [HASH], "subject": ["/C=US/ST=CA"]}
    assert found[1]["subject"] == ['CN=Ann, the first,OU=Search + OU=Ads,O=Acme "Inc"']
    assert found[1]["dns"] == ["a.acme", "b.acme"]
    assert parse("By=;URI=") == [{"by": [""], "uri": [""]}]
    assert len(parse("Hash=a, Hash=b")) == 2


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_a_value_in_quotes_stays_one_value(value):
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'Hash=a;Subject="{quoted}";URI=b') == [{"hash": ["a"], "subject": [value], "uri": ["b"]}]


BAD = ["", ",", "Hash", "Hash=a;", "=a", 'Subject="a', 'Subject="a"b', "Hash=a,,Hash=b", "Hash=a," * 60 + "Hash=a"]


@together("bad", [*BAD, "Hash=a;Hash=b", 'Subject="a";Subject="b"'])
def test_what_envoy_does_not_write_is_refused(bad):
    with pytest.raises(ValueError):
        parse(bad)


def test_a_client_is_known_by_whichever_part_the_rules_name():
    told = f'Hash={HASH};Subject="CN=ann,O=Acme";URI=spiffe://acme/ann;DNS=a.acme'
    assert identify(told).user == "ann"
    assert identify(told, rules=Rules(user=Rule("uri"))).user == "spiffe://acme/ann"
    assert identify(told, rules=Rules(user=Rule("hash", {":".join([HASH.upper()[:2], HASH[2:]]): "bob"}))).user == "bob"
    assert identify(told, rules=Rules(user=Rule("subject", {"cn=Ann, o=ACME": "carl"}))).user == "carl"
    assert identify(told, rules=Rules(user=Rule("cn"), team=Rule("o", {"Acme": "eng"}))).team == "eng"
    with pytest.raises(Unauthenticated, match="nothing says who"):
        identify(told, rules=Rules(user=Rule("subject", {"CN=ann,O=Acme,C=US": "carl"})))


def test_a_header_from_anybody_else_says_nothing():
    assert identify('Subject="CN=ann"', trusted=False) is None
    assert Proxied(Settings()).identify([(b"host", b"a")], trusted=True) is None
    assert identify("") is None


def test_only_the_nearest_proxys_word_counts_unless_more_are_trusted():
    told = 'Subject="CN=root",Subject="CN=ann"'
    assert identify(told).user == "ann"
    assert identify(told, hops=2).user == "root"
    with pytest.raises(Unauthenticated, match="fewer proxies"):
        identify(told, hops=3)


def test_two_headers_are_one_too_many():
    with pytest.raises(Unauthenticated, match="two headers"):
        identify('Subject="CN=ann"', more=[(b"x-forwarded-client-cert", b'Subject="CN=root"')])


def test_a_subject_is_told_by_other_proxies_alone():
    settings = {"header": "SSL-Client-Subject-DN", "form": "subject", "verified": ("SSL-Client-Verify", "SUCCESS")}
    headers = [(b"ssl-client-subject-dn", b"CN=ann,OU=Search,O=Acme"), (b"ssl-client-verify", b"SUCCESS")]
    assert Proxied(Settings(**settings)).identify(headers, trusted=True).user == "ann"
    for said in ([], [b"NONE"], [b"FAILED:expired"], [b"SUCCESS", b"FAILED"], [b"success"]):
        told = [headers[0], *((b"ssl-client-verify", each) for each in said)]
        with pytest.raises(Unauthenticated, match="does not say that it has checked"):
            Proxied(Settings(**settings)).identify(told, trusted=True)


@together(
    ("told", "words"),
    [
        ("/CN=ann/O=Acme", "slashes"),
        ("ann", "no part of"),
        ("CN=ann,CN=root", "two common names"),
        ("CN=ann+CN=root", "two common names"),
        ("O=Acme", "nothing says who"),
        ("CN=ann\\0aroot", "can be no name"),
        ("CN=ann\\e2\\80\\aeroot", "can be no name"),
        ("CN=\\ff", "cannot be read"),
    ],
)
def test_a_subject_that_can_be_read_in_two_ways_is_refused(told, words):
    with pytest.raises(Unauthenticated, match=words):
        identify(told, form="subject")


def test_a_subject_claims_nothing_but_its_own_parts():
    found = of_subject(f"CN=ann,hash={HASH},uri=spiffe://root,dns=root,subject=root,O=a,O=b")
    assert set(found) == {"subject", "cn", "o"}
    assert found["o"] == ["a", "b"]
    with pytest.raises(Unauthenticated, match="nothing says who"):
        identify('Subject="CN=ann,uri=spiffe://root"', rules=Rules(user=Rule("uri")))


def test_a_fingerprint_is_compared_however_it_is_written():
    rules = Rules(user=Rule("hash", {HASH.upper(): "ann"}))
    colons = ":".join(HASH[start : start + 2] for start in range(0, len(HASH), 2))
    assert identify(colons, form="fingerprint", rules=rules).user == "ann"
    for bad in ("xyz", HASH[:10], "g" * 64):
        with pytest.raises(Unauthenticated, match="fingerprint"):
            identify(bad, form="fingerprint", rules=rules)
    with pytest.raises(ValueError, match="fingerprint"):
        Proxied(Settings(rules=Rules(user=Rule("hash", {"xyz": "ann"}))))


@pytest.mark.parametrize("settings", [{"header": ""}, {"hops": 0}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ValueError):
        Settings(**settings)
