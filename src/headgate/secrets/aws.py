"""Amazon: `aws:secretsmanager:NAME#FIELD` and `aws:ssm:NAME`, a NAME being an ARN where it is in another region; KMS.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/, …/systems-manager/latest/APIReference/,
…/kms/latest/APIReference/
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from headgate.core.errors import NoCredentials
from headgate.core.ports import Upstream
from headgate.providers.auth.auth import Renewed
from headgate.providers.auth.aws.chain import Chain, Wanted
from headgate.providers.auth.aws.roles import Role, suffix
from headgate.providers.auth.aws.signing import Keys, Signer
from headgate.secrets.settings import AWSSettings
from headgate.secrets.source import Missed, answered, ask, code_of, decoded, field_of

JSON = "application/x-amz-json-1.1"
ENDPOINTS = {"secretsmanager": "SECRETS_MANAGER", "ssm": "SSM", "kms": "KMS"}
"""How the variables end that say where else a service is.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""
ARN = re.compile(r"arn:[a-z-]{3,20}:[a-z]{2,20}:([a-z0-9-]{1,40}):\d{12}:[!-~]{1,2048}\Z")
NAME = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,2048}\Z")
CONTEXT = {"for": "headgate"}
"""What encrypts is bound to, which CloudTrail shows. It is no secret."""


class AWS:
    """The services of one account, asked as one identity."""

    def __init__(
        self, settings: AWSSettings, environ: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._region = settings.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        role = Role(settings.role_arn) if settings.role_arn else None
        wanted = Wanted(self._region or "us-east-1", None, settings.profile, role)
        self._keys: Renewed[Keys] = Renewed("the keys of AWS", Chain(wanted, environ, clock), clock)

    async def get(self, name: str, field: str | None, upstream: Upstream) -> str:
        service, _, name = name.partition(":")
        match service:
            case "secretsmanager":
                found = await self._ask(service, "secretsmanager.GetSecretValue", name, {"SecretId": name}, upstream)
                value = found.get("SecretString")
                if value is None and isinstance(found.get("SecretBinary"), str):
                    value = decoded(found["SecretBinary"], name, "Amazon").decode("utf-8", "replace")
            case "ssm":
                fields = {"Name": name, "WithDecryption": True}
                inner = (await self._ask(service, "AmazonSSM.GetParameter", name, fields, upstream)).get("Parameter")
                value = inner.get("Value") if isinstance(inner, dict) else None
            case _:
                raise Missed(
                    "it is not said which of Amazon's services", "write aws:secretsmanager:NAME or aws:ssm:NAME"
                )
        if not isinstance(value, str):
            raise Missed(f"Amazon gave no text for {name}", "keep the secret as a text there")
        return field_of(value, field, f"the secret {name} at Amazon")

    async def encrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes:
        fields = {"KeyId": key, "Plaintext": base64.b64encode(data).decode(), "EncryptionContext": CONTEXT}
        found = await self._ask("kms", "TrentService.Encrypt", key, fields, upstream)
        return decoded(found.get("CiphertextBlob"), key, "Amazon")

    async def decrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes:
        fields = {"KeyId": key, "CiphertextBlob": base64.b64encode(data).decode(), "EncryptionContext": CONTEXT}
        found = await self._ask("kms", "TrentService.Decrypt", key, fields, upstream)
        return decoded(found.get("Plaintext"), key, "Amazon")

    async def _ask(
        self, service: str, action: str, name: str, fields: Mapping[str, Any], upstream: Upstream
    ) -> dict[str, Any]:
        arn = ARN.match(name)
        region = arn[1] if arn else self._region
        if not NAME.match(name):
            raise Missed(f"{name[:80]!a} is no name at Amazon", "write the secret's name, or its ARN")
        if not region:
            raise Missed("it is not said which region of Amazon's", "set `secrets.aws.region` or AWS_REGION")
        url, body = self._url(service, region), json.dumps(fields).encode()
        headers = {"content-type": JSON, "x-amz-target": action}
        signed = [(b"host", urlsplit(url).netloc.encode())]
        signed += [(each.encode(), value.encode()) for each, value in headers.items()]
        try:
            keys = await self._keys.get(upstream)
        except NoCredentials as error:
            raise Missed(error.message) from None
        proof = Signer(service, region).sign(keys, "POST", urlsplit(url).path, signed, body, self._clock())
        headers |= {each.decode(): value.decode() for each, value in proof}
        status, answer = await ask(upstream, "POST", url, headers, body, "Amazon")
        found = answered(answer, "Amazon") if status in (200, 400) else {}
        if status != 200:
            told = f"Amazon answered {status}{code_of(found.get('__type'))} for {name}"
            raise Missed(told, f"check the name, the region ({region}), and what the identity may do")
        return found

    def _url(self, service: str, region: str) -> str:
        environ = self._environ
        said = environ.get(f"AWS_ENDPOINT_URL_{ENDPOINTS[service]}") or environ.get("AWS_ENDPOINT_URL")
        return (said or f"https://{service}.{region}.{suffix(region)}").rstrip("/") + "/"
