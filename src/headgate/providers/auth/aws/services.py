"""Keys that a service on the machine itself gives: a container's agent, an instance's metadata."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from headgate.core.errors import NoCredentials, ProviderError
from headgate.core.ports import Upstream
from headgate.core.target import Timeouts
from headgate.providers.auth.auth import Grant, ask, read_object, read_text
from headgate.providers.auth.aws.signing import Keys

NEAR = Timeouts(connect=1.0, first_byte=2.0, idle=2.0, total=5.0)
"""For services that are on this machine or nowhere."""
AGENT = "http://169.254.170.2"
AGENTS = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"})
"""Where a container's agent may be without TLS, besides the loopback addresses: ECS and EKS Pod Identity.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""
METADATA = "http://169.254.169.254"
STABLE = 600.0
"""Seconds for which an instance's keys are used beyond their end, where its metadata has no newer ones: Amazon's
services take them while the metadata fails. https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html"""


async def of_container(environ: Mapping[str, str], upstream: Upstream) -> Grant[Keys] | None:
    """The keys of an ECS task or an EKS pod; None where the environment names no agent. Raises NoCredentials."""
    relative, full = (
        environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    )
    if not relative and not full:
        return None
    url = AGENT + relative if relative else full or ""
    _check_agent(url)
    headers = {"accept": "application/json"}
    token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    file = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if file:
        token = await read_text(file)
    if token:
        headers["authorization"] = token
    status, body = await ask(upstream, "GET", url, headers, timeouts=NEAR)
    if status != 200:
        raise NoCredentials(f"the container's credentials agent answered {status}")
    return read_keys(body, "the container's credentials agent")


def _check_agent(url: str) -> None:
    """A token goes there: only over TLS, or to this machine."""
    try:
        where = urlsplit(url)
        host = where.hostname or ""
    except ValueError:
        raise NoCredentials("AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL") from None
    if where.scheme == "https" or (where.scheme == "http" and (host in AGENTS or _loopback(host))):
        return
    raise NoCredentials("AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, a loopback address or Amazon's own agent")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def of_instance(
    environ: Mapping[str, str], upstream: Upstream, clock: Callable[[], float] = time.time
) -> Grant[Keys] | None:
    """The keys of the instance's role, over IMDSv2; None where this is no instance or it has no role.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
    """
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    base = (environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or METADATA).rstrip("/")
    roles = f"{base}/latest/meta-data/iam/security-credentials/"
    try:
        headers = {"x-aws-ec2-metadata-token-ttl-seconds": "21600"}
        status, token = await ask(upstream, "PUT", f"{base}/latest/api/token", headers, timeouts=NEAR)
        if status != 200:
            return None
        headers = {"x-aws-ec2-metadata-token": token.decode("latin-1").strip()}
        status, names = await ask(upstream, "GET", roles, headers, timeouts=NEAR)
        if status != 200 or not names.strip():
            return None
        role = names.decode("latin-1").split("\n")[0].strip()
        status, body = await ask(upstream, "GET", roles + quote(role, safe=""), headers, timeouts=NEAR)
    except NoCredentials:
        raise
    except ProviderError:
        return None
    if status != 200:
        raise NoCredentials(f"the instance's metadata answered {status} when asked for its role's keys")
    grant = read_keys(body, "the instance's metadata")
    until = None if grant.until is None else max(grant.until, clock() + STABLE)
    return Grant(grant.value, until)


def read_keys(body: bytes, whose: str) -> Grant[Keys]:
    """Keys in the JSON form that all of these share. Raises NoCredentials; `whose` says in it who gave them."""
    found = read_object(body, whose)
    access, secret = found.get("AccessKeyId"), found.get("SecretAccessKey")
    token = found.get("Token") or found.get("SessionToken")
    if not (isinstance(access, str) and access and isinstance(secret, str) and secret):
        raise NoCredentials(f"{whose} gave no keys")
    return Grant(Keys(access, secret, token if isinstance(token, str) else None), read_time(found.get("Expiration")))


def read_time(value: Any) -> float | None:
    """An ISO 8601 time in Unix seconds; None where there is none. Raises NoCredentials."""
    if not isinstance(value, str) or not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise NoCredentials("credentials came with an end that is no time") from None
    return moment.timestamp()
