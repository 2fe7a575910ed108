"""Every endpoint of the admin API by every role, on what is one's own and what is another's, by one table; an endpoint
without a row fails."""

import json

import pytest

from gateways import running
from headgate.admin.app import routes
from headgate.config import stored
from headgate.core.record import Record
from made_records import written

ROLES = ("owner", "admin", "team_admin", "member", "auditor", "billing")
NOBODY = "nobody"


def key(name):
    return f"hg-{name}-key-0123456789abcdef"


CONFIG = (
    """
server: {host: 127.0.0.1, port: {PORT}}
data_dir: {DATA}
key_policy: {max_days: 30}
providers: {simulator: }
teams: {mine: {data_class: health}, theirs: }
users:
"""
    + "".join(f"  {role}: {{role: {role}, teams: [mine]}}\n" for role in ROLES)
    + "keys:\n"
    + "".join(f"  - {{name: k-{role}, key: {key(role)}, user: {role}, operations: [admin]}}\n" for role in ROLES)
    + f"  - {{name: k-nobody, key: {key(NOBODY)}, operations: [chat]}}\n"
)

OWN = {
    "organisations": {}, "teams": {}, "models": {"targets": ["simulator/x"]},
    "providers": {"kind": "simulator"}, "rules": {"models": ["auto"], "targets": ["simulator/x"]},
    "clauses": {"deny": "false", "says": "nothing is denied"},
    "limits": {"requests": 10**6, "every": "day"}, "holds": {"reason": "case 1", "user": "ann"},
     "users": {"teams": ["mine"]},
    "applications": {"team": "mine"}, "keys": {"team": "mine"},
    "alert_rules": {"measure": "spend", "above": 5}, "channels": {"kind": "slack", "url": "https://127.0.0.1/y"},
    "silences": {"match": {"rule": "x"}, "until": "2099-01-01"},
}  # fmt: skip
"""What an object of each kind may be that belongs to the team `mine`, where it can."""
OTHERS = {"users": {"teams": ["theirs"]}, "applications": {"team": "theirs"}, "keys": {"team": "theirs"}}

RULERS = {"owner", "admin"}
SEES_ALL = RULERS | {"auditor"}
SEES_PEOPLE = SEES_ALL | {"billing"}
PEOPLE = {"organisations", "teams", "applications", "users", "keys", "limits"}


def sees(role, kind, own):
    """Whether a role sees an object that is its team's (`own`) or another's."""
    if role in SEES_ALL or (role in SEES_PEOPLE and kind in PEOPLE):
        return True
    return own and role == "team_admin" and kind in ("applications", "keys", "users")


def changes(role, kind, own):
    if role in RULERS:
        return True
    return own and role == "team_admin" and kind in ("applications", "keys")


