"""People log in, are known by their sessions, and are known no more once anything about them changes; whoever else
tries does not get in."""

import contextlib
import http.client
import json
import re
import time
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
import trustme
from click.testing import CliRunner

from gateways import ADMIN_KEY, running
from headgate.cli import cli
from headgate.identity.second_factor import STEP, code_of
from ldaps import ldap
from openid import openid_provider

CONFIG = """
server: {host: 127.0.0.1, port: {PORT}, workers: 1, trusted_proxies: [127.0.0.1]}
data_dir: {DATA}
providers: {simulator: }
login:
  hashing: {memory: 7168, passes: 1}
  oidc:
    issuer: OPENID
    client_id: gateway
    client_secret: a-secret-of-the-gateways
    redirect_url: http://127.0.0.1:{PORT}/admin/api/login/oidc/callback
    userinfo: true
    claims:
      role: {claim: groups, table: {operations: admin}}
      team: {claim: groups, table: {other: eng, operations: eng}}
  ldap:
    url: LDAP
    base: ou=people,dc=acme
    account: cn=reader,dc=acme
    password: reads a lot
    ca_file: AUTHORITY
    groups_base: ou=groups,dc=acme
    groups_filter: (member={dn})
    roles: {operations: billing}
    teams: {operations: eng}
teams: {eng: }
users:
  filed: {role: auditor, password_hash: 'FILED'}
keys:
  - {name: of-filed, key: hg-filed-key-0123456789abcdef, user: filed, operations: [admin]}
"""
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def openid():
    claims = (
        {"sub": "olga", "email": "olga@acme.example", "email_verified": True},
        {"sub": "eve", "email": "olga@acme.example"},
        {"sub": "gus", "groups": ["operations", "other"]},
        {"sub": "nobody", "groups": ["other"]},
    )
    with openid_provider(*(word for each in claims for word in ("--user-claims", json.dumps(each)))) as provider:
        yield provider


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder, authority = tmp_path_factory.mktemp("ldap"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    with ldap(folder, folder / "server.pem") as running:
        running.authority = folder / "ca.pem"
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, openid, directory):
    made = command("password", "filed", "--print", given=f"{PASSWORD}\n")
    config = CONFIG.replace("FILED", re.search(r"'(\$argon2id\$[^']+)'", made)[1]).replace("OPENID", openid.url)
    config = config.replace("LDAP", directory.tls).replace("AUTHORITY", str(directory.authority))
    with running(tmp_path_factory.mktemp("login"), config) as it:
        yield it


