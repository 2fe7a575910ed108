"""The admin API from outside: objects come and go while the gateway serves."""

import json
import time
from contextlib import contextmanager

import jsonschema
import pytest

from gateways import ADMIN_KEY, KEY, running
from headgate.admin.openapi import description


def key(name):
    return f"hg-{name}-key-0123456789abcdef"


ROLES = ("owner", "admin", "team_admin", "member", "auditor", "billing")
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}, workers: {{WORKERS}}}}
data_dir: {{DATA}}
providers: {{simulator: }}
models: {{small: simulator/s, large: simulator/l}}
organisations: {{acme: , globex: }}
teams:
  research: {{organisation: acme, models: [small]}}
  sales: {{organisation: globex}}
applications: {{shop: {{team: sales}}}}
users:
  u-owner: {{role: owner}}
  u-admin: {{role: admin}}
  u-team_admin: {{role: team_admin, teams: [research]}}
  u-member: {{role: member, teams: [research]}}
  u-auditor: {{role: auditor}}
  u-billing: {{role: billing}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: of-sales, key: {key("sales")}, team: sales}}
  - {{name: plain-user, key: {key("plain")}, user: u-owner}}
""" + "".join(
    f"  - {{name: k-{role}, key: {key(role)}, user: u-{role}, operations: [admin, chat]}}\n" for role in ROLES
)


@contextmanager
def serving(folder, workers=1, config=CONFIG):
    with running(folder, config.replace("{WORKERS}", str(workers))) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("admin")) as made:
        yield made


def call(gateway, method, path, body=None, role=None, **headers):
    sent = {"authorization": f"Bearer {key(role) if role else ADMIN_KEY}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    data = None
    if body is not None:
        sent["content-type"], data = "application/json", json.dumps(body).encode()
    status, told, answer = gateway.request(method, f"/admin/api{path}", data, sent)
    return status, told, json.loads(answer) if isinstance(answer, bytes) and answer else answer


def chat(gateway, secret, model="small"):
    return gateway.post({"model": model, "messages": [{"role": "user", "content": "x"}]}, key=secret)[0]


def test_a_key_is_made_told_once_used_rotated_and_revoked(gateway):
    status, headers, made = call(gateway, "POST", "/keys", {"name": "fresh", "team": "research", "models": ["small"]})
    assert (status, headers["etag"]) == (201, '"1"')
    secret = made["key"]
    assert made["body"]["prefix"] == secret[:10]
    assert chat(gateway, secret) == 200
    shown = call(gateway, "GET", "/keys/fresh")[2]
    assert "key" not in shown
    assert "key_hash" not in json.dumps(shown)
    again = call(gateway, "POST", "/keys/fresh/rotate", {"overlap_seconds": 60})[2]["key"]
    assert [chat(gateway, each) for each in (secret, again)] == [200, 200]
    last = call(gateway, "POST", "/keys/fresh/rotate", {"overlap_seconds": 0})[2]["key"]
    assert [chat(gateway, each) for each in (secret, again, last)] == [200, 401, 200]
    assert call(gateway, "POST", "/keys/fresh/revoke")[0] == 200
    assert [chat(gateway, each) for each in (secret, again, last)] == [401, 401, 401]
    assert call(gateway, "DELETE", "/keys/fresh")[0] == 204
    assert call(gateway, "GET", "/keys/fresh")[0] == 404
    actions = [each["action"] for each in call(gateway, "GET", "/audit?kind=keys&name=fresh")[2]["items"]]
    assert actions == ["delete", "replace", "replace", "replace", "create"]


def test_what_others_name_is_not_deleted_and_they_are_told(gateway):
    assert call(gateway, "POST", "/teams", {"name": "left"})[0] == 201
    assert call(gateway, "POST", "/keys", {"name": "lefts", "team": "left"})[0] == 201
    status, _, told = call(gateway, "DELETE", "/teams/left")
    assert (status, told["detail"]) == (
        422,
        "it is not in order without teams/left: keys.lefts.team: there is no team of this name in `teams`",
    )
    assert [call(gateway, "DELETE", path)[0] for path in ("/keys/lefts", "/teams/left")] == [204, 204]


def test_a_new_key_without_grants_can_do_nothing(gateway):
    made = call(gateway, "POST", "/keys", {"name": "bare"})[2]
    assert made["body"]["models"] == []
    assert chat(gateway, made["key"]) == 403
    assert gateway.get("/admin/api/me", {"authorization": f"Bearer {made['key']}"})[0] == 403


def test_a_provider_is_added_its_key_sealed_and_never_shown(gateway):
    body = {
        "name": "extra",
        "kind": "simulator",
        "api_key": "sk-planted-secret-0123456789",
        "headers": {"x-token": "planted-too-123"},
    }
    status, _, made = call(gateway, "POST", "/providers", body)
    assert status == 201, made
    assert made["body"]["api_key"] == "(sealed)"
    assert chat(gateway, KEY, "extra/x") == 200
    changed = call(gateway, "PATCH", "/providers/extra", {"traits": ["eu"]})[2]["body"]
    assert (changed["api_key"], changed["traits"]) == ("(sealed)", ["eu"])
    assert call(gateway, "PUT", "/providers/extra", {**changed, "traits": []})[0] == 200
    everything = b"".join(path.read_bytes() for path in gateway.data.rglob("*") if path.is_file())
    assert b"planted" not in everything.replace(b"planted_", b"")
    assert "planted-secret" not in gateway.output()
    assert call(gateway, "DELETE", "/providers/extra")[0] == 204


def test_a_key_is_not_sent_where_it_was_not_given_for(gateway):
    body = {"kind": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "api_keys": ["sk-kept-0123456789abcdef"]}
    assert call(gateway, "POST", "/providers", {"name": "away", **body})[0] == 201
    moved = {"base_url": "http://127.0.0.2:9/v1"}
    for method, change in (
        ("PATCH", moved), ("PUT", {**body, **moved, "api_keys": ["(sealed)"]}), ("PATCH", {"kind": "openai"}),
        ("PATCH", {"base_url": None, "kind": "openai"}),
    ):  # fmt: skip
        status, _, problem = call(gateway, method, "/providers/away", change, "admin")
        assert (status, problem["code"]) == (422, "secret_needed"), change
    document = {"providers": {"away": {**body, **moved, "api_keys": ["(sealed)"]}}}
    assert call(gateway, "POST", "/apply", {"document": document}, "admin")[2]["code"] == "secret_needed"
    anew = {**moved, "api_keys": ["sk-anew-0123456789abcdef"]}
    assert call(gateway, "PATCH", "/providers/away", anew, "admin")[0] == 200
    assert call(gateway, "PATCH", "/providers/away", {"traits": ["eu"]}, "admin")[0] == 200
    assert call(gateway, "DELETE", "/providers/away")[0] == 204


def test_a_targets_own_secret_does_not_go_where_its_provider_goes(gateway):
    address, moved = {"base_url": "http://127.0.0.1:9/v1"}, {"base_url": "http://127.0.0.2:9/v1"}
    provider = {"kind": "openai_compatible", **address, "api_key": "none"}
    own = {"model": "lead/x", "with": {"api_key": "sk-own-0123456789abcdef"}}
    assert call(gateway, "POST", "/providers", {"name": "lead", **provider})[0] == 201
    assert call(gateway, "POST", "/models", {"name": "led", "targets": [own]}, "admin")[0] == 201
    document = {"document": {"providers": {"lead": {**provider, **moved}}}}
    for method, path, body in (
        ("PATCH", "/providers/lead", moved), ("PUT", "/providers/lead", {**provider, **moved}),
        ("PATCH", "/providers/lead", {"kind": "openai"}), ("POST", "/apply", document),
        ("POST", "/apply", {**document, "dry_run": True}),
    ):  # fmt: skip
        status, _, problem = call(gateway, method, path, body, "admin")
        assert (status, problem["code"], problem["errors"][0]["path"]) == (422, "secret_needed", "models.led"), body
    assert call(gateway, "PATCH", "/providers/lead", {"traits": ["eu"]}, "admin")[0] == 200
    both = {
        **document["document"],
        "models": {"led": {"targets": [{**own, "with": {"api_key": "sk-anew-0123456789"}}]}},
    }
    assert call(gateway, "POST", "/apply", {"document": both}, "admin")[0] == 200
    for path in ("/models/led", "/providers/lead"):
        assert call(gateway, "DELETE", path)[0] == 204


def test_a_body_that_is_nested_deep_is_refused(gateway):
    deep = []
    for _ in range(900):
        deep = [deep]
    assert call(gateway, "POST", "/providers", {"name": "deep", "kind": "simulator", "set": {"a": deep}})[0] == 422


def test_what_of_the_file_one_may_not_see_is_not_there(gateway):
    for method in ("PUT", "PATCH", "DELETE"):
        for path in ("/keys/of-sales", "/providers/simulator", "/teams/sales"):
            body = {} if method != "DELETE" else None
            assert call(gateway, method, path, body, "member")[0] == 404


def test_a_misspelt_kind_is_told_by_its_right_name(gateway):
    for path, meant in (("/organizations", "organisations"), ("/team/x", "teams"), ("/apply_", "apply")):
        status, _, problem = call(gateway, "GET", path)
        assert (status, problem["code"]) == (404, "not_found")
        assert problem["detail"].endswith(f"did you mean /admin/api/{meant}?"), path
    for path in ("/xyzzy", "/keys/ann/polish"):
        assert call(gateway, "GET", path)[2]["detail"].endswith("/admin/api/openapi.json says what is"), path


def test_what_would_break_the_configuration_is_refused_and_told_where(gateway):
    status, headers, problem = call(gateway, "POST", "/models", {"name": "bad", "targets": ["nowhere/x"]})
    assert (status, problem["code"]) == (422, "invalid")
    assert headers["content-type"] == "application/problem+json"
    assert problem["errors"][0]["path"] == "models.bad.targets[0]"
    told = call(gateway, "POST", "/keys", {"name": "k", "team": "nobody"})[2]
    assert [(each["path"], set(each)) for each in told["errors"]] == [("keys.k.team", {"path", "message", "hint"})]
    told = call(gateway, "POST", "/keys/test/rotate", {"overlap_seconds": -1})[2]
    assert set(told["errors"][0]) == {"path", "message"}  # nothing is hinted at
    call(gateway, "POST", "/teams", {"name": "used"})
    call(gateway, "POST", "/keys", {"name": "user-of-it", "team": "used"})
    assert call(gateway, "DELETE", "/teams/used")[2]["errors"][0]["path"] == "keys.user-of-it.team"


def test_what_stands_in_the_file_is_read_only_and_says_so(gateway):
    assert call(gateway, "GET", "/teams/research")[2]["origin"] == "file"
    for method in ("PUT", "PATCH", "DELETE"):
        status, _, problem = call(gateway, method, "/teams/research", {} if method != "DELETE" else None)
        assert (status, problem["code"]) == (409, "read_only")
        assert "headgate.yaml" in problem["detail"]


def test_nobody_overwrites_what_he_has_not_seen(gateway):
    call(gateway, "POST", "/teams", {"name": "shared", "description": "one"})
    assert call(gateway, "PUT", "/teams/shared", {"description": "two"}, if_match='"1"')[1]["etag"] == '"2"'
    status, _, problem = call(gateway, "PUT", "/teams/shared", {"description": "three"}, if_match='"1"')
    assert (status, problem["code"]) == (412, "changed_meanwhile")
    assert call(gateway, "GET", "/teams/shared")[2]["body"]["description"] == "two"
    assert call(gateway, "DELETE", "/teams/shared", if_match='"2"')[0] == 204


def test_a_call_that_is_made_twice_is_done_once(gateway):
    body = {"name": "once", "models": ["small"]}
    first = call(gateway, "POST", "/keys", body, idempotency_key="abc")
    second = call(gateway, "POST", "/keys", body, idempotency_key="abc")
    assert (second[0], second[2], second[1]["idempotent-replayed"]) == (201, first[2], "true")
    assert call(gateway, "POST", "/keys", {**body, "name": "other"}, idempotency_key="abc")[0] == 422
    assert first[2]["key"].encode() not in b"".join(path.read_bytes() for path in gateway.data.glob("headgate.db*"))


def test_lists_come_in_pages_and_are_filtered(gateway):
    for number in range(5):
        call(gateway, "POST", "/teams", {"name": f"page-{number}", "organisation": "acme", "enabled": number != 3})
    names, after = [], ""
    while after is not None:
        page = call(gateway, "GET", f"/teams?limit=2&organisation=acme&after={after}")[2]
        names += [each["name"] for each in page["items"]]
        after = page["next"]
    assert names == ["page-0", "page-1", "page-2", "page-3", "page-4", "research"]
    assert [each["name"] for each in call(gateway, "GET", "/teams?enabled=false")[2]["items"]] == ["page-3"]
    assert call(gateway, "GET", "/teams?nothing=1")[0] == 400
    assert call(gateway, "GET", "/teams?limit=x")[0] == 400


def test_a_document_is_applied_whole_or_not_at_all(gateway):
    document = {"teams": {"applied": {"models": ["small"]}}, "limits": [{"name": "few", "requests": 9, "every": "day"}]}
    planned = call(gateway, "POST", "/apply", {"document": document, "dry_run": True})[2]
    assert (planned["applied"], planned["counts"]) == (False, {"create": 2, "replace": 0, "delete": 0})
    assert planned["changes"][0] == {
        "action": "create", "kind": "teams", "name": "applied", "fields": [{"field": "models", "after": ["small"]}]
    }  # fmt: skip
    as_described("Plan", planned)
    assert call(gateway, "GET", "/teams/applied")[0] == 404
    assert call(gateway, "POST", "/apply", {"document": document})[2]["applied"] is True
    assert call(gateway, "POST", "/apply", {"document": document})[2]["changes"] == []
    bad = {"teams": {"another": {}}, "models": {"m": "nowhere/x"}}
    assert call(gateway, "POST", "/apply", {"document": bad})[0] == 422
    assert call(gateway, "GET", "/teams/another")[0] == 404
    pruned = call(gateway, "POST", "/apply", {"document": {"limits": []}, "prune": True})[2]["changes"]
    assert [(each["action"], each["kind"], each["name"]) for each in pruned] == [("delete", "limits", "few")]


def as_described(schema, value):
    components = description()["components"]
    jsonschema.Draft202012Validator({**components["schemas"][schema], "components": components}).validate(value)


def test_what_is_exported_is_as_described_and_holds_no_secret(gateway):
    body = {"name": "exported", "kind": "simulator", "api_key": "sk-exported-0123456789"}
    assert call(gateway, "POST", "/providers", body)[0] == 201
    found = call(gateway, "GET", "/export?all=true")[2]
    as_described("Export", found)
    assert ["providers", "exported", "api_key"] in found["sealed"]
    assert found["document"]["providers"]["exported"] == {"api_key": "(sealed)", "kind": "simulator"}
    assert found["file"]["teams"]["sales"] == {"organisation": "globex"}
    assert "sk-exported" not in json.dumps(found)
    assert KEY not in json.dumps(found)
    assert call(gateway, "POST", "/apply", {"document": found["document"], "prune": True})[2]["changes"] == []
    assert call(gateway, "POST", "/apply", {"document": found["file"]}, "admin")[2]["changes"] == []
    assert call(gateway, "GET", "/export?everything=1")[0] == 400
    other = {"teams": {"sales": {"organisation": "acme"}}}
    status, _, problem = call(gateway, "POST", "/apply", {"document": other})
    assert (status, problem["code"], problem["errors"][0]["path"]) == (409, "read_only", "teams.sales")
    told = call(gateway, "POST", "/apply", {"document": other, "compare": True})[2]["changes"]
    assert [(each["name"], each["read_only"]) for each in told] == [("sales", True)]
    lost = {"providers": {"nowhere": {"kind": "simulator", "api_key": "(sealed)"}}}
    status, _, problem = call(gateway, "POST", "/apply", {"document": lost})
    assert (status, problem["code"]) == (422, "secret_needed")
    assert [each["path"] for each in problem["errors"]] == ["providers.nowhere.api_key"]
    assert call(gateway, "DELETE", "/providers/exported")[0] == 204


def test_of_a_key_in_a_document_the_hash_is_kept(gateway):
    secret = "hg-applied-planted-0123456789abcdef"
    document = {"keys": [{"name": "applied", "key": secret, "models": ["small"]}]}
    assert call(gateway, "POST", "/apply", {"document": document})[0] == 200
    assert chat(gateway, secret) == 200
    assert call(gateway, "POST", "/apply", {"document": document})[2]["changes"] == []
    told = [call(gateway, "GET", path)[2] for path in ("/keys/applied", "/audit?name=applied")]
    assert secret not in json.dumps(told)
    assert secret.encode() not in b"".join(path.read_bytes() for path in gateway.data.rglob("*") if path.is_file())
    short = {"keys": [{"name": "short", "key": "short-1"}]}
    assert call(gateway, "POST", "/apply", {"document": short})[0] == 422


def test_prices_of_a_stored_limit_count_at_once(gateway):
    made = call(
        gateway,
        "POST",
        "/keys",
        {"name": "limited", "models": ["small"], "limits": [{"requests": 1, "every": "month"}]},
    )[2]
    assert [chat(gateway, made["key"]) for _ in range(2)] == [200, 429]
    call(gateway, "PATCH", "/keys/limited", {"limits": [{"requests": 3, "every": "month"}]})
    assert [chat(gateway, made["key"]) for _ in range(3)] == [200, 200, 429]
    level = call(gateway, "GET", "/levels")[2]["items"]
    assert {"limit": "key limited", "used": 3}.items() <= next(
        each for each in level if each["limit"] == "key limited"
    ).items()


def test_another_process_follows_within_a_second(tmp_path):
    with serving(tmp_path, workers=3, config=CONFIG + "state: {}\n") as gateway:
        secret = call(gateway, "POST", "/keys", {"name": "all", "models": ["small"]})[2]["key"]
        until = time.monotonic() + 20
        while not all(chat(gateway, secret) == 200 for _ in range(12)):
            assert time.monotonic() < until
        call(gateway, "POST", "/keys/all/revoke")
        time.sleep(1.0)
        assert {chat(gateway, secret) for _ in range(30)} == {401}


def test_it_is_there_after_a_restart_and_the_key_of_secrets_is_changed(tmp_path):
    with serving(tmp_path) as gateway:
        secret = call(gateway, "POST", "/keys", {"name": "kept", "models": ["*"]})[2]["key"]
        provider = {"name": "extra", "kind": "simulator", "api_key": "sk-planted-secret-0123456789"}
        assert call(gateway, "POST", "/providers", provider)[0] == 201
        assert chat(gateway, secret) == 200
        gateway.kill()
        old = (gateway.data / "secret_key").read_text().strip()
        new = "another-passphrase-of-more-than-32-characters"
        gateway.environ["HEADGATE_SECRET_KEY"] = f"{new} {old}"
        gateway.start()
        assert [chat(gateway, secret, model) for model in ("small", "extra/x")] == [200, 200]
        assert call(gateway, "POST", "/secrets/reseal", role="admin")[0] == 403
        assert call(gateway, "POST", "/secrets/reseal")[2] == {"secrets": 1, "objects": 1}
        assert call(gateway, "POST", "/secrets/reseal")[2] == {"secrets": 0, "objects": 0}
        [change] = [each for each in call(gateway, "GET", "/audit?kind=providers")[2]["items"] if each["before"]]
        assert (change["action"], change["before"]) == ("replace", change["after"])
        assert change["after"]["api_key"] == "(sealed)"
        gateway.kill()
        gateway.environ["HEADGATE_SECRET_KEY"] = new
        (gateway.data / "secret_key").unlink()
        gateway.start()
        assert chat(gateway, secret, "extra/x") == 200
