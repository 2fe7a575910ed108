"""Tokens of Microsoft Entra ID, from wherever Azure's own SDKs find the means to them.

A client's secret, a workload's federated token, an App Service's identity, a machine's identity: in this order.
https://learn.microsoft.com/en-us/python/api/overview/azure/identity-readme#defaultazurecredential
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import pydantic

from headgate.core.errors import NoCredentials, ProviderError
from headgate.core.ports import Upstream
from headgate.core.target import Timeouts
from headgate.providers.auth.auth import Grant, ask, read_text, read_token, request_token

AUTHORITY = "https://login.microsoftonline.com"
MACHINE = "http://169.254.169.254"
NEAR = Timeouts(connect=1.0, first_byte=5.0, idle=5.0, total=10.0)
"""For services that are on this machine or nowhere."""
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NONE = (
    "no credentials for Azure were found: set `api_key`, or `tenant_id`, `client_id` and `client_secret`, or give the "
    "machine or workload an identity; the usual environment variables are looked at too"
)


class EntraSettings(pydantic.BaseModel):
    """Who asks, where no key is given."""

    tenant_id: str | None = pydantic.Field(
        None, description="Without `api_key`, the tenant whose token proves who asks (`AZURE_TENANT_ID`)."
    )
    client_id: str | None = pydantic.Field(
        None, description="The application, or the managed identity of several, that asks (`AZURE_CLIENT_ID`)."
    )
    client_secret: pydantic.SecretStr | None = pydantic.Field(
        None,
        description="The application's secret (`AZURE_CLIENT_SECRET`). Without it a workload's token, an App Service's "
        "or the machine's identity is looked for.",
    )
    scope: str | None = pydantic.Field(None, description="What tokens are asked for, where it is not the usual one.")

    def wanted(self, scope: str) -> Wanted:
        secret = self.client_secret.get_secret_value() if self.client_secret else None
        return Wanted(self.scope or scope, self.tenant_id, self.client_id, secret)


@dataclass(slots=True, frozen=True)
class Wanted:
    """For what, and what the configuration says of it. `scope` is the service's, ending in /.default."""

    scope: str
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)


class Entra:
    """Fetches a token. Called again for each renewal."""

    def __init__(
        self, wanted: Wanted, environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.time
    ) -> None:
        self._scope = wanted.scope
        self._environ = environ
        self._clock = clock
        self._tenant = wanted.tenant_id or environ.get("AZURE_TENANT_ID")
        self._client = wanted.client_id or environ.get("AZURE_CLIENT_ID")
        # the environment's secret is that of the environment's client
        own = wanted.client_id is None or wanted.client_id == environ.get("AZURE_CLIENT_ID")
        self._secret = wanted.client_secret or (environ.get("AZURE_CLIENT_SECRET") if own else None)

    async def __call__(self, upstream: Upstream) -> Grant[str]:
        """Raises ProviderError, mostly NoCredentials."""
        environ = self._environ
        if self._secret:
            return await self._of_client({"client_secret": self._secret}, upstream)
        file = environ.get("AZURE_FEDERATED_TOKEN_FILE")
        if file:
            # https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow
            assertion = await read_text(file)
            return await self._of_client({"client_assertion_type": ASSERTION, "client_assertion": assertion}, upstream)
        if environ.get("IDENTITY_ENDPOINT") and environ.get("IDENTITY_HEADER"):
            return await self._of_app_service(environ["IDENTITY_ENDPOINT"], environ["IDENTITY_HEADER"], upstream)
        return await self._of_machine(upstream)

    async def _of_client(self, proof: Mapping[str, str], upstream: Upstream) -> Grant[str]:
        """https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow"""
        if not self._tenant or not self._client:
            missing = "client_id" if self._tenant else "tenant_id"
            raise NoCredentials(f"Entra ID needs a `{missing}` beside the proof of who asks (AZURE_{missing.upper()})")
        authority = (self._environ.get("AZURE_AUTHORITY_HOST") or AUTHORITY).rstrip("/")
        authority = authority if "://" in authority else f"https://{authority}"
        url = f"{authority}/{quote(self._tenant, safe='')}/oauth2/v2.0/token"
        form = {"grant_type": "client_credentials", "client_id": self._client, "scope": self._scope, **proof}
        return await request_token(upstream, url, form, "Entra ID", self._clock)

    async def _of_app_service(self, address: str, secret: str, upstream: Upstream) -> Grant[str]:
        """https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference"""
        query = self._asked("2019-08-01")
        mark = "&" if "?" in address else "?"
        status, body = await ask(upstream, "GET", f"{address}{mark}{query}", {"x-identity-header": secret})
        return read_token(status, body, "the App Service's identity", self._clock())

    async def _of_machine(self, upstream: Upstream) -> Grant[str]:
        """https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token"""
        base = (self._environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or MACHINE).rstrip("/")
        url = f"{base}/metadata/identity/oauth2/token?{self._asked('2018-02-01')}"
        try:
            status, body = await ask(upstream, "GET", url, {"metadata": "true"}, timeouts=NEAR)
        except NoCredentials:
            raise
        except ProviderError:
            raise NoCredentials(NONE) from None
        return read_token(status, body, "the machine's identity", self._clock())

    def _asked(self, version: str) -> str:
        fields = {"api-version": version, "resource": self._scope.removesuffix("/.default")}
        if self._client:
            fields["client_id"] = self._client
        return urlencode(fields)