class Browser:
    """One at an address of its own, as a proxy that is trusted says; `https`: it says that, too."""

    count = 0

    def __init__(self, gateway, address=None, https=False):
        Browser.count += 1
        self.gateway = gateway
        self.address = address or f"10.1.{Browser.count // 250}.{Browser.count % 250}"
        self.https = https
        self.cookies = {}
        self.csrf = None

    def call(self, method, path, body=None, **headers):
        """(status, headers, answer); a header that is None is left out."""
        sent = {
            "x-forwarded-for": self.address,
            "x-forwarded-proto": "https" if self.https else None,
            "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None,
            "content-type": "application/json" if body is not None else None,
            "x-csrf-token": self.csrf,
            "sec-fetch-site": "same-origin",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        sent = {name: value for name, value in sent.items() if value is not None}
        data = json.dumps(body).encode() if body is not None else None
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)) as connection:
            connection.request(method, f"/admin/api{path}", data, sent)
            answer = connection.getresponse()
            text, told = answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        for cookie in answer.headers.get_all("set-cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, told, json.loads(text) if text else None

    def login(self, name, password=PASSWORD, code=None):
        body = {"name": name, "password": password, **({"code": code} if code else {})}
        status, _, answer = self.call("POST", "/login", body)
        self.csrf = answer.get("csrf", self.csrf)
        return status, answer

    def known(self):
        return self.call("GET", "/me")[0] == 200


def admin(gateway, method, path, body=None):
    headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
    data = json.dumps(body).encode() if body is not None else None
    status, _, answer = gateway.request(method, f"/admin/api{path}", data, headers)
    return status, json.loads(answer) if isinstance(answer, bytes) and answer else answer


def person(gateway, name, role="member", password=PASSWORD, **body):
    """A user who has a password."""
    assert admin(gateway, "POST", "/users", {"name": name, "role": role, **body})[0] == 201
    assert admin(gateway, "POST", f"/users/{name}/password", {"password": password})[0] == 204


def logged_in(gateway, name, **options):
    browser = Browser(gateway, **options)
    assert browser.login(name)[0] == 200
    return browser


def test_nobody_logs_in_before_somebody_with_the_admin_key_says_how(gateway):
    browser = Browser(gateway)
    assert browser.call("GET", "/login")[::2] == (200, {"ways": ["password", "ldap", "oidc"]})
    for name, password in (("admin", "admin"), ("admin", ADMIN_KEY), ("owner", ""), ("", "")):
        assert browser.login(name, password)[1]["code"] in ("wrong_credentials", "rate_limited")
    assert not browser.known()


def test_a_person_logs_in_and_out(gateway):
    person(gateway, "alma", "admin", teams=["eng"])
    browser = Browser(gateway)
    status, headers, answer = browser.call(
        "POST", "/login", {"name": "alma", "password": PASSWORD}, idempotency_key="1", user_agent="Mozilla/5.0"
    )
    assert (status, answer["role"], answer["user"], answer["teams"]) == (200, "admin", "alma", ["eng"])
    cookie = headers["set-cookie"]
    assert cookie.startswith("headgate=")
    assert cookie.endswith("; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict")
    assert browser.cookies["headgate"] not in json.dumps(answer)
    status, _, me = browser.call("GET", "/me")
    assert (status, me["csrf"], me["name"]) == (200, answer["csrf"], "alma (password)")
    browser.csrf = me["csrf"]
    [session] = [each for each in browser.call("GET", "/sessions?user=alma")[2]["items"] if each["own"]]
    assert (session["way"], session["agent"], session["address"]) == ("password", "Mozilla/5.0", browser.address)
    assert browser.call("POST", "/teams", {"name": "made-by-alma"})[0] == 201
    stolen = dict(browser.cookies)
    assert browser.call("POST", "/logout")[0] == 204
    assert browser.cookies["headgate"] == ""
    browser.cookies = stolen
    status, _, answer = browser.call("GET", "/me")
    assert (status, answer["code"]) == (401, "session_ended")
    audited = [(each["action"], each["actor"]) for each in admin(gateway, "GET", "/audit?name=alma")[1]["items"]]
    assert audited == [
        ("logout", "alma (password)"), ("login", "alma (password)"), ("password", "admin"), ("create", "admin"),
    ]  # fmt: skip


def test_over_https_no_other_host_and_no_plain_connection_can_set_the_cookie(gateway):
    person(gateway, "safe")
    browser = Browser(gateway, https=True)
    status, headers, _ = browser.call("POST", "/login", {"name": "safe", "password": PASSWORD})
    assert status == 200
    assert headers["set-cookie"].startswith("__Host-headgate=")
    assert headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
    assert browser.known()
    browser.cookies = {"headgate": browser.cookies["__Host-headgate"]}
    assert not browser.known()


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("wrong", "not the password of it"), ("nobody-here", PASSWORD), ("unset", PASSWORD), ("off", PASSWORD),
        ("of-a-team-that-is-off", PASSWORD), ("wrong", ""), ("wrong", "\0"), ("wrong", "x" * 2000), ("wrong", "\ud800"),
        ("WRONG", PASSWORD), ("wrong ", PASSWORD), ("x" * 300, PASSWORD),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_told_in_the_same_words(gateway, name, password):
    if admin(gateway, "GET", "/users/wrong")[0] == 404:
        person(gateway, "wrong")
        admin(gateway, "POST", "/users", {"name": "unset"})
        person(gateway, "off", enabled=False)
        admin(gateway, "POST", "/teams", {"name": "off", "enabled": False})
        person(gateway, "of-a-team-that-is-off", teams=["off"])
    status, answer = Browser(gateway).login(name, password)
    if password in ("\0", "\ud800"):
        assert status == 422  # no text that is kept anywhere
    else:
        said = "the name, the password or the one-time code is not right"
        assert (status, answer["code"], answer["detail"]) == (401, "wrong_credentials", said)


def test_who_is_not_there_costs_as_much(gateway):
    """In processor time, which another process's work does not change."""
    person(gateway, "timed")
    seconds = {}
    for name in ("timed", "nobody-there", "off"):
        before = gateway.processor_seconds()
        for _ in range(12):
            assert Browser(gateway).login(name, "a wrong password")[0] == 401
        seconds[name] = gateway.processor_seconds() - before
    assert max(seconds.values()) < 2 * min(seconds.values()) + 0.02, seconds


def test_what_is_kept_of_a_password_lets_nobody_in_and_is_shown_nowhere(gateway):
    person(gateway, "canary", "owner")
    held = json.loads((gateway.data / "store.json").read_text())["objects"]
    [kept] = [body["password_hash"] for _, name, body, *_ in held if name == "canary"]
    assert Browser(gateway).login("canary", kept)[0] == 401
    browser = logged_in(gateway, "canary")
    for path in ("/users", "/users/canary", "/users/filed", "/audit?limit=1000", "/me", "/sessions"):
        text = json.dumps(browser.call("GET", path)[2])
        assert "argon2" not in text
        assert browser.cookies["headgate"] not in text
    assert browser.call("GET", "/users/canary")[2]["login"] == {"password": True, "second_factor": False}
    for field in ("password_hash", "totp"):
        assert browser.call("GET", f"/users?{field}=x")[0] == 400
        body = {field: kept}
        for method, path in (("PATCH", "/users/canary"), ("PUT", "/users/canary"), ("POST", "/users")):
            assert browser.call(method, path, {**body, **({"name": "n"} if path == "/users" else {})})[0] == 422
        assert browser.call("POST", "/apply", {"document": {"users": {"canary": body}}})[0] == 422
    assert browser.call("PUT", "/users/canary", {"role": "owner", "description": "x"})[0] == 200
    assert browser.call("POST", "/apply", {"document": {"users": {"canary": {"role": "owner"}}}})[0] == 200
    assert logged_in(gateway, "canary").known()
    assert "argon2" not in gateway.output()


def test_who_stands_in_the_file_logs_in_and_is_changed_there(gateway):
    browser = logged_in(gateway, "filed")
    assert browser.call("GET", "/me")[2]["role"] == "auditor"
    status, answer = admin(gateway, "POST", "/users/filed/password", {"password": "another long password"})
    assert (status, answer["code"]) == (409, "read_only")


def test_a_page_from_elsewhere_changes_nothing(gateway):
    person(gateway, "forged", "owner")
    browser, other = logged_in(gateway, "forged"), logged_in(gateway, "forged")
    here = f"http://127.0.0.1:{gateway.port}"
    make = ("POST", "/teams")
    for number, (headers, status) in enumerate([
        ({"x_csrf_token": None}, 403), ({"x_csrf_token": "x"}, 403), ({"x_csrf_token": other.csrf}, 403),
        ({"x_csrf_token": ""}, 403), ({"sec_fetch_site": "cross-site"}, 403), ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "none"}, 403), ({"sec_fetch_site": None}, 403), ({}, 201),
        ({"sec_fetch_site": None, "origin": "http://evil.example"}, 403),
        ({"sec_fetch_site": None, "origin": "null"}, 403), ({"sec_fetch_site": None, "origin": here}, 201),
    ]):  # fmt: skip
        assert browser.call(*make, {"name": f"forged-{number}"}, **headers)[0] == status, headers
    assert browser.call("DELETE", "/teams/forged-8", sec_fetch_site="cross-site")[0] == 403
    # a key needs none of that, and counts before the session that came along
    bearer = {"authorization": f"Bearer {ADMIN_KEY}", "sec_fetch_site": "cross-site", "x_csrf_token": None}
    assert browser.call(*make, {"name": "by-key"}, **bearer)[0] == 201
    assert browser.call("GET", "/me", **bearer)[2]["name"] == "admin"
    assert browser.call("GET", "/me", authorization="Bearer hg-none")[0] == 401
    # nor is anybody made to log in as somebody else
    attacked = Browser(gateway)
    body = {"name": "forged", "password": PASSWORD}
    assert attacked.call("POST", "/login", body, sec_fetch_site="cross-site")[0] == 403
    assert attacked.call("POST", "/login", body, sec_fetch_site=None, origin="http://evil.example")[0] == 403
    assert attacked.call("POST", "/login", body, sec_fetch_site=None)[0] == 200