def expected(endpoint, kind, role, own):
    """The status that comes of a call of an endpoint: the table."""
    if not endpoint.roles:
        opened = {("GET", "/login"): 200, ("POST", "/login"): 422}
        return (
            opened.get((endpoint.method, endpoint.path))
            or {"/login/oidc": 403, "/login/oidc/callback": 403}[endpoint.path]
        )
    if role == NOBODY:
        return 403
    seen, changed = sees(role, kind, own), changes(role, kind, own)
    touched = 404 if not seen else 403 if not changed else 200
    return {
        ("GET", "/me"): 200,
        ("GET", "/{kind}"): 200,
        ("POST", "/{kind}"): 201 if changed else 403,
        ("GET", "/{kind}/{name}"): 200 if seen else 404,
        ("PUT", "/{kind}/{name}"): touched,
        ("PATCH", "/{kind}/{name}"): touched,
        ("DELETE", "/{kind}/{name}"): 204 if touched == 200 else touched,
        ("POST", "/keys/{name}/rotate"): touched,
        ("POST", "/keys/{name}/revoke"): touched,
        ("POST", "/logout"): 400,
        ("GET", "/sessions"): 200,
        ("DELETE", "/sessions/{id}"): 404,
        ("POST", "/users/{name}/password"): 204 if touched == 200 else touched,
        ("POST", "/users/{name}/totp"): touched,
        ("DELETE", "/users/{name}/totp"): 204 if touched == 200 else touched,
        ("GET", "/export"): 200 if role in SEES_ALL else 403,
        ("POST", "/apply"): 200 if role in RULERS else 403,
        ("POST", "/secrets/reseal"): 200 if role == "owner" else 403,
        ("GET", "/audit"): 200 if role in SEES_ALL else 403,
        ("POST", "/data/export"): 422 if role in RULERS else 403,
        ("POST", "/data/delete"): 422 if role == "owner" else 403,
        ("POST", "/purge"): 200 if role == "owner" else 403,
        ("POST", "/cache/clear"): 200 if role in RULERS else 403,
        ("POST", "/cache/feedback"): 422 if role in RULERS else 403,
        ("POST", "/guards/forget"): 200 if role in RULERS else 403,
        ("POST", "/guards/test"): 422 if role in SEES_ALL else 403,
        ("GET", "/cache/thresholds"): 200 if role in SEES_ALL else 403,
        ("DELETE", "/cache/thresholds"): 200 if role in RULERS else 403,
        ("GET", "/reports/fairness"): 200 if role in SEES_ALL else 403,
        ("GET", "/levels"): 200 if role in SEES_PEOPLE else 403,
        ("GET", "/alerts"): 200 if role in SEES_ALL else 403,
        ("GET", "/alerts/{id}"): 404 if role in SEES_ALL else 403,
        ("POST", "/alerts/{id}/silence"): 404 if role in RULERS else 403,
        ("POST", "/channels/{name}/test"): 502 if role in RULERS else 403,
        ("GET", "/requests"): 200,
        ("GET", "/requests/{id}"): 404,
        ("GET", "/requests/{id}/payload"): 403 if role == "billing" else 404,
        ("GET", "/usage"): 200,
        **{("GET", f"/reports/{name}"): 200 for name in ("summary", "months", "forecast", "waste", "page")},
    }[endpoint.method, endpoint.path]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("roles"), CONFIG) as made:
        yield made


def call(gateway, method, path, body, role):
    headers = {"authorization": f"Bearer {key(role)}", "content-type": "application/json"}
    data = json.dumps(body).encode() if body is not None else None
    status, got, answer = gateway.request(method, path, data, headers)
    told = "json" in got.get("content-type", "")
    return status, json.loads(answer) if isinstance(answer, bytes) and answer and told else answer


def made_of(kind, own):
    return (OWN if own else {**OWN, **OTHERS}).get(kind, {})


def test_every_endpoint_by_every_role(gateway):
    wrong, count = [], 0
    for kind in stored.KINDS:
        for own in (True, False):
            body = {"name": f"{kind}-{own}", **made_of(kind, own)}
            assert call(gateway, "POST", f"/admin/api/{kind}", body, "owner")[0] == 201
    for _, endpoint, kind in routes():
        for role in (*ROLES, NOBODY):
            for own in (True, False) if kind in OTHERS else (True,):
                count += 1
                name, body = f"{kind}-{own}", made_of(kind, own)
                wanted = expected(endpoint, kind, role, own)
                if wanted == 204:
                    name = f"gone-{count}"
                    assert call(gateway, "POST", f"/admin/api/{kind}", {"name": name, **body}, "owner")[0] == 201
                path = "/admin/api" + endpoint.path.replace("{kind}", kind).replace("{name}", name)
                new = {"name": f"new-{count}", **body}
                sent = {"entry": new, "body": body, "apply": {"document": {}}, "password": {"password": None}}
                status, answer = call(gateway, endpoint.method, path, sent.get(endpoint.takes, {}), role)
                if status != wanted and (role, status) != (NOBODY, 429):  # strangers are soon asked to wait
                    wrong.append((endpoint.method, path, role, own, status, wanted, answer))
    assert not wrong, "\n".join(map(str, wrong))


