"""Tokens of Google Cloud, from wherever Google's own SDKs find the means to them (application default credentials).

A file of a service account, a user, a federated or an impersonated identity; else the machine's metadata server.
https://cloud.google.com/docs/authentication/application-default-credentials
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.errors import NoCredentials, ProviderError
from headgate.core.ports import Upstream
from headgate.core.target import Timeouts
from headgate.providers.auth.auth import Grant, ask, read_object, read_text, read_token, refused, request_token

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKENS = "https://oauth2.googleapis.com/token"
METADATA = "metadata.google.internal"
LIFE = 3600
"""Seconds that a signed assertion, and what is given for it, holds."""
NEAR = Timeouts(connect=1.0, first_byte=5.0, idle=5.0, total=10.0)
"""For the metadata server, which is beside the machine or nowhere."""
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a type's name
NONE = (
    "no credentials for Google Cloud were found: set `credentials_file` or GOOGLE_APPLICATION_CREDENTIALS, run "
    "`gcloud auth application-default login`, or give the machine a service account"
)

Info = Mapping[str, Any]
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, frozen=True)
class Wanted:
    """What the configuration says of it: the file to read, else those of the environment; `tokens` is where a user's
    tokens are renewed, which Google's own SDKs do not let a file say either."""

    file: str | None = None
    tokens: str = TOKENS