def test_a_session_that_was_planted_is_not_taken_over(gateway):
    person(gateway, "fixed")
    browser = Browser(gateway)
    browser.cookies["headgate"] = planted = "A" * 43
    assert not browser.known()
    assert browser.login("fixed")[0] == 200
    assert browser.cookies["headgate"] != planted
    first = Browser(gateway)
    first.cookies = dict(browser.cookies)
    assert browser.login("fixed")[0] == 200
    assert not first.known()


def test_a_session_ends_with_what_it_began_with(gateway):
    def patch(**body):
        return lambda: admin(gateway, "PATCH", "/users/ends", body)[0]

    changes = [
        lambda: admin(gateway, "POST", "/users/ends/password", {"password": PASSWORD})[0],
        patch(role="billing"), patch(enabled=False), patch(enabled=True, role="member"),
        lambda: admin(gateway, "DELETE", "/users/ends/totp")[0],
        lambda: admin(gateway, "DELETE", "/users/ends")[0],
    ]  # fmt: skip
    person(gateway, "ends")
    for change in changes[:3]:
        browser = logged_in(gateway, "ends")
        assert browser.known()
        assert change() in (200, 204)
        assert not browser.known()
    assert changes[3]() == 200
    assert not browser.known()
    for change in changes[4:]:
        browser = logged_in(gateway, "ends")
        assert change() == 204
        assert not browser.known()
    person(gateway, "ends")
    assert not browser.known()


