"""Secrets are had from every place that keeps them, over real sockets to fakes that check who asks."""

import time

import pytest

from headgate.secrets.references import Places, References
from headgate.secrets.settings import Sources
from headgate.secrets.source import Missed
from keepers import (
    AZURE_TOKEN,
    CLIENT_SECRET,
    GOOGLE_TOKEN,
    SECRET,
    VAULT_TOKEN,
    VERSION,
    Keepers,
)  # fmt: skip
from upstreams import Close, Reset, Sleep, json_reply, reply

PLACES = {
    "vault:secret/llm/openai": {"key": "of vault", "other": "x"},
    "vault:old/openai": {"key": "of the old engine"},
    "vault:team/kv/deep/er": {"key": "of a mount with a slash"},
    "vault:secret/number": {"key": 5},
    "aws:secretsmanager:prod/openai": '{"key": "of amazon", "n": 1}',
    "aws:secretsmanager:plain": "all of it",
    "aws:secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:named-AbCdEf": "by its ARN",
    "aws:secretsmanager:binary": b"bytes",
    "aws:ssm:/llm/openai": "a parameter",
    "aws:ssm:piped": "by echo\r\n",
    "gcp:projects/p-1/secrets/openai/versions/latest": "of google",
    "gcp:projects/p-1/secrets/openai/versions/3": '{"key": "an older one"}',
    "azure:v-1/openai": "of azure",
    f"azure:v-1/openai/{VERSION}": "an older one",
}
GIVEN = {
    "vault:secret/llm/openai#key": "of vault",
    "vault:old/openai": "of the old engine",
    "vault:team/kv/deep/er#key": "of a mount with a slash",
    "aws:secretsmanager:prod/openai#key": "of amazon",
    "aws:secretsmanager:plain": "all of it",
    "aws:secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:named-AbCdEf": "by its ARN",
    "aws:secretsmanager:binary": "bytes",
    "aws:ssm:/llm/openai": "a parameter",
    "aws:ssm:piped": "by echo",
    "gcp:projects/p-1/secrets/openai": "of google",
    "gcp:projects/p-1/secrets/openai/versions/3#key": "an older one",
    "azure:v-1/openai": "of azure",
    f"azure:v-1/openai/{VERSION}": "an older one",
}
ONE_OF_EACH = (
    "vault:secret/llm/openai#key",
    "aws:ssm:/llm/openai",
    "gcp:projects/p-1/secrets/openai",
    "azure:v-1/openai",
)
PROOFS = (VAULT_TOKEN, SECRET, GOOGLE_TOKEN, AZURE_TOKEN, CLIENT_SECRET)


@pytest.fixture(scope="module")
def place():
    with Keepers() as made:
        yield made


@pytest.fixture
def keepers(place):
    place.secrets, place.tokens, place.instead = dict(PLACES), {VAULT_TOKEN}, {}
    place.asked.clear()
    place.refused.clear()
    return place


@pytest.fixture
def made(keepers, tmp_path, monkeypatch, few_authorities):
    monkeypatch.setenv("NO_PROXY", "*")

    def make(environ=None, **settings):
        references = References({**keepers.environ(tmp_path), **(environ or {})})
        sources = Sources.model_validate({**keepers.settings(), **settings})
        references.begin(Places(sources, few_authorities))
        return references

    return make


def test_each_is_had_from_its_place_and_asked_for_once(made, keepers):
    references = made()
    references.ask(GIVEN)
    assert {each: references.value(each) for each in GIVEN} == GIVEN
    assert keepers.refused == []
    count = len(keepers.asked)
    references.ask(GIVEN)
    assert {each: references.value(each) for each in GIVEN} == GIVEN
    assert len(keepers.asked) == count
    assert (keepers.count("google sign-in"), keepers.count("azure sign-in")) == (1, 1)


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("vault:secret/llm/openai", "has 2 fields; say which one"),
        ("vault:secret/llm/openai#nothing", "has no field 'nothing'"),
        ("vault:secret/number#key", "is no text"),
        ("vault:secret/nothing#key", "answered 404 for secret/data/nothing; there is no such secret"),
        ("vault:elsewhere/x#key", "refused .* its policy does not allow it"),
        ("vault:secret/../../sys/seal#key", "is not a path in Vault"),
        ("vault:secret#key", "refused|is a mount"),
        ("vault:", "not complete"),
        ("vault: secret/x#key", "not complete"),
        ("aws:secretsmanager:plain#key", "no fields"),
        ("aws:secretsmanager:nothing", r"answered 400 \(ResourceNotFoundException\) for nothing"),
        ("aws:s3:x", "which of Amazon's services"),
        ("aws:ssm:a b", "is no name at Amazon"),
        ("gcp:projects/p-1/secrets/nothing", r"answered 404 \(NOT_FOUND\)"),
        ("gcp:projects/p-1/secrets/x/versions/1/../../y", "is no secret at Google"),
        ("azure:v-1/nothing", r"answered 404 \(SecretNotFound\)"),
        ("azure:evil.example.com/x", "is nothing in a Key Vault"),
        ("azure:v-1/a/b", "is nothing in a Key Vault"),
    ],
)
def test_what_cannot_be_had_is_told(made, reference, told):
    with pytest.raises(Missed, match=told) as missed:
        made().value(reference)
    assert not any(proof in str(missed.value) for proof in PROOFS)