def test_a_list_holds_what_its_reader_may_see_and_nothing_else(gateway):
    for kind in stored.KINDS:
        for own in (True, False):
            body = (OWN if own else {**OWN, **OTHERS})[kind]
            call(gateway, "POST", f"/admin/api/{kind}", {"name": f"listed-{own}", **body}, "owner")
        for role in ROLES:
            _, page = call(gateway, "GET", f"/admin/api/{kind}?limit=1000", None, role)
            names = {each["name"] for each in page["items"]}
            found = {own for own in (True, False) if f"listed-{own}" in names}
            assert found == {own for own in (True, False) if sees(role, kind, own)}, (kind, role)


@pytest.mark.parametrize(
    ("role", "body"),
    [
        ("admin", {"user": "owner"}),
        ("admin", {"user": "owner", "operations": ["admin"]}),
        ("team_admin", {"user": "owner"}),
        ("team_admin", {"user": "admin"}),
        ("team_admin", {"user": "member", "operations": ["admin"]}),
        ("team_admin", {"team": "theirs"}),
        ("team_admin", {"key_hash": "sha256:" + "a" * 64, "team": "mine"}),
        ("team_admin", {}),
        ("member", {"team": "mine"}),
        ("member", {"user": "owner"}),
        ("member", {"user": "member", "team": "theirs"}),
        ("member", {"user": "member", "application": "x"}),
        ("auditor", {"user": "auditor"}),
        ("billing", {"user": "billing"}),
    ],
)
def test_nobody_makes_a_key_that_may_more_than_he_does(gateway, role, body):
    assert call(gateway, "POST", "/admin/api/keys", {"name": "more", "models": ["*"], **body}, role)[0] == 403


@pytest.mark.parametrize(("role", "status"), [("member", 403), ("team_admin", 403), ("owner", 201)])
def test_of_which_class_data_are_is_not_for_everybody_to_say(gateway, role, status):
    body = {"name": f"classed-{role}", "user": role, "data_class": "public"}
    done, told = call(gateway, "POST", "/admin/api/keys", body, role)
    assert done == status
    assert status == 201 or "of the class 'health'" in told["detail"]


def test_a_member_has_keys_of_its_own(gateway):
    status, _ = call(gateway, "POST", "/admin/api/keys", {"name": "self", "user": "member", "models": ["*"]}, "member")
    assert status == 201
    assert call(gateway, "PATCH", "/admin/api/keys/self", {"user": "owner"}, "member")[0] == 403
    assert call(gateway, "PATCH", "/admin/api/keys/self", {"team": "theirs"}, "member")[0] == 403
    assert call(gateway, "DELETE", "/admin/api/keys/self", None, "member")[0] == 204


WHOSE = [("mine", "member"), ("mine", "x"), ("theirs", "member"), ("theirs", "x"), (None, "team_admin"), (None, None)]
"""Teams and users of requests."""


@pytest.fixture(scope="module")
def asked(gateway):
    """Requests as they are in the journal: their ids, the latest first."""
    made = [
        Record(id=f"req_{n}", time=1.8e9 + n, team=team, user=user, status=200 + n, cost=f"0.{n}", duration=n / 2)
        for n, (team, user) in enumerate(WHOSE)
    ]
    written(gateway.data / "journal", made)
    return [record.id for record in made][::-1]


def found(gateway, role, query=""):
    status, page = call(gateway, "GET", f"/admin/api/requests?since=2027-01-01&{query}", None, role)
    assert status == 200, page
    return [each["id"] for each in page["items"]], page["next"]


@pytest.mark.parametrize("role", ROLES)
def test_requests_are_seen_by_whom_they_concern(gateway, asked, role):
    of_team = role == "team_admin"
    wanted = [
        f"req_{n}"
        for n, (team, user) in enumerate(WHOSE)
        if role in SEES_PEOPLE or user == role or (of_team and team == "mine")
    ][::-1]
    assert found(gateway, role)[0] == wanted
    for id in asked:
        status, answer = call(gateway, "GET", f"/admin/api/requests/{id}", None, role)
        assert (status, answer.get("id")) == ((200, id) if id in wanted else (404, None))