def test_sessions_are_ended_by_their_owner_and_by_who_is_above(gateway):
    for name, role in (("s-owner", "owner"), ("s-admin", "admin"), ("s-ann", "member"), ("s-bob", "member")):
        person(gateway, name, role)
    owner, adm, ann, other, bob = (
        logged_in(gateway, name) for name in ("s-owner", "s-admin", "s-ann", "s-ann", "s-bob")
    )
    listed = ann.call("GET", "/sessions")[2]["items"]
    assert {each["user"] for each in listed} == {"s-ann"}
    assert ann.call("GET", "/sessions?user=s-bob")[2]["items"] == []
    ids = {name: owner.call("GET", f"/sessions?user={name}")[2]["items"] for name in ("s-owner", "s-ann", "s-bob")}
    assert ann.call("DELETE", f"/sessions/{ids['s-bob'][0]['id']}")[0] == 404
    assert adm.call("DELETE", f"/sessions/{ids['s-owner'][0]['id']}")[0] == 403
    assert adm.call("DELETE", f"/sessions/{ids['s-bob'][0]['id']}")[0] == 204
    [others] = [each for each in listed if not each["own"]]
    assert ann.call("DELETE", f"/sessions/{others['id']}")[0] == 204
    assert [each.known() for each in (owner, adm, ann, other, bob)] == [True, True, True, False, False]
    assert ann.call("GET", "/sessions?x=1")[0] == 400


def test_nobody_sets_the_password_of_somebody_above(gateway):
    for role in ("owner", "admin", "team_admin", "member"):
        person(gateway, f"p-{role}", role, teams=["eng"])
    new = {"password": "another long password"}
    browsers = {role: logged_in(gateway, f"p-{role}") for role in ("owner", "admin", "team_admin", "member")}
    for role, whose, status in (
        ("admin", "owner", 403), ("team_admin", "member", 403), ("team_admin", "admin", 403), ("member", "owner", 404),
        ("admin", "admin", 422), ("member", "member", 422),
    ):  # fmt: skip
        for path, body in (("password", new), ("totp", {})):
            assert browsers[role].call("POST", f"/users/p-{whose}/{path}", body)[0] == status, (role, whose, path)
    person(gateway, "p-other", "admin")
    assert browsers["admin"].call("POST", "/users/p-other/password", new)[0] == 403
    assert browsers["admin"].call("DELETE", "/users/p-owner/totp")[0] == 403
    own = ("POST", "/users/p-member/password")
    assert browsers["member"].call(*own, {**new, "current": "a wrong password"})[0] == 403
    assert browsers["member"].call(*own, {"password": "too short", "current": PASSWORD})[0] == 400
    assert browsers["member"].call(*own, {**new, "current": PASSWORD})[0] == 204
    assert not browsers["member"].known()
    assert Browser(gateway).login("p-member", new["password"])[0] == 200
    assert browsers["owner"].call("POST", "/users/p-team_admin/password", {"password": None})[0] == 204
    assert Browser(gateway).login("p-team_admin")[0] == 401


