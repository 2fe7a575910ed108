"""What clauses forbid, seen from outside: by whom it is asked, of whom, and what is told."""

import json

import pytest
from click.testing import CliRunner

from gateways import KEY, running
from headgate.cli import cli

CLINIC, INTERN, WATCHED, SALES, NARROW = (
    f"hg-{name}-key-0123456789abcdef" for name in ("clinic", "intern", "watched", "sales", "narrow")
)
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  us: {{kind: simulator, traits: [us]}}
  eu: {{kind: simulator, traits: [eu]}}
models:
  chat: {{targets: [us/a, eu/b], fallbacks: [us/c]}}
  american: us/a
  kept: {{targets: [us/a, eu/b], cache: true}}
  copied: {{targets: [eu/b], shadow: {{target: us/next}}, judge: {{target: us/judge, share: 1}}}}
  watched: eu/b
  ward: {{targets: [us/a, eu/b], data_class: health}}
  long: {{targets: [eu/b], fallbacks_on: {{context_overflow: [us/long], rate_limit: [eu/c, us/d]}}}}
guards:
  threats:
    use: judge
    with: {{model: us/guard, rubric: {{threat: A threat.}}}}
    for: {{model: watched}}
    at: before
    on_error: open
rules: [{{name: all, use: ward}}]
teams: {{clinic: {{data_class: Health}}, interns: {{}}}}
clauses:
  - name: health-in-eu
    deny: data_class == "health" && !("eu" in traits)
    says: health data stays in the EU
    law: GDPR Art. 44
  - {{name: no-sales, deny: 'data_class == "health" && key == "sales"', says: health is not for sale}}
  - {{name: no-pictures, deny: 'team == "interns" && operation == "images"', says: interns make no pictures}}
  - {{name: unread, deny: 'team == "interns" && operation == "opaque"', says: interns ask at our paths}}
  - {{name: third-tag, deny: 'key == "tagged" && tags[2] == "x"', says: no third tag}}
  - name: hr-base
    deny: (team == "interns" || key == "sales") && ("vs_hr" in knowledge || "hr-index" in knowledge)
    says: the knowledge base vs_hr is for HR
  - {{name: odd, deny: 'provider == "us"', says: nothing to America, mode: monitor}}
  - {{name: names, deny: 'key == "narrow" && model == "american"', says: ask for chat}}
  - {{name: words, deny: 'key == "narrow" && prompt.contains("zeppelin")', says: not a word of it}}
  - {{name: daily, deny: 'key == "tagged" && hour >= 0 && weekday != ""', says: x, mode: monitor}}
  - {{name: staff, deny: 'key == "narrow" && headers["x-staff"] == "no"', says: staff only}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: clinic, key: {CLINIC}, team: clinic}}
  - {{name: intern, key: {INTERN}, team: interns}}
  - {{name: sales, key: {SALES}}}
  - {{name: narrow, key: {NARROW}}}
  - {{name: tagged, key: {WATCHED}}}
