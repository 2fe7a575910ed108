"""What is said of doors that make no sense."""

import pytest

from headgate.config.load import load

BASE = "teams: {research: }\nkeys: [{name: taken, key: client-key-of-good-length}]\nauthentication: "
ISSUER = "name: sso, issuer: https://login.example, audiences: [a]"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (f"{{issuers: [{{{ISSUER}, algorithms: [HS256]}}]}}", "issuers[0].algorithms[0]", "public keys"),
        (f"{{issuers: [{{{ISSUER}, algorithms: [none]}}]}}", "issuers[0].algorithms[0]", "public keys"),
        ("{issuers: [{name: sso, issuer: login.example, audiences: [a]}]}", "issuers[0].issuer", "not a URL"),
        ("{issuers: [{name: sso, issuer: https://x, audiences: []}]}", "issuers[0].audiences", ""),
        (f"{{issuers: [{{{ISSUER}, claims: {{team: {{claim: g, table: {{x: reserch}}}}}}}}]}}",
         "issuers[0].claims.team", "did you mean `research`?"),
        (f"{{issuers: [{{{ISSUER}, claims: {{role: {{claim: g, default: root}}}}}}]}}",
         "issuers[0].claims.role", "there is no role `root`"),
        (f"{{issuers: [{{{ISSUER.replace('sso', 'taken')}}}]}}", "issuers[0].name", "taken by a key"),
        (f"{{issuers: [{{{ISSUER}}}], custom: [{{name: sso, use: 'a:B'}}]}}", "custom[0].name", "taken by a key"),
        ("{certificates: [{name: mesh}]}", "certificates[0]", "no proxy is believed"),
        ("{introspection: [{name: o, url: x, client_id: a, client_secret: b-secret-of-length}]}",
         "introspection[0].url", "not a URL"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_where_it_stands(told, text, path, words):
    ((place, said),) = told(BASE + text)
    assert place == f"authentication.{path}"
    assert words in said


def test_a_claim_may_be_said_in_short(tmp_path):
    text = f"{{issuers: [{{{ISSUER}, claims: {{user: email, team: groups}}}}]}}"
    (tmp_path / "headgate.yaml").write_text(BASE + text)
    (issuer,) = load(tmp_path / "headgate.yaml", {}).config.authentication.issuers
    assert (issuer.settings.rules.user.claim, issuer.settings.rules.team.claim) == ("email", "groups")
