"""People log in by a directory, a real one; and who does not get in, nor sees anybody's password."""

import asyncio
import ssl

import pytest
import trustme

from headgate.core.errors import IdentityUnavailable, Unauthenticated
from headgate.identity.ldap.ber import ENUM, SEQUENCE, element, number, text
from headgate.identity.ldap.directory import Directory, Settings
from headgate.identity.mapping import Rule, Rules
from ldaps import ldap
from together import together
from upstreams import Close, ScriptedUpstream, Sleep, Stall

ANN, BOB = "ann's own password", "bob's own password"
READER = {"account": "cn=reader,dc=acme", "password": "reads a lot"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ldap")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder


@pytest.fixture(scope="module")
def server(files):
    with ldap(files, files / "server.pem") as running:
        yield running


@pytest.fixture
def directory(server, files):
    def make(**settings):
        settings = {"urls": [server.tls], "base": "ou=people,dc=acme", "ca_file": str(files / "ca.pem"), **settings}
        return Directory(Settings(**settings))

    return make


async def test_who_has_the_password_gets_in_over_tls_starttls_or_in_clear(server, directory):
    for settings in [{"urls": [server.tls]}, {"urls": [server.clear]}, {"urls": [server.clear], "start_tls": False}]:
        found = await directory(**settings, **READER).login("ann", ANN)
        assert (found.dn, found.user, found.email, found.name) == (
            "uid=ann,ou=people,dc=acme", "ann", "ann@acme.example", "Ann Example",
        )  # fmt: skip
        assert found.mapped.user == "ann"


@pytest.mark.parametrize("settings", [{}, READER, {"dn": "uid={user},ou=people,dc=acme"}])
async def test_who_has_not_is_told_the_same_whoever_it_is(directory, settings):
    made = directory(**settings)
    for user, password in [
        ("ann", "wrong"),
        ("ann", BOB),
        ("nobody", ANN),
        ("ann", ""),
        ("ann", "\0"),
        ("ann", f"{ANN}\0"),
        ("ann", "\ud800"),
        ("ann", "x" * 2000),
        ("", ANN),
        (" ", ANN),
        ("ann\n", ANN),
        ("a" * 300, ANN),
        ("*", ANN),
        ("a*", ANN),
        ("ann)(uid=*", ANN),
        ("*)(uid=*))(|(uid=*", ANN),
        ("ann,ou=people", ANN),
        ("bob,ou=people,dc=acme", BOB),
        ("ann\\2c the other", "the other password"),
    ]:
        with pytest.raises(Unauthenticated, match=r"^the name or the password is not right$"):
            await made.login(user, password)


async def test_an_empty_password_is_not_even_sent(files):
    """Many a directory says yes to it, of nobody."""
    with ScriptedUpstream(b"", read_requests=False) as upstream:
        made = Directory(Settings([f"ldap://127.0.0.1:{upstream.port}"], start_tls=False))
        with pytest.raises(Unauthenticated):
            await made.login("ann", "")
        assert upstream.connections == 0


@pytest.mark.parametrize("settings", [READER, {"dn": "uid={user},ou=people,dc=acme"}])
async def test_a_name_may_hold_what_names_and_filters_are_written_with(directory, settings):
    found = await directory(**settings).login("ann, the other", "the other password")
    assert (found.user, found.name) == ("ann, the other", "Ann Other")


async def test_a_name_counts_as_the_directory_writes_it(directory):
    assert (await directory(**READER).login("ANN", ANN)).mapped.user == "ann"


async def test_whom_a_filter_finds_twice_does_not_get_in(directory, caplog):
    with pytest.raises(Unauthenticated):
        await directory(base="dc=acme", **READER).login("twin", "a twin's password")
    assert "several people" in caplog.text
    assert (await directory(**READER).login("twin", "a twin's password")).dn == "uid=twin,ou=people,dc=acme"


async def test_groups_are_those_the_entry_names_short_only_below_their_base(directory):
    made = directory(groups_base="ou=groups,dc=acme", **READER)
    found = await made.login("ann", ANN)
    assert sorted(found.groups) == sorted(
        ["cn=engineering,ou=groups,dc=acme", "engineering", "cn=admins,ou=sandbox,dc=acme"]
    )
    assert "engineering" not in (await directory(**READER).login("ann", ANN)).groups


async def test_groups_are_looked_for_by_name_or_entry(directory):
    made = directory(
        groups_base="ou=groups,dc=acme", groups_filter="(|(member={dn})(uniqueMember={dn})(memberUid={user}))", **READER
    )
    assert "operations" in (await made.login("bob", BOB)).groups
    assert "finance" in (await made.login("ann, the other", "the other password")).groups
    assert "operations" not in (await made.login("ann", ANN)).groups


async def test_groups_become_teams_and_roles(directory):
    rules = Rules(
        user=Rule("email"),
        team=Rule("groups", {"CN=Nothing,dc=acme": "x", "Engineering": "eng"}),
        role=Rule("groups", {"Admins": "owner", "CN=Engineering,OU=groups, DC=acme": "team_admin"}, "member"),
    )
    made = directory(groups_base="ou=groups,dc=acme", rules=rules, **READER)
    found = (await made.login("ann", ANN)).mapped
    assert (found.user, found.team, found.role) == ("ann@acme.example", "eng", "team_admin")
    with pytest.raises(Unauthenticated, match="nothing says who"):
        await made.login("bob", BOB)


async def test_an_account_that_is_not_let_in_is_an_outage(directory):
    made = directory(account="cn=reader,dc=acme", password="wrong-secret")
    with pytest.raises(IdentityUnavailable, match="account that looks for people") as failure:
        await made.login("ann", ANN)
    assert "wrong-secret" not in failure.value.message
    assert "wrong-secret" not in repr(made.settings)
    with pytest.raises(IdentityUnavailable, match="answered a search with 32"):
        await directory(base="ou=elsewhere,dc=acme", **READER).login("ann", ANN)


async def test_a_certificate_of_somebody_else_gets_no_password(server, directory, files):
    other = trustme.CA()
    other.cert_pem.write_to_path(files / "other.pem")
    for url in (server.tls, server.clear):
        with pytest.raises(IdentityUnavailable, match="certificate"):
            await directory(urls=[url], ca_file=str(files / "other.pem")).login("ann", ANN)
        with pytest.raises(IdentityUnavailable, match="certificate"):
            await directory(urls=[url.replace("127.0.0.1", "localhost")]).login("ann", ANN)


async def test_the_next_address_is_asked_where_one_does_not_answer(server, directory):
    with ScriptedUpstream((Stall(),), read_requests=False) as silent:
        urls = ["ldap://127.0.0.1:1", f"ldaps://127.0.0.1:{silent.port}", server.tls]
        assert (await directory(urls=urls, wait=2.0, **READER).login("ann", ANN)).user == "ann"
    with pytest.raises(IdentityUnavailable, match=r"no connection to 127\.0\.0\.1:1"):
        await directory(urls=["ldap://127.0.0.1:1"]).login("ann", ANN)


async def test_many_log_in_at_once(directory):
    made = directory(**READER)
    found = await asyncio.gather(*(made.login(*who) for who in [("ann", ANN), ("bob", BOB), ("ann", "wrong")] * 10),
                                 return_exceptions=True)  # fmt: skip
    assert [getattr(each, "user", None) for each in found] == ["ann", "bob", None] * 10


def result(number_, kind, code, *more):
    return element(SEQUENCE, number(number_), element(kind, number(code, ENUM), text(""), text(""), *more))


UID = element(SEQUENCE, text("uid"), element(0x31, text("ann")))
ENTRY = element(0x64, text("uid=ann,dc=acme"), element(SEQUENCE, UID))
LONG = element(
    0x64, text("uid=ann,dc=acme"), element(SEQUENCE, UID, element(SEQUENCE, text("x" * 900_000), element(0x31)))
)
FOUND = element(SEQUENCE, number(1), ENTRY) + result(1, 0x65, 0)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (b"", "closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100, "not LDAP|closed"),
        (b"\x30\x84\x7f\xff\xff\xff", "longer than"),
        (b"\x30\x80\0\0", "indefinite"),
        (b"\x04\x01a", "no message of LDAP"),
        (result(7, 0x65, 0), "what was not asked"),
        (result(0, 0x78, 52), "ended the connection"),
        (result(1, 0x61, 0), "what was not asked"),
        (element(SEQUENCE, number(1), element(0x64, text("dn"))), "no entry"),
        (element(SEQUENCE, number(1), element(0x65, text("dn"))), "no result"),
        (result(1, 0x65, 10), "search with 10"),
        (result(1, 0x65, 51), "search with 51"),
        (element(SEQUENCE, number(1), ENTRY) + result(1, 0x65, 4), "less than"),
        (FOUND + result(2, 0x61, 51), "login with 51"),
        (FOUND + result(2, 0x61, 10), "login with 10"),
        (FOUND + result(2, 0x61, 14), "login with 14"),
        (element(SEQUENCE, number(1), LONG) * 10, "too much"),
    ],
)
async def test_a_directory_that_misbehaves_is_an_outage(answers, words):
    with ScriptedUpstream((answers, Sleep(0.05), Close()), read_requests=False) as upstream:
        made = Directory(Settings([f"ldap://127.0.0.1:{upstream.port}"], start_tls=False, wait=5.0))
        with pytest.raises(IdentityUnavailable, match=words):
            await made.login("ann", ANN)