"""
HELLO = {"role": "user", "content": "Hello"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("clauses"), CONFIG) as made:
        yield made


def ask(gateway, model, key=KEY, path="/v1/chat/completions", **headers):
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
    return gateway.post(body, path, key=key, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_who_may_not_be_given_it_is_left_out(gateway):
    status, headers, _ = ask(gateway, "chat", CLINIC)
    assert (status, headers["x-headgate-model"]) == (200, "eu/b")
    record = gateway.record_of(headers["x-request-id"])
    out = {each["target"]: each["out"] for each in record["decision"]["candidates"] if "out" in each}
    assert out == dict.fromkeys(("us/a", "us/c"), "clause health-in-eu (GDPR Art. 44): health data stays in the EU")
    assert {"clause": "health-in-eu", "target": "us/a"} in record["violated"]
    assert ask(gateway, "chat")[1]["x-headgate-model"] == "us/a"


@pytest.mark.parametrize("model", ["ward", "ward:high", "auto", "auto:low"])
def test_the_class_of_a_name_counts_whoever_chose_it(gateway, model):
    assert ask(gateway, model)[1]["x-headgate-model"] == "eu/b"
    status, _, told = ask(gateway, model, SALES)
    assert (status, told["error"]["code"]) == (403, "clause_violated")
    assert {"clause": "no-sales"} in gateway.records(key="sales")[-1]["violated"]


def test_where_nobody_is_left_the_clause_is_named(gateway):
    for model in ("american", "us/anything"):
        status, _, body = ask(gateway, model, CLINIC)
        assert (status, body["error"]["code"]) == (403, "clause_violated")
        assert "clause health-in-eu (GDPR Art. 44): health data stays in the EU" in body["error"]["message"]
    status, _, body = ask(gateway, "american", CLINIC, "/v1/messages")
    assert (status, body["error"]["type"]) == (403, "permission_error")


def test_nobody_is_given_again_what_was_answered_by_who_may_not_be_asked(gateway):
    found = [ask(gateway, "kept", x_headgate_data_class=each)[1] for each in ("public", "health", "health", "other")]
    said = [(headers["x-headgate-cache"], headers["x-headgate-model"]) for headers in found]
    assert said == [("miss", "us/a"), ("miss", "eu/b"), ("hit", "eu/b"), ("hit", "us/a")]


def test_a_class_that_only_the_request_says_counts_too(gateway):
    for said in ("health", "Health", " HEALTH "):
        assert ask(gateway, "chat", x_headgate_data_class=said)[1]["x-headgate-model"] == "eu/b"
    assert ask(gateway, "chat", CLINIC, x_headgate_data_class="public")[1]["x-headgate-model"] == "eu/b"


def test_what_is_about_the_request_alone_refuses_it(gateway):
    headers = {"authorization": f"Bearer {INTERN}", "content-type": "application/json"}
    body = json.dumps({"model": "us/picture", "prompt": "a cat"}).encode()
    status, _, told = gateway.request("POST", "/v1/images/generations", body, headers)
    assert (status, told["error"]["code"]) == (403, "clause_violated")
    assert told["error"]["message"] == "the request is not allowed, by clause no-pictures: interns make no pictures"
    assert gateway.request("GET", "/us/v1/files", headers=headers)[0] == 403
    assert ask(gateway, "chat", INTERN)[0] == 200


def test_a_knowledge_base_is_for_those_who_may_ask_it(gateway):
    def file_search(id):
        return {"model": "chat", "input": "leave?", "tools": [{"type": "file_search", "vector_store_ids": ["a", id]}]}

    status, _, told = gateway.post(file_search("vs_hr"), "/v1/responses", key=INTERN)
    assert (status, told["error"]["code"]) == (403, "clause_violated")
    assert "clause hr-base: the knowledge base vs_hr is for HR" in told["error"]["message"]
    source = {"type": "azure_search", "parameters": {"index_name": "hr-index"}}
    body = {"model": "chat", "messages": [{"role": "user", "content": "leave?"}], "data_sources": [source]}
    assert gateway.post(body, key=INTERN)[0] == 403
    for key, id in ((INTERN, "vs_sales"), (KEY, "vs_hr")):
        _, _, told = gateway.post(file_search(id), "/v1/responses", key=key)
        assert "clause_violated" not in str(told)
    for path, body in (("/us/v1/vector_stores/vs_hr/search", {}), ("/us/v1/runs", {"vector_store_ids": ["vs_hr"]})):
        status, _, told = gateway.post(body, path, key=SALES)
        assert (status, told["error"]["code"]) == (403, "clause_violated")
        assert "clause_violated" not in str(gateway.post(body, path, key=KEY)[2])
    said = {"model": "chat", "messages": [{"role": "user", "content": 'what is "vs_hr"?'}]}
    assert gateway.post(said, key=INTERN)[0] == 200


ZEPPELIN = {"role": "user", "content": "zeppelin"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"model": "american:high", "messages": [HELLO]}, "clause names: ask for chat"),
        ({"messages": [ZEPPELIN], "temperature": "hot"}, "clause words: not a word of it (it cannot be decided: `temp"),
        ({"messages": [ZEPPELIN, {"role": "odd", "content": ""}]}, "(it cannot be decided: `messages[1].role` must be"),
        ({"messages": [{"role": "user", "content": [{"type": "input_text", "text": "zeppelin"}]}]}, "clause words"),
    ],
)
def test_no_way_of_asking_gets_around_a_clause(gateway, asked, told):
    body = {"model": "chat", **asked}
    status, _, answer = gateway.post(body, key=NARROW)
    assert (status, answer["error"]["code"]) == (403, "clause_violated")
    assert told in answer["error"]["message"]
    assert "clause_violated" not in str(gateway.post(body)[2]), "nobody else is kept from it"


def test_an_effort_in_the_models_name_stands_in_the_record(gateway):
    _, headers, _ = ask(gateway, "chat:high")
    assert gateway.record_of(headers["x-request-id"])["model"] == "chat:high"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs", b'\xef\xbb\xbf{"vector_store_ids": ["vs_hr"]}'),
        ("runs", '{"vector_store_ids": ["vs_hr"]}'.encode("utf-16")),
        ("runs", b'{"odd": NaN, "vector_store_ids": ["vs_hr"]}'),
        ("runs", b'{"vector_store_ids": ["vs_hr"], "vector_store_ids": ["vs_sales"]}'),
        ("runs", b'[{"vector_store_ids": ["vs_hr"]}]'),
        ("runs", b'{"body": {"vector_store_ids": ["vs_sales"]}}\n{"body": {"vector_store_ids": ["vs_hr"]}}\n'),
        ("%76ector_stores/vs_hr/search", b"{}"),
        ("vector_stores;a=b/vs_hr;c/search", b"{}"),
        ("Indexes/hr-index", b"{}"),
        ("indexes('hr-index')", b"{}"),
    ],
)
def test_a_knowledge_base_is_found_however_it_is_written(gateway, path, body):
    said = {"authorization": f"Bearer {SALES}", "content-type": "application/json"}
    status, _, told = gateway.request("POST", f"/us/v1/{path}", body, said)
    assert (status, told["error"]["code"]) == (403, "clause_violated")
    for other in (b'{"vector_store_ids": ["vs_sales"]}', b"\x89PNG", b""):
        assert "clause_violated" not in str(gateway.request("POST", "/us/v1/runs", other, said)[2])


def test_what_cannot_be_told_is_forbidden(gateway):
    assert ask(gateway, "chat", WATCHED)[2]["error"]["code"] == "clause_violated"
    assert ask(gateway, "chat", WATCHED, x_headgate_tags="a, b, c")[0] == 200
    assert ask(gateway, "chat", WATCHED, x_headgate_tags="a, b, x")[0] == 403


def test_it_holds_for_fallbacks_copies_and_judges(gateway):
    status, _, told = ask(gateway, "long", CLINIC, x_headgate_explain="true")
    assert status == 200
    assert told["manner"]["fallbacks_on"] == {"context_overflow": [], "rate_limit": ["eu/c"]}
    assert ask(gateway, "copied", CLINIC)[0] == 200
    assert ask(gateway, "copied")[0] == 200  # of this one there are both, after that one's
    gateway.wait_for_metric(1, "headgate_shadows_total", target="us/next", ending="complete")
    gateway.wait_for_metric(1, "headgate_attempts_total", target="us/judge")
    refused = gateway.records(1, error="clause_violated", ending="failed")
    assert [each["shadow_of"] for each in refused if "shadow_of" in each]


def test_it_holds_for_who_is_asked_by_guards(gateway):
    assert ask(gateway, "watched", CLINIC)[0] == 200
    [question] = gateway.records(1, path="guard")
    assert (question["error"], question.get("attempts", [])) == ("clause_violated", [])
    status, _, _ = gateway.post({"model": "watched", "messages": [ZEPPELIN]}, key=NARROW)
    assert (status, len(gateway.records(path="guard"))) == (403, 1), "what is forbidden is shown to nobody"
    assert gateway.records(key="narrow")[-1]["violated"] == [{"clause": "words"}]
    assert ask(gateway, "watched")[0] == 200
    gateway.wait_for_metric(1, "headgate_attempts_total", target="us/guard")


def test_what_is_only_watched_is_noted_and_the_version_is_told(gateway):
    record = gateway.record_of(ask(gateway, "american")[1]["x-request-id"])
    assert record["violated"] == [{"clause": "odd", "mode": "monitor", "target": "us/a"}]
    assert len(record["clauses"]) == 12


def command(gateway, *arguments):
    return CliRunner().invoke(cli, ["clause", *arguments, "--config", str(gateway.config)])


def test_cases_are_tried_out(gateway, tmp_path):
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "- {case: to America, given: {data_class: health, target: us/a}, denied_by: [health-in-eu, odd]}\n"
        "- {case: at home, given: {data_class: health, target: eu/b}}\n"
    )
    done = command(gateway, "test", str(cases))
    assert (done.exit_code, done.output) == (0, "ok    to America: health-in-eu, odd\nok    at home: allowed\n")
    cases.write_text("- {case: pictures, given: {team: interns, operation: images}}\n")
    done = command(gateway, "test", str(cases))
    assert (done.exit_code, done.output) == (1, "WRONG  pictures: no-pictures, not allowed\n")
    for wrong, told in (
        ("- {case: a}", "given: Field required"),
        ("- {case: a, given: {tam: x}}", "'tam', which no"),
        ("- {case: a, given: {target: u/a}}", "the target 'u/a', of no provider there is; did you mean `us`?"),
        ("- {case: a, given: {tags: x}}", "'tags' as 'x', which must be a list of texts"),
        ("- {case: a, given: {team: x}, denied_by: [no-picture]}", "did you mean `no-pictures`?"),
    ):
        cases.write_text(wrong)
        done = command(gateway, "test", str(cases))
        assert done.exit_code == 1
        assert told in done.output


def test_what_they_would_have_forbidden_is_reported(gateway):
    id = ask(gateway, "american")[1]["x-request-id"]
    gateway.record_of(id)
    gateway.record_of(ask(gateway, "chat", NARROW)[1]["x-request-id"])
    gateway.record_of(ask(gateway, "american:high", NARROW)[1]["x-request-id"])
    gateway.record_of(ask(gateway, "chat", WATCHED, x_headgate_tags="a, b, c")[1]["x-request-id"])
    told = json.loads(command(gateway, "report", "--since", "1h", "--json").output)
    effects = {each["clause"]: each for each in told["clauses"]}
    assert told["requests"] >= 1
    assert effects["odd"]["denied"] >= 1
    assert effects["names"]["denied"] >= 1
    assert effects["staff"]["undecided"] >= 1
    assert (effects["no-pictures"]["undecided"], effects["daily"]["undecided"]) == (0, 0)
    assert effects["daily"]["denied"] >= 1
    table = command(gateway, "report").output.splitlines()
    assert table[1].split()[:4] == ["CLAUSE", "MODE", "DENIED", "UNDECIDED"]
