"""Where keys come from, in the order of Amazon's own SDKs.

Settings, environment, web identity, profile, container, instance; a role may be taken on with any of them.
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.core.errors import NoCredentials
from headgate.core.ports import Upstream
from headgate.providers.auth.auth import Grant
from headgate.providers.auth.aws.profiles import Profile, Profiles
from headgate.providers.auth.aws.roles import SESSION, Role, TokenService
from headgate.providers.auth.aws.services import of_container, of_instance, read_keys
from headgate.providers.auth.aws.signing import Keys

READ_AGAIN = 300.0
"""Seconds after which a file of keys is looked at again: others renew them there."""
PATIENCE = 60.0
"""Seconds a `credential_process` may take."""
LONGEST_CHAIN = 10
"""Profiles that may name each other."""
NONE = (
    "no AWS credentials were found: set `access_key_id` and `secret_access_key`, a `profile` or a Bedrock `api_key`, "
    "or give the machine a role; the usual environment variables and files are looked at too"
)


@dataclass(slots=True, frozen=True)
class Wanted:
    """What the configuration says of it."""

    region: str
    keys: Keys | None = None
    profile: str | None = None
    role: Role | None = None


class Chain:
    """Finds the keys to sign with. Called again for each renewal."""

    def __init__(
        self,
        wanted: Wanted,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._wanted = wanted
        self._environ = environ
        self._clock = clock
        self._tokens = TokenService(wanted.region, environ, clock)

    async def __call__(self, upstream: Upstream) -> Grant[Keys]:
        """Raises ProviderError, mostly NoCredentials."""
        grant = await self._own(upstream)
        if grant is None:
            raise NoCredentials(NONE)
        role = self._wanted.role
        return grant if role is None else await self._tokens.assume(role, grant.value, upstream)

    async def _own(self, upstream: Upstream) -> Grant[Keys] | None:
        wanted, environ = self._wanted, self._environ
        if wanted.keys is not None:
            return Grant(wanted.keys)
        named = wanted.profile or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
        if wanted.profile is None:
            grant = self._of_environment() or await self._of_web_identity(upstream)
            if grant is not None:
                return grant
        grant = await self._of_profile(named or "default", upstream, must=named is not None)
        return grant or await of_container(environ, upstream) or await of_instance(environ, upstream, self._clock)

    def _of_environment(self) -> Grant[Keys] | None:
        environ = self._environ
        access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
        if not access and not secret:
            return None
        if not access or not secret:
            missing = "AWS_SECRET_ACCESS_KEY" if access else "AWS_ACCESS_KEY_ID"
            raise NoCredentials(f"of the AWS keys in the environment {missing} is missing")
        return Grant(Keys(access, secret, environ.get("AWS_SESSION_TOKEN") or None))

    async def _of_web_identity(self, upstream: Upstream) -> Grant[Keys] | None:
        environ = self._environ
        file, arn = environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environ.get("AWS_ROLE_ARN")
        if not file:
            return None
        if not arn:
            raise NoCredentials("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not: which role is meant?")
        role = Role(arn, environ.get("AWS_ROLE_SESSION_NAME") or SESSION)
        return await self._tokens.assume_with_file(role, file, upstream)

    async def _of_profile(self, name: str, upstream: Upstream, *, must: bool) -> Grant[Keys] | None:
        profiles = await asyncio.to_thread(Profiles.read, self._environ)
        profile = profiles.get(name)
        if profile is None:
            if must:
                raise NoCredentials(f"there is no AWS profile {name!r} in ~/.aws/config or ~/.aws/credentials")
            return None
        grant = await self._of(profiles, name, profile, upstream, ())
        if grant is None and must:
            raise NoCredentials(f"the AWS profile {name!r} holds no keys and no way to them")
        return grant

    async def _of(
        self, profiles: Profiles, name: str, profile: Profile, upstream: Upstream, seen: tuple[str, ...]
    ) -> Grant[Keys] | None:
        static = _static(name, profile)
        # a profile may name itself as its source: its own keys are meant then
        if "role_arn" in profile and name not in seen:
            role = _role(name, profile)
            if "web_identity_token_file" in profile:
                return await self._tokens.assume_with_file(role, profile["web_identity_token_file"], upstream)
            source = await self._source(profiles, name, profile, upstream, (*seen, name))
            return await self._tokens.assume(role, source.value, upstream)
        if static is not None:
            return Grant(static, renew=self._clock() + READ_AGAIN)
        if "credential_process" in profile:
            return await _of_process(name, profile["credential_process"])
        if "sso_session" in profile or "sso_start_url" in profile or "login_session" in profile:
            return await asyncio.to_thread(_of_botocore, name, self._clock())
        return None

    async def _source(
        self, profiles: Profiles, name: str, profile: Profile, upstream: Upstream, seen: tuple[str, ...]
    ) -> Grant[Keys]:
        """The keys that a profile's role is taken on with."""
        other, kind = profile.get("source_profile"), profile.get("credential_source")
        grant: Grant[Keys] | None = None
        if other is not None:
            source = profiles.get(other)
            if source is None or len(seen) > LONGEST_CHAIN or (other in seen and other != name):
                raise NoCredentials(f"`source_profile` of the AWS profile {name!r} names one that cannot be used")
            grant = await self._of(profiles, other, source, upstream, seen)
        elif kind == "Environment":
            grant = self._of_environment()
        elif kind == "EcsContainer":
            grant = await of_container(self._environ, upstream)
        elif kind == "Ec2InstanceMetadata":
            grant = await of_instance(self._environ, upstream, self._clock)
        if grant is None:
            raise NoCredentials(
                f"the AWS profile {name!r} has a `role_arn` and no source with keys: set `source_profile`, or "
                "`credential_source` to Environment, EcsContainer or Ec2InstanceMetadata"
            )
        return grant


