"""Google Cloud: `gcp:projects/P/secrets/S/versions/V#FIELD` of its Secret Manager (the latest without a version); KMS.

https://cloud.google.com/secret-manager/docs/reference/rest, https://cloud.google.com/kms/docs/reference/rest
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from headgate.core.errors import NoCredentials
from headgate.core.ports import Upstream
from headgate.providers.auth.auth import Renewed
from headgate.providers.auth.google import Google, Wanted
from headgate.secrets.settings import GCPSettings
from headgate.secrets.source import Missed, answered, ask, code_of, decoded, field_of

NAME = re.compile(r"projects/[\w.:-]+(?:/locations/([a-z0-9-]+))?/secrets/[\w-]+(/versions/[\w-]+)?\Z", re.ASCII)
KEY = re.compile(r"projects/[\w.:-]+/locations/[a-z0-9-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+\Z", re.ASCII)


class GCP:
    """The services, asked as one identity."""

    def __init__(
        self, settings: GCPSettings, environ: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._endpoint = (settings.endpoint or "").rstrip("/")
        google = Google(Wanted(settings.credentials_file), environ, clock)
        self._token: Renewed[str] = Renewed("a token of Google Cloud", google, clock)

    async def get(self, name: str, field: str | None, upstream: Upstream) -> str:
        match = NAME.match(name)
        if not match:
            hint = "write gcp:projects/PROJECT/secrets/NAME, perhaps with /versions/VERSION behind it"
            raise Missed(f"{name[:200]!a} is no secret at Google", hint)
        host = f"secretmanager.{match[1]}.rep.googleapis.com" if match[1] else "secretmanager.googleapis.com"
        version = name if match[2] else f"{name}/versions/latest"
        found = (await self._ask("GET", host, f"{version}:access", b"", upstream)).get("payload")
        data = decoded(found.get("data") if isinstance(found, dict) else None, name, "Google")
        try:
            return field_of(data.decode(), field, f"the secret {name} at Google")
        except UnicodeDecodeError:
            raise Missed(f"the secret {name} at Google is no text", "keep it as a text there") from None

    async def encrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes:
        found = await self._crypt(key, "encrypt", {"plaintext": base64.b64encode(data).decode()}, upstream)
        return decoded(found.get("ciphertext"), key, "Google")

    async def decrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes:
        found = await self._crypt(key, "decrypt", {"ciphertext": base64.b64encode(data).decode()}, upstream)
        return decoded(found.get("plaintext"), key, "Google")

    async def _crypt(self, key: str, what: str, fields: Mapping[str, str], upstream: Upstream) -> dict[str, Any]:
        if not KEY.match(key):
            hint = "write gcp:projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY"
            raise Missed(f"{key[:200]!a} is no key at Google", hint)
        body = json.dumps(fields).encode()
        return await self._ask("POST", "cloudkms.googleapis.com", f"{key}:{what}", body, upstream)

    async def _ask(self, method: str, host: str, path: str, body: bytes, upstream: Upstream) -> dict[str, Any]:
        try:
            token = await self._token.get(upstream)
        except NoCredentials as error:
            raise Missed(error.message) from None
        url = f"{self._endpoint or f'https://{host}'}/v1/{path}"
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        status, answer = await ask(upstream, method, url, headers, body, "Google")
        found = answered(answer, "Google") if status in (200, 400, 403, 404) else {}
        if status != 200:
            said = found.get("error")
            code = code_of(said.get("status")) if isinstance(said, dict) else ""
            raise Missed(f"Google answered {status}{code} for {path}", "check the name, and what the identity may do")
        return found