class Google:
    """Fetches a token. Called again for each renewal; the file is read anew each time."""

    def __init__(
        self, wanted: Wanted, environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.time
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._tokens = wanted.tokens
        self._named = wanted.file or environ.get("GOOGLE_APPLICATION_CREDENTIALS")

    async def __call__(self, upstream: Upstream) -> Grant[str]:
        """Raises ProviderError, mostly NoCredentials."""
        info = await asyncio.to_thread(self._read)
        return await self._of_metadata(upstream) if info is None else await self._of(info, upstream)

    def _read(self) -> Info | None:
        if self._named:
            return read_file(Path(self._named))
        folder = self._environ.get("CLOUDSDK_CONFIG") or "~/.config/gcloud"
        try:
            path = Path(folder).expanduser() / "application_default_credentials.json"
            return read_file(path) if path.is_file() else None
        except (OSError, RuntimeError):  # a home that is closed, or none
            return None

    async def _of(self, info: Info, upstream: Upstream) -> Grant[str]:
        match info.get("type"):
            case "service_account":
                return await self._of_service_account(info, upstream)
            case "authorized_user":
                form = {"grant_type": "refresh_token"}
                form |= {name: text(info, name) for name in ("client_id", "client_secret", "refresh_token")}
                return await request_token(upstream, self._tokens, form, "Google's token service", self._clock)
            case "external_account":
                return await self._of_federation(info, upstream)
            case "impersonated_service_account":
                source = info.get("source_credentials")
                if not isinstance(source, dict) or source.get("type") == "impersonated_service_account":
                    raise NoCredentials("Google credentials: `source_credentials` is missing, or impersonated itself")
                grant = await self._of(source, upstream)
                return await self._impersonated(text(info, "service_account_impersonation_url"), grant, upstream)
            case kind:
                raise NoCredentials(f"Google credentials of the type {kind!r} are not known")

    async def _of_service_account(self, info: Info, upstream: Upstream) -> Grant[str]:
        """https://developers.google.com/identity/protocols/oauth2/service-account#httprest"""
        url = info.get("token_uri") or TOKENS
        if not isinstance(url, str):
            raise NoCredentials("Google credentials: `token_uri` is no text")
        assertion = await asyncio.to_thread(signed, info, url, int(self._clock()))
        form = {"grant_type": JWT_BEARER, "assertion": assertion}
        return await request_token(upstream, url, form, "Google's token service", self._clock)

    async def _of_federation(self, info: Info, upstream: Upstream) -> Grant[str]:
        """https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token"""
        form = {
            "grant_type": EXCHANGE,
            "audience": text(info, "audience"),
            "scope": SCOPE,
            "requested_token_type": ACCESS_TOKEN,
            "subject_token_type": text(info, "subject_token_type"),
            "subject_token": await self._subject(info.get("credential_source"), upstream),
        }
        url = text(info, "token_url")
        grant = await request_token(upstream, url, form, "Google's token exchange", self._clock)
        impersonation = info.get("service_account_impersonation_url")
        return await self._impersonated(impersonation, grant, upstream) if isinstance(impersonation, str) else grant

    async def _subject(self, source: Any, upstream: Upstream) -> str:
        """The token of the other identity: https://google.aip.dev/auth/4117."""
        source = source if isinstance(source, dict) else {}
        if isinstance(source.get("file"), str):
            found = (await read_text(source["file"])).encode()
        elif isinstance(source.get("url"), str):
            headers = source.get("headers")
            headers = {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
            status, found = await ask(upstream, "GET", source["url"], headers, timeouts=NEAR)
            if status != 200:
                raise refused(status, found, "the source of the federated identity's token")
        else:
            raise NoCredentials("Google credentials: only a `credential_source` with a `file` or a `url` is known")
        form = source.get("format")
        if isinstance(form, dict) and form.get("type") == "json":
            return text(read_object(found, "the source of the token"), text(form, "subject_token_field_name"))
        return found.decode("utf-8", "replace").strip()

    async def _impersonated(self, url: str, grant: Grant[str], upstream: Upstream) -> Grant[str]:
        """https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken"""
        headers = {"authorization": f"Bearer {grant.value}", "content-type": "application/json"}
        body = _encode({"scope": [SCOPE], "lifetime": f"{LIFE}s"})
        status, answer = await ask(upstream, "POST", url, headers, body)
        if status != 200:
            raise refused(status, answer, "Google's token service")
        found = read_object(answer, "Google's token service")
        try:
            until = datetime.fromisoformat(text(found, "expireTime")).timestamp()
        except ValueError:
            raise NoCredentials("Google's token service gave an end that is no time") from None
        return Grant(text(found, "accessToken"), until)

    async def _of_metadata(self, upstream: Upstream) -> Grant[str]:
        """https://cloud.google.com/compute/docs/access/authenticate-workloads#applications"""
        host = self._environ.get("GCE_METADATA_HOST") or METADATA
        url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
        try:
            status, body = await ask(upstream, "GET", url, {"metadata-flavor": "Google"}, timeouts=NEAR)
        except NoCredentials:
            raise
        except ProviderError:
            raise NoCredentials(NONE) from None
        return read_token(status, body, "Google's metadata server", self._clock())


def read_file(path: Path) -> Info:
    """A file of credentials. Raises NoCredentials. Takes a disk: not on the event loop."""
    try:
        data = path.expanduser().read_bytes()
    except (OSError, RuntimeError) as error:
        raise NoCredentials(f"Google credentials: {path} cannot be read: {type(error).__name__}") from None
    return read_object(data, f"the file {path.name} of Google credentials")


def text(info: Info, name: str) -> str:
    """A field that must be there. Raises NoCredentials."""
    value = info.get(name)
    if not isinstance(value, str) or not value:
        raise NoCredentials(f"Google credentials: `{name}` is missing")
    return value


def signed(info: Info, audience: str, now: int) -> str:
    """The assertion of a service account, signed with its key (RFC 7523). Raises NoCredentials.

    `cryptography` is imported here, as nobody else needs it.
    """
    try:
        serialization: Any = importlib.import_module("cryptography.hazmat.primitives.serialization")
        hashes: Any = importlib.import_module("cryptography.hazmat.primitives.hashes")
        padding: Any = importlib.import_module("cryptography.hazmat.primitives.asymmetric.padding")
        rsa: Any = importlib.import_module("cryptography.hazmat.primitives.asymmetric.rsa")
    except ImportError:
        raise NoCredentials("a service account's key needs `pip install headgate[google]`") from None
    head = {"alg": "RS256", "typ": "JWT", "kid": info.get("private_key_id")}
    claims = {"iss": text(info, "client_email"), "scope": SCOPE, "aud": audience, "iat": now, "exp": now + LIFE}
    try:
        key = serialization.load_pem_private_key(text(info, "private_key").encode(), password=None)
    except (ValueError, TypeError):
        raise NoCredentials("Google credentials: `private_key` is no key in the PEM format") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise NoCredentials("Google credentials: `private_key` is no RSA key")
    said = b".".join(_url64(_encode(part)) for part in (head, claims))
    return (said + b"." + _url64(key.sign(said, padding.PKCS1v15(), hashes.SHA256()))).decode()


def _url64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
