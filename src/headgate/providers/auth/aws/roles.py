"""Keys for a role, from Amazon's Security Token Service: https://docs.aws.amazon.com/STS/latest/APIReference/."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from headgate.core.errors import NoCredentials
from headgate.core.ports import Upstream
from headgate.providers.auth.auth import Grant, ask, read_text
from headgate.providers.auth.aws.services import read_time
from headgate.providers.auth.aws.signing import Keys, Signer

SESSION = "headgate"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
_TAG = re.compile(rb"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration|Code)>([^<]*)</")
"""The few values needed of an answer, none of which has a letter that XML escapes."""
SUFFIXES = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov"}


@dataclass(slots=True, frozen=True)
class Role:
    """A role to take on; `session` names who did in Amazon's logs."""

    arn: str
    session: str = SESSION
    external_id: str | None = None
    seconds: int | None = None

    @property
    def name(self) -> str:
        """Without the account's number."""
        return self.arn.rpartition("/")[2]

    def fields(self) -> dict[str, str]:
        found = {"RoleArn": self.arn, "RoleSessionName": self.session}
        if self.external_id:
            found["ExternalId"] = self.external_id
        if self.seconds:
            found["DurationSeconds"] = str(self.seconds)
        return found


def suffix(region: str) -> str:
    """The domain of Amazon's services in a region."""
    return next((domain for start, domain in SUFFIXES.items() if region.startswith(start)), "amazonaws.com")


class TokenService:
    """The service of one region; `AWS_ENDPOINT_URL_STS` says where else it may be."""

    def __init__(self, region: str, environ: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._url = (environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.{suffix(region)}").rstrip("/") + "/"
        self._host = urlsplit(self._url).netloc
        self._signer = Signer("sts", region)
        self._clock = clock

    async def assume(self, role: Role, keys: Keys, upstream: Upstream) -> Grant[Keys]:
        """The role's keys, for one who may take it on with `keys`. Raises NoCredentials."""
        body = urlencode({"Action": "AssumeRole", "Version": "2011-06-15", **role.fields()}).encode()
        headers = {"content-type": FORM}
        signed = [(b"host", self._host.encode()), (b"content-type", FORM.encode())]
        proof = self._signer.sign(keys, "POST", urlsplit(self._url).path, signed, body, self._clock())
        headers |= {name.decode(): value.decode() for name, value in proof}
        return await self._keys(role, headers, body, upstream)

    async def assume_with_file(self, role: Role, file: str, upstream: Upstream) -> Grant[Keys]:
        """The role's keys, for who holds the token in a file, which is read anew each time. Raises NoCredentials."""
        token = await read_text(file)
        fields = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", **role.fields()}
        body = urlencode({**fields, "WebIdentityToken": token}).encode()
        return await self._keys(role, {"content-type": FORM}, body, upstream)

    async def _keys(self, role: Role, headers: Mapping[str, str], body: bytes, upstream: Upstream) -> Grant[Keys]:
        status, answer = await ask(upstream, "POST", self._url, headers, body)
        found = {name.decode(): value.decode("utf-8", "replace") for name, value in _TAG.findall(answer)}
        if status != 200:
            why = found.get("Code", "no reason given")
            raise NoCredentials(f"the role {role.name} was not given: the token service answered {status} ({why})")
        access, secret, token = (found.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
        if not (access and secret and token):
            raise NoCredentials(f"the token service gave no keys for the role {role.name}")
        return Grant(Keys(access, secret, token), read_time(found.get("Expiration")))