def secret_of(url):
    return dict(parse_qsl(urlsplit(url).query))["secret"]


def test_a_second_factor(gateway):
    person(gateway, "two", "admin")
    person(gateway, "second")
    browser = logged_in(gateway, "two")
    assert browser.call("POST", "/users/two/totp", {"current": "a wrong password"})[0] == 403
    status, _, begun = browser.call("POST", "/users/two/totp", {"current": PASSWORD}, idempotency_key="k")
    assert status == 200
    assert begun["url"].startswith("otpauth://totp/Headgate:two?")
    secret, now = secret_of(begun["url"]), int(time.time()) // STEP
    assert secret not in begun["token"]
    assert logged_in(gateway, "two").known()  # it does not count yet
    confirm = {"token": begun["token"], "code": code_of(secret, now - 1)}
    for wrong in ({"code": "000000"}, {"code": None}, {"token": "x"}, {"token": begun["token"][:-8] + "AAAAAAA="}):
        assert browser.call("POST", "/users/two/totp", {**confirm, **wrong})[0] == 422
    assert logged_in(gateway, "second").call("POST", "/users/second/totp", confirm)[0] == 422
    assert browser.call("POST", "/users/two/totp", confirm)[0] == 204
    assert not browser.known()
    assert browser.login("two")[1]["code"] == "code_needed"
    assert browser.login("two", "a wrong password")[1]["code"] == "wrong_credentials"
    assert browser.login("two", code=code_of(secret, now - 1))[0] == 401  # it was used to confirm
    current = code_of(secret, now)
    assert browser.login("two", code=current)[0] == 200
    assert Browser(gateway).login("two", code=current)[1]["code"] == "wrong_credentials"
    browser.call("GET", "/me")
    assert browser.call("DELETE", "/users/two/totp")[0] == 403
    assert admin(gateway, "GET", "/users/two")[1]["login"] == {"password": True, "second_factor": True}
    for path in ("/users/two", "/audit?limit=1000"):
        assert "totp" not in json.dumps(admin(gateway, "GET", path)[1]["items" if "audit" in path else "body"])
    assert secret not in (gateway.data / "store.json").read_text()
    assert admin(gateway, "DELETE", "/users/two/totp")[0] == 204
    assert not browser.known()
    assert logged_in(gateway, "two").known()