def test_requests_are_found_page_by_page(gateway, asked):
    ids, last = [], ""
    while last is not None:
        page, last = found(gateway, "owner", f"limit=4&before={last}" if last else "limit=4")
        ids += page
    assert ids == asked


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("team=mine", [1, 0]), ("user=member&team=theirs", [2]), ("status=203", [3]), ("status=4xx", []),
        ("min_cost=0.4", [5, 4]), ("min_seconds=2.5", [5]), ("until=2027-01-15T08:00:02Z", [1, 0]),
    ],
)  # fmt: skip
def test_requests_are_filtered(gateway, asked, query, wanted):
    assert found(gateway, "auditor", query)[0] == [f"req_{n}" for n in wanted]


@pytest.mark.parametrize(
    "query",
    [
        "teem=x", "id=x", "limit=0", "before=x", "before=nan.x", "before=1.", "since=soon", "status=xx",
        "status=9999999", "min_cost=much", "min_cost=-1", "min_seconds=nan", "min_seconds=-1", "min_seconds=x",
    ],
)  # fmt: skip
def test_a_search_that_makes_no_sense_is_told(gateway, query):
    status, answer = call(gateway, "GET", f"/admin/api/requests?{query}", None, "owner")
    assert (status, answer["code"]) == (400, "invalid_query")


def test_an_admin_gets_no_owners_key(gateway):
    body = {"name": "of-an-owner", "user": "owner", "operations": ["admin"]}
    assert call(gateway, "POST", "/admin/api/keys", body, "owner")[0] == 201
    at = "/admin/api/keys/of-an-owner"
    assert call(gateway, "POST", f"{at}/rotate", {}, "admin")[0] == 403
    assert call(gateway, "PATCH", at, {"user": "member"}, "admin")[0] == 403
    assert call(gateway, "PATCH", "/admin/api/keys/masses-of-none", {"user": "owner"}, "admin")[0] == 404
    own = {"name": "of-mine", "user": "admin", "operations": ["admin"]}
    assert call(gateway, "POST", "/admin/api/keys", own, "admin")[0] == 201
    assert call(gateway, "PATCH", "/admin/api/keys/of-mine", {"user": "owner"}, "admin")[0] == 403
    document = {
        "keys": [{"name": "applied", "user": "owner", "operations": ["admin"], "key_hash": "sha256:" + "b" * 64}]
    }
    assert call(gateway, "POST", "/admin/api/apply", {"document": document}, "admin")[0] == 403


def test_a_key_keeps_its_end_whoever_changes_it(gateway):
    body = {"name": "mortal", "user": "member", "models": []}
    assert "expires" in call(gateway, "POST", "/admin/api/keys", body, "member")[1]["body"]
    at = "/admin/api/keys/mortal"
    for method, change in (
        ("PATCH", {"expires": None}), ("PATCH", {"models": ["*"]}), ("PUT", {"user": "member"}),
        ("PUT", {"user": "member", "expires": None}),
    ):  # fmt: skip
        status, answer = call(gateway, method, at, change, "member")
        assert (status, "expires" in answer["body"]) == (200, True), (method, change)
    assert call(gateway, "PATCH", at, {"expires": "2099-01-01"}, "member")[0] == 422


@pytest.mark.parametrize("role", ["admin", "team_admin", "member"])
@pytest.mark.parametrize("raised", ["owner", "admin"])
def test_nobody_raises_himself(gateway, role, raised):
    call(gateway, "POST", "/admin/api/users", {"name": "climber", "teams": ["mine"], "role": "member"}, "owner")
    status, _ = call(gateway, "PATCH", "/admin/api/users/climber", {"role": raised}, role)
    assert status == (404 if role == "member" else 403)
    assert call(gateway, "POST", "/admin/api/users", {"name": "boss", "role": raised}, role)[0] == 403


