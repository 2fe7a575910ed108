"""Azure Key Vault: `azure:VAULT/NAME#FIELD`, with /VERSION behind the name where it is not the latest; keys encrypt.

https://learn.microsoft.com/en-us/rest/api/keyvault/
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
from headgate.providers.auth.entra import Entra, Wanted
from headgate.secrets.settings import AzureSettings
from headgate.secrets.source import Missed, answered, ask, code_of, field_of

VERSION = "7.4"
NAME = re.compile(r"([A-Za-z0-9-]{3,24})((?:\.[a-z-]+)+)?/([0-9A-Za-z-]{1,127})(?:/([0-9a-f]{32}))?\Z")
CLOUDS = (".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net", ".managedhsm.azure.net")
"""Where vaults may be, so that a token goes nowhere else; the first where no other is said.

https://learn.microsoft.com/en-us/azure/key-vault/general/about-keys-secrets-certificates#dns-suffixes-for-object-identifiers
"""
WRAPPING = "RSA-OAEP-256"


class Azure:
    """Vaults, asked as one identity."""

    def __init__(
        self, settings: AzureSettings, environ: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._tokens: dict[str, Renewed[str]] = {}
        """By the cloud that a vault is in."""

    async def get(self, name: str, field: str | None, upstream: Upstream) -> str:
        match = _matched(name)
        url = self._url(match, "secrets") + f"?api-version={VERSION}"
        value = (await self._ask("GET", url, match, b"", upstream)).get("value")
        if not isinstance(value, str):
            raise Missed(f"Azure gave no text for {name}")
        return field_of(value, field, f"the secret {name} at Azure")

    async def encrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes:
        """https://learn.microsoft.com/en-us/rest/api/keyvault/keys/wrap-key: the version that did is kept with it."""
        found = await self._crypt(_matched(key), "wrapkey", data, upstream)
        version = str(found.get("kid")).rpartition("/")[2]
        return version.encode() + b":" + _decoded(found, key)

    async def decrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes:
        version, _, wrapped = data.partition(b":")
        base = "/".join(key.split("/")[:2])
        return _decoded(
            await self._crypt(_matched(f"{base}/{version.decode('ascii', 'replace')}"), "unwrapkey", wrapped, upstream),
            key,
        )

    async def _crypt(self, key: re.Match[str], what: str, data: bytes, upstream: Upstream) -> dict[str, Any]:
        url = f"{self._url(key, 'keys')}/{what}?api-version={VERSION}"
        value = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        return await self._ask("POST", url, key, json.dumps({"alg": WRAPPING, "value": value}).encode(), upstream)

    def _url(self, name: re.Match[str], what: str) -> str:
        where = self._settings.endpoint or f"https://{name[1]}{name[2] or CLOUDS[0]}"
        version = f"/{name[4]}" if name[4] else ""
        return f"{where.rstrip('/')}/{what}/{name[3]}{version}"

    async def _ask(self, method: str, url: str, name: re.Match[str], body: bytes, upstream: Upstream) -> dict[str, Any]:
        try:
            token = await self._token((name[2] or CLOUDS[0]).lstrip(".")).get(upstream)
        except NoCredentials as error:
            raise Missed(error.message) from None
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        status, answer = await ask(upstream, method, url, headers, body, "Azure")
        found = answered(answer, "Azure") if status in (200, 400, 401, 403, 404) else {}
        if status != 200:
            said = found.get("error")
            code = code_of(said.get("code")) if isinstance(said, dict) else ""
            told = f"Azure answered {status}{code} for {name[0]}"
            raise Missed(told, "check the vault's and the secret's name, and what the identity may do")
        return found

    def _token(self, cloud: str) -> Renewed[str]:
        if cloud not in self._tokens:
            said = self._settings
            secret = said.client_secret.get_secret_value() if said.client_secret else None
            wanted = Wanted(f"https://{cloud}/.default", said.tenant_id, said.client_id, secret)
            self._tokens[cloud] = Renewed("a token of Azure", Entra(wanted, self._environ, self._clock), self._clock)
        return self._tokens[cloud]


def _matched(name: str) -> re.Match[str]:
    match = NAME.match(name)
    if match is None or (match[2] and match[2] not in CLOUDS):
        raise Missed(f"{name[:200]!a} is nothing in a Key Vault", "write azure:VAULT/NAME, perhaps with /VERSION")
    return match


def _decoded(found: Mapping[str, Any], key: str) -> bytes:
    text = found.get("value")
    try:
        if isinstance(text, str):
            return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError:
        pass
    raise Missed(f"Azure gave nothing for {key} that is base64")