def test_who_guesses_waits_and_locks_out_nobody(gateway):
    person(gateway, "guessed")
    owner = logged_in(gateway, "guessed")
    stranger = Browser(gateway)
    statuses = [stranger.login("guessed", f"guess number {n}")[0] for n in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    status, headers, _ = stranger.call("POST", "/login", {"name": "guessed", "password": PASSWORD})
    assert (status, 0 < int(headers["retry-after"]) <= 10) == (429, True)
    others = (Browser(gateway) for _ in range(20))
    assert any(429 in [other.login("guessed", f"guess {n}")[0] for n in range(5)] for other in others)  # together
    assert Browser(gateway).login("guessed")[0] == 429
    assert owner.login("guessed")[0] == 200
    assert logged_in(gateway, "filed").known()
    failed = admin(gateway, "GET", "/audit?action=login_failed&limit=1000")[1]["items"]
    assert "guessed" in {each["name"] for each in failed}
    assert not {each["name"] for each in failed} & {"nobody-here", "admin", "x" * 300}
    assert len(failed) <= 61


def test_what_keeps_a_user_out_keeps_his_sessions_out(gateway):
    person(gateway, "placed", addresses={"allow": ["10.9.0.0/16"]})
    browser = Browser(gateway, address="10.9.0.1")
    assert browser.login("placed")[0] == 200
    assert browser.known()
    browser.address = "10.8.0.1"
    assert browser.call("GET", "/me")[2]["code"] == "address_not_allowed"


def command(*words, given="", code=0, config=()):
    """What a command prints on standard output, in this process: it takes a second to start one."""
    found = CliRunner().invoke(cli, ["user", *words, *config], input=given, env={"HEADGATE_ADMIN_KEY": ADMIN_KEY})
    assert found.exit_code == code, found.output
    return found.stdout if code == 0 else found.stderr


def sent_out(browser, next_page=None):
    """A browser that is on its way to the provider; where it is sent."""
    query = f"?next={quote(next_page, safe='')}" if next_page is not None else ""
    status, headers, _ = browser.call("GET", f"/login/oidc{query}", sec_fetch_site="none")
    assert status == 303
    assert headers["set-cookie"].endswith("; Max-Age=600; Path=/; HttpOnly; SameSite=Lax")
    return headers["location"]


def came_back(browser, returned):
    query = urlencode(returned)
    return browser.call("GET", f"/login/oidc/callback?{query}", sec_fetch_site="cross-site")


def test_people_log_in_at_an_openid_provider(gateway, openid):
    if admin(gateway, "GET", "/users/olga-here")[0] == 404:
        admin(gateway, "POST", "/users", {"name": "olga-here", "role": "auditor", "email": "Olga@acme.example"})
    for person_there, found in (
        ("olga", ("olga-here (oidc)", "auditor", "olga-here", [])), ("gus", ("gus (oidc)", "admin", None, ["eng"])),
    ):  # fmt: skip
        browser = Browser(gateway)
        returned = openid.visit(sent_out(browser, "/tools/keys?x=1#y"), person_there)
        status, headers, _ = came_back(browser, returned)
        assert (status, headers["location"]) == (303, "/tools/keys?x=1#y")
        assert browser.cookies["headgate-login"] == ""
        me = browser.call("GET", "/me")[2]
        assert (me["name"], me["role"], me["user"], me["teams"]) == found
        assert me["session"]["way"] == "oidc"
        assert [each["own"] for each in browser.call("GET", f"/sessions?user={me['session']['user']}")[2]["items"]]
        came_again = dict(browser.cookies)
        assert came_back(browser, returned)[2]["code"] == "login_failed"
        browser.cookies, browser.csrf = came_again, me["csrf"]
        assert browser.call("POST", "/logout")[0] == 204
        assert not browser.known()
    assert admin(gateway, "GET", "/audit?name=gus")[1]["items"][0]["action"] == "logout"


def test_who_comes_back_to_no_page_is_told_who_he_is(gateway, openid):
    browser = Browser(gateway)
    status, headers, told = came_back(browser, openid.visit(sent_out(browser), "gus"))
    assert (status, headers.get("location"), told["name"], told["role"]) == (200, None, "gus (oidc)", "admin")
    browser.csrf = told["csrf"]
    assert browser.call("POST", "/logout")[0] == 204


def test_who_is_vouched_for_and_is_nobody_here_is_told_so(gateway, openid):
    for name in ("nobody", "eve"):  # eve says of herself that olga's address is hers
        browser = Browser(gateway)
        status, _, answer = came_back(browser, openid.visit(sent_out(browser), name))
        assert (status, answer["code"]) == (403, "not_a_user")
        assert not browser.known()
    admin(gateway, "POST", "/users", {"name": "eve", "enabled": False})
    status, _, answer = came_back(browser, openid.visit(sent_out(browser), "eve"))
    assert (status, answer["code"]) == (403, "disabled")


def test_what_comes_back_otherwise_is_refused_and_not_told_again(gateway, openid):
    browser, other = Browser(gateway), Browser(gateway)
    for change in (
        {"state": "x"}, {"code": "<script>alert(1)</script>"}, {"error": "<script>", "error_description": "<script>"},
        {"iss": "http://evil.example"},
    ):  # fmt: skip
        returned = openid.visit(sent_out(browser), "gus")
        status, _, answer = came_back(browser, {**returned, **change})
        assert (status, answer["code"]) == (401, "login_failed")
        assert "script" not in json.dumps(answer)
        assert "evil" not in json.dumps(answer)
        assert browser.cookies["headgate-login"] == ""
    returned = openid.visit(sent_out(browser), "gus")
    sent_out(other)
    assert came_back(other, returned)[2]["code"] == "login_failed"  # it was begun in another browser
    assert came_back(Browser(gateway), returned)[2]["code"] == "login_failed"
    assert not browser.known()


@pytest.mark.parametrize(
    "place",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/x\r\ny", "/\tx", "/é", "/" + "x" * 600],
)
def test_nobody_is_sent_to_another_host(gateway, place):
    status, headers, _ = Browser(gateway).call("GET", f"/login/oidc?next={quote(place)}")
    assert status == 400
    assert "location" not in headers


def test_what_groups_gave_is_what_the_configuration_of_now_makes_of_them(gateway, openid):
    browser = Browser(gateway)
    came_back(browser, openid.visit(sent_out(browser), "gus"))
    assert browser.call("GET", "/me")[2]["role"] == "admin"
    before = gateway.config.read_text()
    for old, change, known in (
        ("{operations: admin}", "{operations: billing}", "billing"),
        ("client_id: gateway", "client_id: another", None),  # as whom the provider has vouched for nobody
        ("{operations: admin}", "{operations: billing}", "billing"),
        ("{operations: admin}", "{others: admin}", None),
    ):
        gateway.change(before.replace(old, change))
        until = time.monotonic() + 20
        while browser.call("GET", "/me")[2].get("role") != known and time.monotonic() < until:
            time.sleep(0.05)
        assert browser.call("GET", "/me")[2].get("role") == known
    gateway.change(before)
    until = time.monotonic() + 20
    while not browser.known() and time.monotonic() < until:
        time.sleep(0.05)
    admin(gateway, "POST", "/users", {"name": "gus"})
    assert not browser.known()  # it was not this user who logged in
    admin(gateway, "DELETE", "/users/gus")


def test_people_log_in_by_a_directory(gateway):
    browser = Browser(gateway)
    assert browser.login("bob", "bob's own password")[0] == 200
    me = browser.call("GET", "/me")[2]
    assert (me["name"], me["role"], me["user"], me["teams"]) == ("bob (ldap)", "billing", None, ["eng"])
    assert browser.call("GET", "/teams")[0] == 200
    assert browser.call("GET", "/audit")[0] == 403
    for name, password in (
        ("bob", "wrong"), ("bob", ""), ("*", "bob's own password"), ("bob)(uid=*", "x"), ("reader", "reads a lot"),
    ):  # fmt: skip
        assert Browser(gateway).login(name, password)[1]["code"] == "wrong_credentials", name
    status, answer = Browser(gateway).login("twin", "a twin's password")
    assert (status, answer["code"]) == (403, "not_a_user")


def test_who_is_a_user_here_has_its_role_and_second_factor_with_the_directorys_password(gateway):
    name, password = "ann, the other", "the other password"
    assert admin(gateway, "POST", "/users", {"name": name, "role": "auditor"})[0] == 201
    browser = Browser(gateway)
    assert browser.login(name, password)[0] == 200
    assert browser.call("GET", "/me")[2]["role"] == "auditor"
    path = f"/users/{quote(name)}/totp"
    assert browser.call("POST", path, {})[0] == 422
    assert browser.call("POST", path, {"current": "a wrong password"})[0] == 403
    begun = browser.call("POST", path, {"current": password})[2]
    secret, step = secret_of(begun["url"]), int(time.time()) // STEP
    assert browser.call("POST", path, {"token": begun["token"], "code": code_of(secret, step - 1)})[0] == 204
    assert not browser.known()
    assert browser.login(name, password)[1]["code"] == "code_needed"
    assert browser.login(name, password, code_of(secret, step))[0] == 200
    assert admin(gateway, "PATCH", f"/users/{quote(name)}", {"enabled": False})[0] == 200
    assert not browser.known()


def test_who_has_a_password_here_has_no_other(gateway):
    if admin(gateway, "GET", "/users/ann")[0] == 404:
        person(gateway, "ann")
    for name in ("ann", "ANN", "Ann"):  # a directory knows her by any of them
        assert Browser(gateway).login(name, "ann's own password")[0] == 401, name
    assert logged_in(gateway, "ann").known()


def test_the_command_line_sets_what_people_log_in_with(gateway):
    config = ("--config", str(gateway.config))
    assert admin(gateway, "POST", "/users", {"name": "typed"})[0] == 201
    assert PASSWORD not in command("password", "typed", given=f"{PASSWORD}\n", config=config)
    assert logged_in(gateway, "typed").known()
    assert "12 characters" in command("password", "typed", given="short\n", code=1, config=config)
    assert "standard input" in command("password", "typed", code=2, config=config)
    assert "code: it is not the one" in command("totp", "typed", given="000000\n", code=1, config=config)
    command("totp", "typed", "--reset", config=config)
    command("password", "typed", "--none", config=config)
    assert Browser(gateway).login("typed")[0] == 401
