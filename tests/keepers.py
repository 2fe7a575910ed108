"""Vault, Amazon, Google and Azure as keepers of secrets and keys, on one real socket: they check who asks as the real
ones do, and can be told to misbehave."""

import base64
import hashlib
import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from upstreams import ScriptedUpstream, json_reply

VAULT_TOKEN, NAMESPACE = "hvs.Canary0Vault8Token2Rw6", "team-a"
ACCESS, SECRET, REGION = "AKIDCANARY", "Canary5Amazon1Secret9Hn3", "eu-west-1"
GOOGLE_TOKEN, AZURE_TOKEN = "ya29.Canary4Google7Token1Qz8", "Canary6Azure0Token5Pb2"
TENANT, CLIENT, CLIENT_SECRET = "tenant-1", "client-1", "Canary2Azure3Client9Fs7"
VERSION = "0123456789abcdef0123456789abcdef"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem():
    kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return KEY.private_bytes(*kind).decode()


def encoded(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


class Keepers:
    """Use it with `with`. Its attributes are read at each request; `secrets` are by their whole reference without a
    field, what Vault has being fields."""

    def __init__(self, **secrets):
        self.secrets = secrets
        self.mounts = {"secret/": "2", "old/": "1", "team/kv/": "2"}
        self.tokens = {VAULT_TOKEN}
        self.asked = []
        """(who, what) of each request."""
        self.refused = []
        """Why somebody was refused."""
        self.instead = {}
        """A reply of its own, by `vault`, `aws`, `gcp`, `azure`, or by what is asked for."""
        self.upstream = ScriptedUpstream(self._answer)

    def __enter__(self):
        self.upstream.__enter__()
        self.url = self.upstream.url
        return self

    def __exit__(self, *error):
        self.upstream.__exit__(*error)

    def environ(self, folder):
        """Of a gateway that asks them; a file for Google is put into a folder."""
        file = folder / "google.json"
        account = {"type": "service_account", "client_email": "gw@p", "private_key": pem()}
        file.write_text(json.dumps({**account, "token_uri": f"{self.url}/token"}))
        return {
            "VAULT_ADDR": self.url, "VAULT_TOKEN": VAULT_TOKEN, "VAULT_NAMESPACE": NAMESPACE,
            "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url, "GOOGLE_APPLICATION_CREDENTIALS": str(file),
            "AZURE_AUTHORITY_HOST": self.url, "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": CLIENT_SECRET,
        }  # fmt: skip

    def settings(self):
        """The section of the configuration."""
        return {"gcp": {"endpoint": self.url}, "azure": {"endpoint": self.url}}

    def count(self, who):
        return sum(each[0] == who for each in self.asked)

    async def _answer(self, asked):
        request = asked.request
        path = unquote(urlsplit(request.path).path)
        who, found = self._by(request, path)
        what = found if isinstance(found, str) else path
        self.asked.append((who, what))
        instead = self.instead.get(what, self.instead.get(who))
        reply = found(request, path) if instead is None and callable(found) else instead
        await asked.play([reply] if isinstance(reply, bytes) else reply)

    def _by(self, request, path):
        if "x-amz-target" in request.headers:
            return "aws", self._aws
        if path == "/token":
            return "google sign-in", self._google_sign_in
        if path.endswith("/oauth2/v2.0/token"):
            return "azure sign-in", self._azure_sign_in
        if path.startswith("/v1/projects/"):
            return "gcp", self._gcp
        if path.startswith("/v1/"):
            return "vault", self._vault
        return "azure", self._azure

    def _no(self, status, why, body):
        self.refused.append(why)
        return json_reply(body, status=status)

    # Vault: https://developer.hashicorp.com/vault/api-docs

    def _vault(self, request, path):
        path = path.removeprefix("/v1/")
        if request.headers.get("x-vault-namespace") != NAMESPACE:
            return self._no(404, "namespace", {"errors": ["no handler for route"]})
        if path.startswith("auth/") and request.method == "POST":
            return self._vault_login(json.loads(request.body), path)
        if request.headers.get("x-vault-token") not in self.tokens:
            return self._no(403, "token", {"errors": ["permission denied " + request.headers.get("x-vault-token", "")]})
        if path.startswith("sys/internal/ui/mounts/"):
            name = path.removeprefix("sys/internal/ui/mounts/")
            mount = next((each for each in self.mounts if name.startswith(each)), None)
            if mount is None:
                return self._no(403, "mount", {"errors": ["preflight capability check returned 403"]})
            options = {"version": self.mounts[mount]} if self.mounts[mount] != "1" else None
            return json_reply({"data": {"path": mount, "type": "kv", "options": options}})
        if path.startswith("transit/"):
            return self._transit(path, json.loads(request.body))
        mount = next((each for each in self.mounts if path.startswith(each)), "")
        versioned = self.mounts.get(mount) == "2"
        rest = path.removeprefix(mount)
        if versioned and not rest.startswith("data/"):
            return self._no(404, "version", {"errors": [], "warnings": ["Invalid path for a versioned engine"]})
        fields = self.secrets.get(f"vault:{mount}{rest.removeprefix('data/') if versioned else rest}")
        if fields is None:
            return self._no(404, "missing", {"errors": []})
        return json_reply({"data": {"data": fields, "metadata": {"version": 1}} if versioned else fields})

    def _vault_login(self, body, path):
        known = {
            "auth/approle/login": {"role_id": "role-1", "secret_id": "Canary7Role0Secret4"},
            "auth/k8s/login": {"role": "gateway", "jwt": "pod.token.1"},
        }
        if known.get(path) != body:
            return self._no(400, "login", {"errors": ["invalid role or secret ID"]})
        token = f"hvs.given-{len(self.asked)}"
        self.tokens.add(token)
        return json_reply({"auth": {"client_token": token, "lease_duration": 3600, "renewable": True}})

    def _transit(self, path, body):
        _, what, key = path.split("/")
        if what == "encrypt":
            return json_reply({"data": {"ciphertext": f"vault:v1:{turned(key, body['plaintext'])}"}})
        return json_reply({"data": {"plaintext": turned(key, body["ciphertext"].removeprefix("vault:v1:"))}})

    # Amazon: https://docs.aws.amazon.com/secretsmanager/latest/apireference, …/systems-manager, …/kms

    def _aws(self, request, path):
        match = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
            r"SignedHeaders=(\S+), Signature=(\w+)",
            request.headers.get("authorization", ""),
        )
        if match is None:
            return self._no(400, "no signature", {"__type": "MissingAuthenticationTokenException"})
        access, _, region, service, names, signature = match.groups()
        headers = {name: request.headers[name] for name in names.split(";")}
        signed = AWSRequest(request.method, f"http://{request.headers['host']}{request.path}", headers, request.body)
        signed.context["timestamp"] = request.headers["x-amz-date"]
        auth = SigV4Auth(Credentials(ACCESS, SECRET), service, region)
        text = auth.string_to_sign(signed, auth.canonical_request(signed))
        if {"host", "x-amz-target", "x-amz-date"} - set(headers) or access != ACCESS or region != REGION:
            return self._no(400, "scope", {"__type": "IncompleteSignatureException"})
        if auth.signature(text, signed) != signature:
            return self._no(400, "signature", {"__type": "InvalidSignatureException", "message": SECRET})
        body, target = json.loads(request.body), request.headers["x-amz-target"]
        wanted = {"secretsmanager.GetSecretValue": "secretsmanager", "AmazonSSM.GetParameter": "ssm"}.get(target, "kms")
        if service != wanted or request.headers["content-type"] != "application/x-amz-json-1.1":
            return self._no(400, "service", {"__type": "SignatureDoesNotMatch"})
        return self._kms(target, body) if service == "kms" else self._aws_secret(service, body)

    def _aws_secret(self, service, body):
        name = body["SecretId"] if service == "secretsmanager" else body["Name"]
        value = self.secrets.get(f"aws:{service}:{name}")
        if value is None:
            return self._no(400, "missing", {"__type": "com.amazonaws#ResourceNotFoundException", "Message": "no"})
        if service == "secretsmanager":
            kind = "SecretString" if isinstance(value, str) else "SecretBinary"
            return json_reply({"Name": name, kind: value if isinstance(value, str) else encoded(value)})
        text = value if body.get("WithDecryption") else "AQICAHh…"
        return json_reply({"Parameter": {"Name": name, "Type": "SecureString", "Value": text}})

    def _kms(self, target, body):
        bound = body["KeyId"] + json.dumps(body.get("EncryptionContext"), sort_keys=True)
        if target == "TrentService.Encrypt":
            return json_reply({"KeyId": "k", "CiphertextBlob": turned(bound, body["Plaintext"])})
        return json_reply({"KeyId": "k", "Plaintext": turned(bound, body["CiphertextBlob"])})

    # Google: https://cloud.google.com/secret-manager/docs/reference/rest, …/kms/docs/reference/rest

    def _google_sign_in(self, request, path):
        assertion = parse_qs(request.body.decode())["assertion"][0]
        text, _, signature = assertion.rpartition(".")
        try:
            data = base64.urlsafe_b64decode(signature + "==")
            KEY.public_key().verify(data, text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return self._no(400, "assertion", {"error": "invalid_grant"})
        return json_reply({"access_token": GOOGLE_TOKEN, "expires_in": 3599, "token_type": "Bearer"})

    def _gcp(self, request, path):
        if request.headers.get("authorization") != f"Bearer {GOOGLE_TOKEN}":
            return self._no(401, "token", {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
        name, _, what = path.removeprefix("/v1/").rpartition(":")
        if what != "access":
            body = json.loads(request.body)
            other = {"plaintext": "ciphertext", "ciphertext": "plaintext"}
            return json_reply({other[each]: turned(name, text) for each, text in body.items()})
        value = self.secrets.get(f"gcp:{name}")
        if value is None or request.method != "GET":
            return self._no(404, "missing", {"error": {"code": 404, "message": GOOGLE_TOKEN, "status": "NOT_FOUND"}})
        return json_reply({"name": name, "payload": {"data": encoded(value), "dataCrc32c": "1"}})

    # Azure: https://learn.microsoft.com/en-us/rest/api/keyvault

    def _azure_sign_in(self, request, path):
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": CLIENT_SECRET,
                  "scope": "https://vault.azure.net/.default"}  # fmt: skip
        if form != wanted or path != f"/{TENANT}/oauth2/v2.0/token":
            return self._no(401, "client", {"error": "invalid_client"})
        return json_reply({"access_token": AZURE_TOKEN, "expires_in": 3599, "token_type": "Bearer"})

    def _azure(self, request, path):
        if request.headers.get("authorization") != f"Bearer {AZURE_TOKEN}":
            return self._no(401, "token", {"error": {"code": "Unauthorized", "message": AZURE_TOKEN}})
        if "api-version=" not in request.path:
            return self._no(400, "version", {"error": {"code": "BadParameter", "message": "api-version"}})
        kind, name, *rest = path.strip("/").split("/")
        if kind == "keys":
            return self._azure_key(name, rest, json.loads(request.body))
        value = self.secrets.get("azure:v-1/" + "/".join((name, *rest)))
        if value is None:
            return self._no(404, "missing", {"error": {"code": "SecretNotFound", "message": "no"}})
        return json_reply({"value": value, "id": f"https://v-1.vault.azure.net/secrets/{name}/{VERSION}"})

    def _azure_key(self, name, rest, body):
        *version, what = rest
        if body["alg"] != "RSA-OAEP-256" or (what == "unwrapkey" and version != [VERSION]):
            return self._no(400, "key", {"error": {"code": "BadParameter"}})
        value = turned(name, base64.b64encode(base64.urlsafe_b64decode(body["value"] + "==")))
        value = value.translate(str.maketrans("+/", "-_", "="))
        return json_reply({"kid": f"https://v-1.vault.azure.net/keys/{name}/{VERSION}", "value": value})


def turned(key, text):
    """Another text for each key, and of that the first one again: enough to see who can open what. In base64."""
    data = base64.b64decode(text, validate=True)
    stream = hashlib.shake_256(key.encode()).digest(len(data))
    return encoded(bytes(a ^ b for a, b in zip(data, stream, strict=True)))
