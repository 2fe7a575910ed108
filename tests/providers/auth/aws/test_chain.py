"""Keys are found where Amazon's own SDKs find them, over real sockets to a service that plays Amazon's."""

import json
import sys
import time
from urllib.parse import parse_qs

import pytest

from headgate.core.errors import NoCredentials
from headgate.providers.auth.aws.chain import Chain, Wanted
from headgate.providers.auth.aws.profiles import Profiles
from headgate.providers.auth.aws.roles import Role
from headgate.providers.auth.aws.services import read_keys
from headgate.providers.auth.aws.signing import Keys
from headgate.upstream.client import Client
from upstreams import ScriptedUpstream, json_reply, reply

UNTIL = "2099-01-01T00:00:00Z"
ROLE = "arn:aws:iam::123456789012:role/team/gateway"
GIVEN = Keys("ASIAROLE", "role-secret", "role-token")
OFF = {"AWS_EC2_METADATA_DISABLED": "true"}


def answer(keys=GIVEN, until=UNTIL):
    return json_reply(
        {"AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key, "Token": keys.token, "Expiration": until}
    )


def sts_reply(keys=GIVEN):
    return reply(
        f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
        <AccessKeyId>{keys.access_key}</AccessKeyId><SecretAccessKey>{keys.secret_key}</SecretAccessKey>
        <SessionToken>{keys.token}</SessionToken><Expiration>{UNTIL}</Expiration>
        </Credentials></AssumeRoleResult></AssumeRoleResponse>""".encode(),
        content_type="text/xml",
    )


@pytest.fixture
async def find(tmp_path, few_authorities):
    """Runs a chain: what it finds, with an empty home unless the test fills it."""
    client = Client(ca_file=few_authorities)

    async def run(environ, wanted=None):
        home = {
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        }
        return await Chain(wanted or Wanted("eu-west-1"), {**home, **environ})(client)

    yield run
    await client.close()


@pytest.fixture
def files(tmp_path):
    def write(config="", credentials=""):
        (tmp_path / "config").write_text(config)
        (tmp_path / "credentials").write_text(credentials)

    return write


async def test_keys_of_the_configuration_come_first(find):
    keys = Keys("AKIA", "s")
    grant = await find({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}, Wanted("eu-west-1", keys))
    assert (grant.value, grant.until) == (keys, None)


async def test_keys_of_the_environment(find):
    environ = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    assert (await find(environ)).value == Keys("AKIA", "s", "t")
    with pytest.raises(NoCredentials, match="AWS_SECRET_ACCESS_KEY is missing"):
        await find({"AWS_ACCESS_KEY_ID": "AKIA"})


async def test_nothing_at_all_says_what_to_set(find):
    with pytest.raises(NoCredentials, match="access_key_id"):
        await find(OFF)


async def test_an_instances_role(find):
    with ScriptedUpstream([reply(b"imds-token"), reply(b"gateway-role"), answer()]) as imds:
        grant = await find({"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    assert grant.value == GIVEN
    assert grant.until == 4070908800
    token, role, keys = imds.requests
    assert (token.method, token.path) == ("PUT", "/latest/api/token")
    assert token.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600"
    assert (role.method, role.path) == ("GET", "/latest/meta-data/iam/security-credentials/")
    assert (keys.method, keys.path) == ("GET", "/latest/meta-data/iam/security-credentials/gateway-role")
    assert role.headers["x-aws-ec2-metadata-token"] == keys.headers["x-aws-ec2-metadata-token"] == "imds-token"


async def test_an_instances_keys_are_used_while_its_metadata_has_no_newer_ones(find):
    with ScriptedUpstream([reply(b"t"), reply(b"r"), answer(until="2001-01-01T00:00:00Z")]) as imds:
        grant = await find({"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})
    assert 500 < grant.until - time.time() < 700


@pytest.mark.parametrize("script", [[reply(b"", status=403)], [reply(b"t"), reply(b"", status=404)]])
async def test_an_instance_without_a_role_has_no_keys(find, script):
    with ScriptedUpstream(script) as imds, pytest.raises(NoCredentials, match="no AWS credentials were found"):
        await find({"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url})


async def test_no_instance_is_no_failure(find):
    with pytest.raises(NoCredentials, match="no AWS credentials were found"):
        await find({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"})


async def test_a_containers_agent(find, tmp_path):
    (tmp_path / "token").write_text("pod-token\n")
    with ScriptedUpstream(answer()) as agent:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.url}/v1/credentials?id=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "other",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
        }
        grant = await find(environ)
    assert grant.value == GIVEN
    [asked] = agent.requests
    assert (asked.method, asked.path) == ("GET", "/v1/credentials?id=1")
    assert asked.headers["authorization"] == "pod-token"


@pytest.mark.parametrize(
    "url", ["http://evil.example/x", "http://169.254.169.254/x", "ftp://127.0.0.1/x", "http://[", "http://10.0.0.1/x"]
)
async def test_a_containers_token_goes_nowhere_else(find, url):
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t"}
    with pytest.raises(NoCredentials, match="AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        await find(environ)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (reply(b"", status=500), "answered 500"),
        (reply(b"<html>"), "gave no JSON"),
        (json_reply({"AccessKeyId": "a"}), "gave no keys"),
        (json_reply({"AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": "soon"}), "no time"),
    ],
)
async def test_an_agent_that_fails_is_named(find, script, why):
    with ScriptedUpstream(script) as agent, pytest.raises(NoCredentials, match=why):
        await find({"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url})


async def test_a_web_identity(find, tmp_path):
    (tmp_path / "jwt").write_text("header.payload.signature\n")
    with ScriptedUpstream(sts_reply()) as sts:
        environ = {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "jwt"),
            "AWS_ROLE_ARN": ROLE,
            "AWS_ENDPOINT_URL_STS": sts.url,
        }
        grant = await find(environ)
    assert grant.value == GIVEN
    [asked] = sts.requests
    assert (asked.method, asked.path) == ("POST", "/")
    assert "authorization" not in asked.headers
    assert {name: value for name, [value] in parse_qs(asked.body.decode()).items()} == {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "headgate",
        "WebIdentityToken": "header.payload.signature",
    }


async def test_a_web_identity_without_its_role_or_file(find, tmp_path):
    with pytest.raises(NoCredentials, match="AWS_ROLE_ARN"):
        await find({"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"})
    with pytest.raises(NoCredentials, match="FileNotFoundError"):
        await find({"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "gone"), "AWS_ROLE_ARN": ROLE})


async def test_a_role_on_top_of_other_keys(find):
    with ScriptedUpstream(sts_reply()) as sts:
        wanted = Wanted("eu-west-1", Keys("AKIA", "s"), role=Role(ROLE, "me", "ext", 900))
        grant = await find({"AWS_ENDPOINT_URL_STS": sts.url}, wanted)
    assert grant.value == GIVEN
    [asked] = sts.requests
    assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA/")
    assert "/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date" in asked.headers["authorization"]
    fields = {name: value for name, [value] in parse_qs(asked.body.decode()).items()}
    assert fields["Action"] == "AssumeRole"
    assert (fields["RoleSessionName"], fields["ExternalId"], fields["DurationSeconds"]) == ("me", "ext", "900")


async def test_a_role_that_is_not_given(find):
    refusal = b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></ErrorResponse>"
    wanted = Wanted("eu-west-1", Keys("AKIA", "s"), role=Role(ROLE))
    with ScriptedUpstream(reply(refusal, status=403)) as sts, pytest.raises(NoCredentials) as caught:
        await find({"AWS_ENDPOINT_URL_STS": sts.url}, wanted)
    assert "403 (AccessDenied)" in caught.value.message
    assert "123456789012" not in caught.value.message


async def test_a_profiles_keys_are_looked_at_again(find, files):
    files(
        "[default]\nregion = x\n[profile work]\nregion = eu-west-1\ns3 =\n  max = 5\n",
        "[default]\naws_access_key_id = D\naws_secret_access_key = ds\n"
        "[work]\naws_access_key_id = W\naws_secret_access_key = w%s=\naws_session_token = wt\n",
    )
    grant = await find(OFF)
    assert grant.value == Keys("D", "ds")
    assert 0 < grant.renew - time.time() < 400
    assert (await find(OFF, Wanted("eu-west-1", profile="work"))).value == Keys("W", "w%s=", "wt")
    assert (await find({**OFF, "AWS_PROFILE": "work"})).value == Keys("W", "w%s=", "wt")
    environment = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e"}
    assert (await find(environment, Wanted("eu-west-1", profile="work"))).value.access_key == "W"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("", "there is no AWS profile 'p'"),
        ("[profile p]\nregion = x", "no way to them"),
        ("[profile p]\naws_access_key_id = a", "one of its two keys only"),
        ("[profile p]\nrole_arn = r", "no source with keys"),
        ("[profile p]\nrole_arn = r\nsource_profile = gone", "cannot be used"),
        ("[profile p]\nrole_arn = r\nsource_profile = q\n[profile q]\nrole_arn=r\nsource_profile=p", "cannot be used"),
        ("[profile p]\nrole_arn = r\nsource_profile = p", "no source with keys"),
        ("[profile p]\nrole_arn = r\nmfa_serial = m\nsource_profile = p", "MFA"),
        ("[profile p]\nrole_arn = r\ncredential_source = Elsewhere", "no source with keys"),
        ("[profile p]\ncredential_process = /nowhere/at/all", "cannot be run"),
        ("[profile p]\ncredential_process = 'unbalanced", "cannot be run"),
        ("p = 1", "cannot be read"),
    ],
)  # fmt: skip
async def test_a_profile_that_leads_nowhere_says_so(find, files, config, why):
    files(config)
    with pytest.raises(NoCredentials, match=why):
        await find(OFF, Wanted("eu-west-1", profile="p"))


@pytest.mark.parametrize("source", ["source_profile = p", "source_profile = base", "credential_source = Environment"])
async def test_a_profiles_role(find, files, source):
    own = "aws_access_key_id = P\naws_secret_access_key = ps\n" if source.endswith(" p") else ""
    files(
        f"[profile p]\nrole_arn = {ROLE}\nrole_session_name = me\nduration_seconds = 1800\n{source}\n{own}"
        "[profile base]\naws_access_key_id = P\naws_secret_access_key = ps\n"
    )
    with ScriptedUpstream(sts_reply()) as sts:
        environ = {"AWS_ENDPOINT_URL_STS": sts.url, "AWS_ACCESS_KEY_ID": "P", "AWS_SECRET_ACCESS_KEY": "ps"}
        grant = await find(environ, Wanted("eu-west-1", profile="p"))
    assert grant.value == GIVEN
    assert "Credential=P/" in sts.requests[0].headers["authorization"]
    assert b"DurationSeconds=1800" in sts.requests[0].body


async def test_a_profiles_web_identity(find, files, tmp_path):
    (tmp_path / "jwt").write_text("a.b.c")
    files(f"[profile p]\nrole_arn = {ROLE}\nweb_identity_token_file = {tmp_path}/jwt\n")
    with ScriptedUpstream(sts_reply()) as sts:
        grant = await find({"AWS_ENDPOINT_URL_STS": sts.url}, Wanted("eu-west-1", profile="p"))
    assert grant.value == GIVEN


async def test_a_profiles_process(find, files, tmp_path):
    script = tmp_path / "give keys.py"
    found = {"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": UNTIL}
    script.write_text(f"print({json.dumps(found)!r})")
    files(f"[profile p]\ncredential_process = '{sys.executable}' \"{script}\"\n")
    grant = await find(OFF, Wanted("eu-west-1", profile="p"))
    assert (grant.value, grant.until) == (Keys("A", "s", "t"), 4070908800)
    script.write_text("raise SystemExit(3)")
    with pytest.raises(NoCredentials, match="ended with 3"):
        await find(OFF, Wanted("eu-west-1", profile="p"))


async def test_single_sign_on_is_left_to_botocore(find, files, tmp_path, monkeypatch):
    files(
        "[profile p]\nsso_start_url = https://x.test\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = r\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))  # botocore reads no other
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(NoCredentials, match="aws sso login"):
        await find(OFF, Wanted("eu-west-1", profile="p"))


def test_profiles_without_files_are_none(tmp_path):
    environ = {"AWS_CONFIG_FILE": str(tmp_path / "a"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "b")}
    assert Profiles.read(environ).get("default") is None


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"AccessKeyId":1,"SecretAccessKey":"s"}'])
def test_answers_without_keys_are_no_credentials(body):
    with pytest.raises(NoCredentials):
        read_keys(body, "it")
