"""What the configuration says of the places that secrets are kept in (`secrets`)."""

from __future__ import annotations

from pathlib import Path

import pydantic
from pydantic import Field, SecretStr

from headgate.providers.settings import Seconds

ADDRESS = r"^https?://[^\s?#@]+$"


class Settings(pydantic.BaseModel):
    """Of one place, or of all."""

    model_config = pydantic.ConfigDict(extra="forbid", hide_input_in_errors=True)


class AppRole(Settings):
    """A role's id and secret, for which Vault gives a token."""

    role_id: SecretStr = Field(description="The role's id.")
    secret_id: SecretStr = Field(description="The role's secret: `file:path` where it is renewed.")
    mount: str = Field("approle", min_length=1, description="Where this way to log in is mounted (`auth/MOUNT`).")


class Kubernetes(Settings):
    """The token of the pod's service account, for which Vault gives one of its own."""

    role: str = Field(min_length=1, description="The role in Vault.")
    mount: str = Field("kubernetes", min_length=1, description="Where this way to log in is mounted (`auth/MOUNT`).")
    token_file: str = Field(
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        min_length=1,
        description="The service account's token, read anew at each login.",
    )


class VaultSettings(Settings):
    """HashiCorp Vault or OpenBao."""

    address: str | None = Field(
        None,
        pattern=ADDRESS,
        description="Where it is, such as `https://vault.example.com:8200`. `VAULT_ADDR`.",
    )
    namespace: str | None = Field(None, min_length=1, description="The namespace that paths are in. `VAULT_NAMESPACE`.")
    ca_file: Path | None = Field(
        None,
        description="PEM file of the certificate authorities that its certificate may come from, relative to the "
        "configuration file. `VAULT_CACERT`; left out: those of `upstream`.",
    )
    token: SecretStr | None = Field(
        None,
        description="A token: `file:path` where an agent renews it. `VAULT_TOKEN`, else the file `~/.vault-token`.",
    )
    approle: AppRole | None = Field(None, description="Log in by an AppRole instead.")
    kubernetes: Kubernetes | None = Field(None, description="Log in by the pod's service account instead.")

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> VaultSettings:
        if sum(each is not None for each in (self.token, self.approle, self.kubernetes)) > 1:
            raise ValueError("say one of `token`, `approle` and `kubernetes`")
        return self


class AWSSettings(Settings):
    """AWS Secrets Manager, the Parameter Store and KMS."""

    region: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]{1,40}$",
        description="The region, where no ARN says it. `AWS_REGION`, `AWS_DEFAULT_REGION`.",
    )
    profile: str | None = Field(
        None, min_length=1, description="The profile of `~/.aws` whose keys sign. Left out: as Amazon's SDKs find them."
    )
    role_arn: str | None = Field(None, min_length=1, description="A role to take on with them.")


class GCPSettings(Settings):
    """Google Cloud's Secret Manager and KMS."""

    credentials_file: str | None = Field(
        None, min_length=1, description="Application default credentials. Left out: as Google's SDKs find them."
    )
    endpoint: str | None = Field(None, pattern=ADDRESS, description="Where their API is, if not at googleapis.com.")


class AzureSettings(Settings):
    """Azure Key Vault."""

    tenant_id: str | None = Field(None, description="The tenant. `AZURE_TENANT_ID`.")
    client_id: str | None = Field(None, description="The application or managed identity. `AZURE_CLIENT_ID`.")
    client_secret: SecretStr | None = Field(
        None, description="The application's secret. Left out: as Azure's SDKs find who asks."
    )
    endpoint: str | None = Field(None, pattern=ADDRESS, description="Where every vault is, if not at its own address.")


class Sources(Settings):
    """Where secrets are that are referred to as `vault:`, `aws:`, `gcp:` or `azure:`."""

    refresh: Seconds = Field(300.0, description="Seconds until they are asked for again: so late is a change noticed.")
    timeout: Seconds = Field(10.0, description="Seconds that all of them may take together.")
    vault: VaultSettings = Field(default_factory=VaultSettings, description="HashiCorp Vault or OpenBao (`vault:`).")
    aws: AWSSettings = Field(
        default_factory=AWSSettings, description="AWS Secrets Manager and the Parameter Store (`aws:`)."
    )
    gcp: GCPSettings = Field(default_factory=GCPSettings, description="Google Cloud's Secret Manager (`gcp:`).")
    azure: AzureSettings = Field(default_factory=AzureSettings, description="Azure Key Vault (`azure:`).")