def test_only_an_owner_names_secrets_of_the_machine(gateway):
    body = {"kind": "simulator", "api_key": "env:HEADGATE_ADMIN_KEY"}
    assert call(gateway, "POST", "/admin/api/providers", {"name": "thief", **body}, "admin")[0] == 403
    assert call(gateway, "POST", "/admin/api/providers", {"name": "thief", **body}, "owner")[0] == 201


def test_only_an_owner_has_the_machines_own_key_sent_to_an_address(gateway):
    body = {"name": "bricks", "kind": "databricks", "host": "https://evil.example"}
    status, answer = call(gateway, "POST", "/admin/api/providers", body, "admin")
    assert (status, answer["detail"][:20]) == (403, "give `api_key`, too:")
    own = {**body, "api_key": "dapi-0123456789abcdef"}
    assert call(gateway, "POST", "/admin/api/providers", own, "admin")[0] == 201
    assert call(gateway, "PATCH", "/admin/api/providers/bricks", {"api_key": None}, "admin")[0] == 403
    assert call(gateway, "PATCH", "/admin/api/providers/bricks", {"api_key": None}, "owner")[0] == 422  # there is none
    assert call(gateway, "DELETE", "/admin/api/providers/bricks", None, "owner")[0] == 204


def test_only_an_owner_sends_a_providers_secrets_elsewhere(gateway):
    call(
        gateway, "POST", "/admin/api/providers", {"name": "led", "kind": "openai", "api_key": "sk-0123456789"}, "owner"
    )
    elsewhere = {"targets": [{"model": "led/x", "with": {"base_url": "https://evil.example/v1"}}]}
    for path, body in (("/admin/api/models", elsewhere), ("/admin/api/rules", {"models": ["auto"], **elsewhere})):
        made = {"name": "leading", **body}
        assert call(gateway, "POST", path, made, "admin")[0] == 403
        assert call(gateway, "POST", path, {**made, "targets": ["led/x"]}, "admin")[0] == 201
        assert call(gateway, "PATCH", f"{path}/leading", elsewhere, "admin")[0] == 403
        assert call(gateway, "PATCH", f"{path}/leading", elsewhere, "owner")[0] == 200
        assert call(gateway, "DELETE", f"{path}/leading", None, "owner")[0] == 204
    document = {"models": {"leading": elsewhere}}
    assert call(gateway, "POST", "/admin/api/apply", {"document": document}, "admin")[0] == 403


@pytest.mark.parametrize(
    "body",
    [
        {"key": "hg-mine-0123456789abcdef"}, {"previous": []}, {"prefix": "x"}, {"key_hash": "sha256:" + "a" * 64},
        {"version": 9}, {"origin": "file"}, {"created": 0}, {"changed_by": "me"}, {"__proto__": {}}, {"admin": True},
    ],
)  # fmt: skip
def test_what_nobody_may_say_of_a_key_is_not_taken_from_anybody(gateway, body):
    call(gateway, "POST", "/admin/api/keys", {"name": "masses", "team": "mine", "models": []}, "owner")
    for role in ("owner", "team_admin"):
        assert call(gateway, "PATCH", "/admin/api/keys/masses", body, role)[0] in (403, 422)
        assert call(gateway, "PUT", "/admin/api/keys/masses", {"team": "mine", **body}, role)[0] in (403, 422)


TRICKS = [
    "//admin/api/users", "/admin/./api/users", "/admin/api//users", "/admin/api/users/../keys", "/ADMIN/api/users",
    "/admin/api/users%2f", "/admin%2fapi/users", "/admin/api;x=1/users", "/admin/api/users/", "/x/../admin/api/users",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example/admin/api/users?", "x#@y", "127.0.0.1/livez"])
def test_no_way_to_write_a_path_or_a_host_lets_anybody_in(gateway, path, host):
    for headers in ({"host": host}, {"host": host, "authorization": f"Bearer {key(NOBODY)}"}):
        status, _, body = gateway.request("GET", path, None, headers)
        assert status in (400, 401, 403, 404, 405, 429), (status, body)
        assert b'"items"' not in (body if isinstance(body, bytes) else json.dumps(body).encode())
