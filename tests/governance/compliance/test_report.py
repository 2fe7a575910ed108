"""The report shows what is so, article by article, from settings and from what was done; and what it cannot show."""

import asyncio
import json
import re

import pytest
from click.testing import CliRunner

from headgate.cli import cli
from headgate.config.compliance import LAWS
from headgate.config.load import load
from headgate.governance.compliance.controls import CONTROLS
from headgate.governance.compliance.report import STATES
from headgate.governance.databases import Databases
from headgate.store.checkpoints import AUDIT, take
from headgate.store.objects import Actor, Objects
from headgate.store.signing import signer

SAFE = """
compliance: [gdpr]
audit: {checkpoint_file: kept.jsonl}
providers: {local: {kind: simulator, traits: [eu]}}
teams: {red: {requires: [eu]}}
applications: {shop: {team: red}}
keys: [{name: demo, key_hash: 'sha256:HASH', application: shop, expires: 2030-01-01}]
""".replace("HASH", "a" * 64)


@pytest.fixture
def place(tmp_path):
    tmp_path.chmod(0o700)
    (tmp_path / "headgate.yaml").write_text(SAFE)
    (tmp_path / "headgate.yaml").chmod(0o600)
    return tmp_path


def run(place, *arguments):
    return CliRunner().invoke(cli, [*arguments, "--config", str(place / "headgate.yaml")])


def states(place, law="gdpr"):
    done = run(place, "report", "compliance", law, "--out", str(place / "out.json"))
    assert done.exit_code == 0, done.output
    [found] = json.loads((place / "out.json").read_text())["laws"]
    return {each["article"]: (each["state"], each["evidence"]) for each in found["controls"]}


async def lived(loaded):
    """Something was purged and deleted, and the audit is signed."""
    databases = Databases(loaded.config, {})
    store = await databases.store()
    for action, kind in (("purge", "records"), ("erase", "data"), ("erase", "data")):
        await Objects(store, lambda: 1_800_000_000.0).note(action, kind, "", Actor("ann"), {})
    await take(store, AUDIT, await signer(store, databases.seal()), 1)
    await databases.close()


def test_what_is_so_is_shown_with_its_evidence(place):
    (place / ".headgate").mkdir(mode=0o700)
    asyncio.run(lived(load(place / "headgate.yaml", {})))
    shown = states(place)
    kept = "`retention`: records 365 days, sums 1095 days, audit 1095 days"
    assert shown["Art. 5(1)(e)"] == ("met", f"{kept}; 1 purges, the last at 2027-01-15T08:00Z")
    assert shown["Art. 17"][1].startswith("`headgate data delete`; 2 deletions, the last at 2027-01-15T08:00Z; 0 holds")
    assert shown["Art. 5(1)(f), 32(1)(b)"] == (
        "met", "audit: whole, 3 rows checked, signed up to link 3; checkpoints are also kept elsewhere",
    )  # fmt: skip
    assert shown["Art. 32(1)(b), 32(4)"][0] == "met"
    assert shown["Art. 44-49"][0] == "partly"
    assert shown["Art. 28"][0] == "not covered"


def test_what_is_not_so_is_not_shown_as_if_it_were(place):
    text = SAFE.replace("compliance: [gdpr]", "").replace(", expires: 2030-01-01", "").replace("requires: [eu]", "")
    (place / "headgate.yaml").write_text(text + "server: {host: 0.0.0.0}\n")
    shown = states(place)
    for article in ("Art. 5(1)(e)", "Art. 5(1)(f), 32(1)(b)", "Art. 32(1)(a)", "Art. 32(1)(b), 32(4)"):
        assert shown[article][0] == "not met", article
    assert "1 never expire (demo)" in shown["Art. 32(1)(b), 32(4)"][1]
    assert "without TLS" in shown["Art. 32(1)(a)"][1]
    assert states(place, "hipaa")["164.312(a)(2)(iii)"] == (
        "not met", "`login.idle`: a session ends after 3600 seconds without a call",
    )  # fmt: skip


def test_what_a_team_or_a_class_keeps_is_told_too(place):
    text = SAFE.replace("compliance: [gdpr]", "payloads: {encrypt: false, classes: {a: redacted}}")
    (place / "headgate.yaml").write_text(text.replace("{requires: [eu]}", "{requires: [eu], payloads: full}"))
    shown = states(place)
    assert shown["Art. 5(1)(c)"] == ("not met", "at most `full` (`teams.red.payloads`): all that is said is kept")
    assert "payloads for ever" in shown["Art. 5(1)(e)"][1]
    assert "what is said is kept in the clear" in run(place, "report", "compliance", "gdpr").stdout
    asked = run(place, "compliance", "show", "gdpr", "--json")
    refused = {row["setting"] for row in json.loads(asked.stdout) if row["state"].startswith("refused")}
    assert refused == {"payloads.encrypt", "teams.red.payloads"}
    assert {row["setting"]: row["state"] for row in json.loads(asked.stdout)}["guards (personal)"] == "is set"
    assert shown["Art. 25, 28"][0] == "not met"


def test_guards_are_told_of(place):
    (place / "headgate.yaml").write_text(SAFE)
    state, evidence = states(place)["Art. 25, 28"]
    assert (state, evidence.partition(":")[0]) == ("partly", "by `compliance-personal`, `compliance-secrets`")


def test_answers_that_are_kept_are_told_of(place):
    (place / "headgate.yaml").write_text(SAFE + "cache: {store: sqlite, others: true}\n")
    assert "as are answers that are kept" in run(place, "report", "compliance", "gdpr").stdout
    text = SAFE.replace("compliance: [gdpr]", "cache: {store: sqlite, others: true, encrypt: false}")
    (place / "headgate.yaml").write_text(text)
    assert "answers are kept in the clear" in run(place, "report", "compliance", "gdpr").stdout
    (place / "headgate.yaml").write_text(text.replace("sqlite", "memory"))
    assert "answers are kept in the clear" not in run(place, "report", "compliance", "gdpr").stdout


def test_names_that_mean_harm_stay_names(place):
    evil = "<script>alert(1)</script>|"
    (place / "headgate.yaml").write_text(
        SAFE.replace("name: demo", f"name: '{evil}'").replace(", expires: 2030-01-01", "")
    )
    assert run(place, "report", "compliance", "--out", str(place / "out.html")).exit_code == 0
    page = (place / "out.html").read_text()
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    rows = [line for line in run(place, "report", "compliance").stdout.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    assert not [row for row in rows if "<script" in row]


@pytest.mark.parametrize("law", LAWS)
def test_every_control_has_a_state_and_evidence(place, law):
    shown = run(place, "report", "compliance", law).stdout
    for control in CONTROLS[law]:
        assert f"| {control.article} | {control.asks} | " in shown
    assert sum(shown.count(f"| {state} |") for state in STATES) == len(CONTROLS[law])


def test_the_difference_is_shown_before_a_preset_is_taken(place):
    shown = run(place, "compliance", "show", "hipaa", "--json")
    rows = {row["setting"]: (row["now"], row["preset"], row["state"]) for row in json.loads(shown.stdout)}
    assert rows["login.idle"] == (3600.0, 900.0, "is set")
    assert rows["payloads.keep"] == ("off", "at most redacted", "as asked")
    assert shown.exit_code == 0
    (place / "headgate.yaml").write_text(SAFE.replace("compliance: [gdpr]", "login: {idle: 7200}"))
    shown = run(place, "compliance", "show", "hipaa")
    assert "refused: it must be at most 900" in shown.stdout
    assert "say of which law" in run(place, "report", "compliance").stderr