def _static(name: str, profile: Profile) -> Keys | None:
    access, secret = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
    if not access and not secret:
        return None
    if not access or not secret:
        raise NoCredentials(f"the AWS profile {name!r} has one of its two keys only")
    return Keys(access, secret, profile.get("aws_session_token") or None)


def _role(name: str, profile: Profile) -> Role:
    if "mfa_serial" in profile:
        raise NoCredentials(f"the AWS profile {name!r} asks for an MFA code, which nobody is there to type")
    seconds = profile.get("duration_seconds", "")
    return Role(
        profile["role_arn"],
        profile.get("role_session_name") or SESSION,
        profile.get("external_id"),
        int(seconds) if seconds.isdecimal() else None,
    )


async def _of_process(name: str, command: str) -> Grant[Keys]:
    """https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html"""
    whose = f"the credential_process of the AWS profile {name!r}"
    try:
        words = shlex.split(command)
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except (OSError, ValueError, TypeError) as error:
        raise NoCredentials(f"{whose} cannot be run: {type(error).__name__}") from None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise NoCredentials(f"{whose} took more than {PATIENCE:.0f} seconds") from None
    if process.returncode != 0:
        raise NoCredentials(f"{whose} ended with {process.returncode}")
    return read_keys(output, whose)


def _of_botocore(name: str, now: float) -> Grant[Keys]:
    """Single sign-on and what comes after it: Amazon's own library knows the way, where it is installed."""
    try:
        session: Any = importlib.import_module("botocore.session")
        exceptions: Any = importlib.import_module("botocore.exceptions")
    except ImportError:
        raise NoCredentials(
            f"the AWS profile {name!r} signs on through SSO, for which `pip install botocore` is needed"
        ) from None
    try:
        found = session.Session(profile=name).get_credentials()
        frozen = None if found is None else found.get_frozen_credentials()
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise NoCredentials(f"the AWS profile {name!r}: {type(error).__name__}; try `aws sso login`") from None
    if frozen is None:
        raise NoCredentials(f"the AWS profile {name!r} gave no keys; try `aws sso login`")
    return Grant(Keys(frozen.access_key, frozen.secret_key, frozen.token), renew=now + READ_AGAIN)