BAD = {
    "403": json_reply({"errors": [*PROOFS], "error": {"code": AZURE_TOKEN, "status": GOOGLE_TOKEN}}, status=403),
    "500": json_reply({"__type": SECRET}, status=500),
    "garbage": reply(b"<html>" + VAULT_TOKEN.encode(), content_type="text/html"),
    "a list": json_reply([]),
    "another shape": json_reply({"data": {"data": 5, "path": 7}, "Parameter": 5, "payload": [], "value": {}}),
    "no base64": json_reply({"payload": {"data": "é"}, "data": {"plaintext": "é"}}),
    "deep": json_reply(b'{"data":' + b"[" * 100_000),
    "huge": json_reply(b'{"data":"' + b"x" * (2 << 20) + b'"}'),
    "a redirect": reply(b"", status=307, headers=[("location", "http://127.0.0.1:1/")]),
    "nothing": (Close(),),
    "a reset": (Reset(),),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_whatever_a_place_answers_it_is_told_without_a_secret(made, keepers, name):
    references = made()
    keepers.instead = dict.fromkeys(("vault", "aws", "gcp", "azure"), BAD[name])
    references.ask(ONE_OF_EACH)
    for each in ONE_OF_EACH:
        with pytest.raises(Missed) as missed:
            references.value(each)
        assert not any(proof in str(missed.value) for proof in PROOFS), missed.value


def test_a_slow_place_costs_the_time_that_all_may_take_and_the_others_are_had(made, keepers):
    references = made(timeout=1.5)
    keepers.instead = {"vault": (Sleep(5),)}
    started = time.monotonic()
    references.ask(ONE_OF_EACH)
    assert time.monotonic() - started < 4
    assert [references.value(each) for each in ONE_OF_EACH[1:]] == ["a parameter", "of google", "of azure"]
    with pytest.raises(Missed, match=r"within 1.5 s"):
        references.value(ONE_OF_EACH[0])


def test_a_change_is_noticed_and_while_a_place_is_away_what_was_there_stays(made, keepers):
    references = made()
    references.ask(ONE_OF_EACH)
    references.keep(ONE_OF_EACH)
    assert references.renew() is False
    keepers.secrets["aws:ssm:/llm/openai"] = "another"
    keepers.instead = {"vault": json_reply({}, status=503)}
    assert references.renew() is True
    assert references.value("aws:ssm:/llm/openai") == "another"
    assert references.value("vault:secret/llm/openai#key") == "of vault"
    assert list(references.why) == ["vault"]
    assert "it is sealed" in references.why["vault"]
    keepers.instead = {}
    assert references.renew() is False
    assert references.why == {}
    assert references.failures == 1
    references.keep(ONE_OF_EACH[:1])
    count = len(keepers.asked)
    references.renew()
    assert len(keepers.asked) == count + 1


def test_vault_is_logged_in_to_and_again_when_the_token_has_ended(made, keepers):
    references = made({"VAULT_TOKEN": ""}, vault={"approle": {"role_id": "role-1", "secret_id": "Canary7Role0Secret4"}})
    reference = "vault:secret/llm/openai#key"
    assert references.value(reference) == "of vault"
    references.keep([reference])
    keepers.tokens.clear()
    keepers.secrets["vault:secret/llm/openai"] = {"key": "another"}
    assert references.renew() is True
    assert references.value(reference) == "another"
    assert [what for who, what in keepers.asked if "login" in what] == ["/v1/auth/approle/login"] * 2


def test_vault_takes_the_token_of_a_pod(made, tmp_path):
    (tmp_path / "jwt").write_text("pod.token.1\n")
    pod = {"role": "gateway", "mount": "k8s", "token_file": str(tmp_path / "jwt")}
    assert made(vault={"kubernetes": pod}).value("vault:secret/llm/openai#key") == "of vault"
    with pytest.raises(Missed, match="auth/k8s/login") as missed:
        made(vault={"kubernetes": {**pod, "role": "other"}}).value("vault:secret/llm/openai#key")
    assert "pod.token" not in str(missed.value)


def test_without_an_address_or_a_token_it_is_said_what_to_set(made, tmp_path):
    with pytest.raises(Missed, match=r"secrets\.vault\.address"):
        made({"VAULT_ADDR": ""}).value("vault:secret/x#y")
    for address in ("vault.example.com:8200", "ftp://127.0.0.1", "http://[::1", "http://", "http://127.0.0.1:99999"):
        with pytest.raises(Missed):
            made({"VAULT_ADDR": address}).value("vault:secret/x#y")
    with pytest.raises(Missed, match="VAULT_TOKEN"):
        made({"VAULT_TOKEN": ""}).value("vault:secret/x#y")
    with pytest.raises(Missed, match=r"secrets\.aws\.region"):
        made({"AWS_REGION": ""}).value("aws:ssm:x")


@pytest.mark.parametrize(
    "key",
    [
        "vault:transit/headgate",
        "aws:alias/headgate",
        "gcp:projects/p-1/locations/eu/keyRings/r/cryptoKeys/k",
        "azure:v-1/headgate",
    ],
)
def test_a_key_that_stays_there_encrypts_ours_and_is_asked_once(made, keepers, key):
    references = made()
    own, encrypted = references.data_key(key)
    assert encrypted != own
    assert references.data_key(key) == (own, encrypted)
    assert references.opened_key(key, encrypted) == own
    count = len(keepers.asked)
    other = made()
    assert [other.opened_key(key, encrypted) for _ in range(3)] == [own] * 3
    assert other.data_key(key) == (own, encrypted)
    assert len(keepers.asked) <= 2 * count
    assert keepers.refused == []
    with pytest.raises(Missed):
        made().opened_key(key, b"something else")