async def test_a_directory_that_answers_lets_in():
    with ScriptedUpstream((FOUND + result(2, 0x61, 0), Stall()), read_requests=False) as upstream:
        made = Directory(Settings([f"ldap://127.0.0.1:{upstream.port}"], start_tls=False))
        assert (await made.login("ann", ANN)).user == "ann"


@pytest.mark.parametrize("code", [19, 32, 34, 48, 49, 53])
async def test_what_is_about_the_person_is_a_refusal(code):
    with ScriptedUpstream((FOUND + result(2, 0x61, code), Stall()), read_requests=False) as upstream:
        made = Directory(Settings([f"ldap://127.0.0.1:{upstream.port}"], start_tls=False))
        with pytest.raises(Unauthenticated):
            await made.login("ann", ANN)


async def test_no_more_is_waited_for_than_is_set():
    with ScriptedUpstream((Stall(),), read_requests=False) as upstream:
        made = Directory(Settings([f"ldap://127.0.0.1:{upstream.port}"], start_tls=False, wait=0.2))
        with pytest.raises(IdentityUnavailable, match=r"within 0\.2 seconds"):
            await made.login("ann", ANN)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (result(1, 0x78, 0) + FOUND, "in clear"),
        (result(1, 0x78, 2), "no StartTLS"),
        (result(1, 0x61, 0), "what was not asked"),
        (b"", "closed"),
    ],
)
async def test_nothing_in_clear_is_believed_before_tls(answers, words):
    with ScriptedUpstream((answers, Sleep(0.05), Close()), read_requests=False) as upstream:
        made = Directory(Settings([f"ldap://127.0.0.1:{upstream.port}"]))
        with pytest.raises(IdentityUnavailable, match=words):
            await made.login("ann", ANN)


@together(
    "settings",
    [
        {"urls": []},
        {"urls": "ldaps://a"},
        {"urls": ["https://a"]},
        {"urls": ["ldaps://"]},
        {"urls": ["ldaps://a/dc=b"]},
        {"filter": "(uid=ann)"},
        {"filter": "uid={user}"},
        {"filter": "(uid={name})"},
        {"dn": "uid=ann,dc=acme"},
        {"dn": "{user}"},
        {"base": "acme"},
        {"account": "cn=reader,dc=acme"},
        {"groups_filter": "(member={dn})"},
        {"groups_filter": "(member={user", "groups_base": "dc=acme"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ValueError):
        Settings(**{"urls": ["ldaps://a"], **settings})


def test_a_file_of_certificates_that_is_none_is_told(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises((OSError, ssl.SSLError)):
        Directory(Settings(["ldaps://a"], ca_file=str(tmp_path / "ca.pem")))
