"""Usage and reports from outside: each role is told of its own, and an invoice is the sum of its requests."""

import csv
import io
import json
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from gateways import ADMIN_KEY, running


def key(name):
    return f"hg-{name}-key-0123456789abcdef"


CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: }}
models: {{small: simulator/s, large: simulator/l}}
catalogue:
  models:
    simulator/s: {{prices: {{input: 0.7, output: 1.3}}}}
    simulator/l: {{prices: {{input: 7, output: 13}}}}
records: {{store: true}}
reports: {{currency: {{code: EUR, rate: 0.9}}}}
teams: {{red: , blue: }}
users:
  boss: {{role: team_admin, teams: [red]}}
  mia: {{role: member, teams: [blue]}}
  bill: {{role: billing}}
keys:
  - {{name: red, key: {key("red")}, team: red}}
  - {{name: blue, key: {key("blue")}, team: blue, user: mia}}
  - {{name: boss, key: {key("boss")}, user: boss, operations: [admin]}}
  - {{name: mia, key: {key("mia")}, user: mia, operations: [admin]}}
  - {{name: bill, key: {key("bill")}, user: bill, operations: [admin]}}
"""
ASKED = [("red", "small", 3), ("red", "large", 2), ("blue", "large", 4)]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("usage"), CONFIG) as made:
        for who, model, count in ASKED:
            for number in range(count):
                named = model if number or who == "red" else f"{model}:high"  # which is the same name
                body = {"model": named, "messages": [{"role": "user", "content": f"Hello {who}"}]}
                headers = {"authorization": f"Bearer {key(who)}", "x-headgate-tags": f"feature={model}"}
                status, _, answer = made.request(
                    "POST",
                    "/v1/chat/completions",
                    json.dumps(body).encode(),
                    {**headers, "content-type": "application/json"},
                )
                assert status == 200, answer
        made.wait_for_metric(9, "headgate_records_drained_total", 60.0)  # it is nice, and starts by itself
        yield made


def ask(gateway, path, who=None, **query):
    secret = key(who) if who else ADMIN_KEY
    headers = {"authorization": f"Bearer {secret}"}
    status, got, body = gateway.request("GET", f"/admin/api/{path}?{urlencode(query)}", None, headers)
    return status, got, json.loads(body) if isinstance(body, bytes) and status != 200 else body


def test_each_role_is_told_of_its_own(gateway):
    seen = {}
    for who in (None, "bill", "boss", "mia"):
        status, _, told = ask(gateway, "usage", who, by="team,model")
        assert status == 200
        seen[who] = {(each["team"], each["model"]): each["requests"] for each in told["items"]}
        assert told["total"]["requests"] == sum(seen[who].values())
        summary = ask(gateway, "reports/summary", who)[2]
        assert summary["now"]["requests"] == told["total"]["requests"]
        assert summary["now"]["cost"] == told["total"]["cost"] != "0"
    everything = {(team, model): count for team, model, count in ASKED}
    assert seen[None] == seen["bill"] == everything
    assert seen["boss"] == {who: count for who, count in everything.items() if who[0] == "red"}
    assert seen["mia"] == {who: count for who, count in everything.items() if who[0] == "blue"}
    assert ask(gateway, "usage", "mia", by="team", team="red")[2]["items"] == []


def test_an_effort_behind_a_name_is_no_other_name(gateway):
    zone = {"zone": "Asia/Kathmandu"}  # where days do not begin with an hour, requests themselves are summed
    for query in ({}, zone):
        found = ask(gateway, "usage", by="model", **query)[2]["items"]
        assert {each["model"]: each["requests"] for each in found} == {"small": 3, "large": 6}
    assert len(ask(gateway, "requests", model="large")[2]["items"]) == 6
    found = ask(gateway, "requests", model="large", tag="effort:high")[2]["items"]
    assert [each["model"] for each in found] == ["large:high"]


def test_an_invoice_is_the_sum_of_its_requests(gateway):
    """To the last unit, in CSV and JSON, and in another currency by the rate that is told."""
    requests = ask(gateway, "requests", limit=1000)[2]["items"]
    month = ask(gateway, "usage")[2]["since"][:7]
    status, headers, body = ask(gateway, "usage", by="team", month=month, format="csv")
    assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
    lines = list(csv.DictReader(io.StringIO(body.decode() if isinstance(body, bytes) else body)))
    for line in lines:
        costs = [Decimal(each["cost"]) for each in requests if each.get("team") == line["team"]]
        assert Decimal(line["cost"]) == sum(costs) > 0
        assert Decimal(line["cost_EUR"]) == sum(costs) * Decimal("0.9")
    assert {line["team"] for line in lines} == {"red", "blue"}


def test_features_are_ranked_and_pages_go_on(gateway):
    found = ask(gateway, "usage", by="tag:feature", order="requests")[2]["items"]
    assert [(each["tag:feature"], each["requests"]) for each in found] == [("large", 6), ("small", 3)]
    first = ask(gateway, "usage", by="team,model", limit=2)[2]
    rest = ask(gateway, "usage", by="team,model", limit=2, after=first["next"])[2]
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert first["total"] == rest["total"]


def test_what_was_asked_again_is_found(gateway):
    found = ask(gateway, "reports/waste")[2]["items"]
    again = [each for each in found if each["kind"] == "repeated"]
    assert sorted(each["requests"] for each in again) == [2, 3, 3]
    spent = ask(gateway, "usage", by="")[2]["total"]["cost"]
    assert 0 < sum(Decimal(each["spent"]) for each in again) < Decimal(spent)


def test_months_and_a_forecast_are_told(gateway):
    [month] = ask(gateway, "reports/months")[2]["items"]
    assert (month["requests"], month["availability"], month["whole"]) == (9, 1.0, False)
    told = ask(gateway, "reports/forecast")[2]
    assert (told["cost"], told["spent"]) == (None, month["cost"])


def test_the_page_is_whole_and_asks_for_nothing(gateway):
    status, headers, body = ask(gateway, "reports/page", "boss")
    text = body.decode() if isinstance(body, bytes) else body
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "EUR" in text
    assert "red" in text
    assert "blue" not in text.partition("</style>")[2]


@pytest.mark.parametrize(
    "query", [{"by": "nothing"}, {"zone": "Nowhere"}, {"month": "2026-13"}, {"order": "x"}, {"format": "x"}, {"x": "1"}]
)
def test_what_cannot_be_asked_is_told(gateway, query):
    status, _, told = ask(gateway, "usage", **query)
    assert (status, told["code"]) == (400, "invalid_query")
