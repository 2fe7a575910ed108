"""HashiCorp Vault and OpenBao: https://developer.hashicorp.com/vault/api-docs, https://openbao.org/api-docs/.

`vault:MOUNT/PATH#FIELD` of a key/value engine, version 1 or 2; keys of the transit engine encrypt.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headgate.core.errors import NoCredentials
from headgate.core.ports import Upstream
from headgate.providers.auth.auth import Grant, Renewed, read_text
from headgate.secrets.settings import VaultSettings
from headgate.secrets.source import Missed, answered, ask, picked

WHOSE = "Vault"
TOKEN_FILE = "~/.vault-token"  # noqa: S105  # a file's name
ANSWERS = {
    400: "check the names, and of a login the id and the secret",
    404: "there is no such secret, or its last version was deleted",
    429: "it is a standby node: name the active one, or a load balancer",
    472: "it is a standby node: name the active one, or a load balancer",
    473: "it is a standby node: name the active one, or a load balancer",
    503: "it is sealed, or being maintained",
}
"""https://developer.hashicorp.com/vault/api-docs#http-status-codes"""


class Refused(Missed):
    """It does not take the token, or not for this."""


class Vault:
    """One server, asked with one token at a time."""

    def __init__(
        self, settings: VaultSettings, environ: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._address = (settings.address or environ.get("VAULT_ADDR") or "").rstrip("/")
        self._namespace = settings.namespace or environ.get("VAULT_NAMESPACE")
        self._mounts: dict[str, bool] = {}
        """Of each that is known, ending in a slash, whether it keeps versions."""
        self._login = self._new_login()

    async def get(self, name: str, field: str | None, upstream: Upstream) -> str:
        path = _path(name)
        mount, versioned = await self._mount(path, upstream)
        rest = path.removeprefix(mount)
        if not rest:
            raise Missed(f"{name} is a mount, with no path behind it", "write vault:MOUNT/PATH#FIELD")
        try:
            found = await self._ask("GET", f"{mount}data/{rest}" if versioned else path, None, upstream)
        except Missed:
            self._mounts.pop(mount, None)  # the engine may be another by now
            raise
        fields = found.get("data") if versioned else found
        if not isinstance(fields, dict):
            raise Missed(f"Vault has no secret {name}", ANSWERS[404])
        return picked(fields, field, f"the secret {name} in Vault")

    async def encrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes:
        """https://developer.hashicorp.com/vault/api-docs/secret/transit#encrypt-data"""
        body = {"plaintext": base64.b64encode(data).decode()}
        found = await self._ask("POST", _transit(key, "encrypt"), body, upstream)
        return _text(found, "ciphertext").encode()

    async def decrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes:
        body = {"ciphertext": data.decode("ascii", "replace")}
        found = await self._ask("POST", _transit(key, "decrypt"), body, upstream)
        try:
            return base64.b64decode(_text(found, "plaintext"), validate=True)
        except ValueError:
            raise Missed("Vault gave a plain text that is not base64") from None

    async def _mount(self, path: str, upstream: Upstream) -> tuple[str, bool]:
        """The engine that a path is in, and whether it keeps versions: asked as Vault's own command line does.

        https://developer.hashicorp.com/vault/api-docs/system/internal-ui-mounts
        """
        known = next((mount for mount in self._mounts if path.startswith(mount)), None)
        if known is None:
            found = await self._ask("GET", f"sys/internal/ui/mounts/{path}", None, upstream)
            known, options = found.get("path"), found.get("options")
            if not isinstance(known, str) or not known.endswith("/") or not path.startswith(known):
                raise Missed(f"Vault does not say which engine {path} is in", "check the reference and the address")
            self._mounts[known] = isinstance(options, dict) and str(options.get("version")) == "2"
        return known, self._mounts[known]

    async def _ask(self, method: str, path: str, body: Mapping[str, str] | None, upstream: Upstream) -> dict[str, Any]:
        """The `data` of an answer. A token that came of a login is taken for ended, once, where it is refused."""
        if not self._address:
            raise Missed("it is not said where Vault is", "set `secrets.vault.address`, or VAULT_ADDR")
        if self._login is not None:
            try:
                return await self._once(method, path, body, await self._token(upstream), upstream)
            except Refused:
                self._login = self._new_login()
        return await self._once(method, path, body, await self._token(upstream), upstream)

    async def _once(
        self, method: str, path: str, body: Mapping[str, str] | None, token: str, upstream: Upstream
    ) -> dict[str, Any]:
        found = (await self._send(method, path, body, token, upstream)).get("data")
        return found if isinstance(found, dict) else {}

    async def _send(
        self, method: str, path: str, body: Mapping[str, str] | None, token: str | None, upstream: Upstream
    ) -> dict[str, Any]:
        headers = {"x-vault-request": "true", "content-type": "application/json"}
        if token is not None:
            headers["x-vault-token"] = token
        if self._namespace:
            headers["x-vault-namespace"] = self._namespace
        data = b"" if body is None else json.dumps(body).encode()
        status, answer = await ask(upstream, method, f"{self._address}/v1/{quote(path)}", headers, data, WHOSE)
        if status == 403:
            told = "its policy does not allow it, or it has ended" if token else "the login is not known there"
            raise Refused(f"Vault refused {path} (403): {told}", "check the token and its policies")
        if status != 200:
            raise Missed(f"Vault answered {status} for {path}", ANSWERS.get(status, "redirects are not followed"))
        return answered(answer, WHOSE)

    async def _token(self, upstream: Upstream) -> str:
        try:
            if self._login is not None:
                token: str = await self._login.get(upstream)
                return token
            if self._settings.token is not None:
                return self._settings.token.get_secret_value()
            said = self._environ.get("VAULT_TOKEN")
            return said if said else await asyncio.to_thread(_filed)
        except NoCredentials as error:
            raise Missed(error.message) from None

    def _new_login(self) -> Renewed[str] | None:
        if self._settings.approle is None and self._settings.kubernetes is None:
            return None
        return Renewed("a token of Vault", self._logged_in, self._clock)

    async def _logged_in(self, upstream: Upstream) -> Grant[str]:
        """https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle, …/auth/kubernetes#login"""
        role, pod = self._settings.approle, self._settings.kubernetes
        if role is not None:
            mount = role.mount
            body = {"role_id": role.role_id.get_secret_value(), "secret_id": role.secret_id.get_secret_value()}
        else:
            assert pod is not None
            mount, body = pod.mount, {"role": pod.role, "jwt": await read_text(pod.token_file)}
        try:
            found = (await self._send("POST", f"auth/{_path(mount)}/login", body, None, upstream)).get("auth")
        except Missed as error:
            raise NoCredentials(str(error)) from None
        token = found.get("client_token") if isinstance(found, dict) else None
        seconds = found.get("lease_duration") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token or not isinstance(seconds, int | float):
            raise NoCredentials("Vault gave no token at the login")
        return Grant(token, self._clock() + seconds if seconds else None)


def _filed() -> str:
    """The token that `vault login` has left. Raises Missed."""
    try:
        return Path(TOKEN_FILE).expanduser().read_text("ascii").strip()
    except (OSError, UnicodeDecodeError, RuntimeError):
        raise Missed(
            "there is no token for Vault", "set `secrets.vault.token`, `approle` or `kubernetes`, or VAULT_TOKEN"
        ) from None


def _path(name: str) -> str:
    """A path that leads nowhere else. Raises Missed."""
    parts = name.strip("/").split("/")
    if any(part in ("", ".", "..") for part in parts) or not name.isprintable():
        raise Missed(f"{name!a} is not a path in Vault", "write vault:MOUNT/PATH#FIELD")
    return "/".join(parts)


def _transit(key: str, what: str) -> str:
    mount, slash, name = _path(key).rpartition("/")
    if not slash:
        raise Missed(f"{key} is no key in Vault", "write vault:MOUNT/KEY, such as vault:transit/headgate")
    return f"{mount}/{what}/{name}"


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise Missed(f"Vault gave no {name}")
    return value
