"""A guardrail of Amazon Bedrock, without a model of its.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

import msgspec
import pydantic

from headgate.core.errors import GuardUnavailable
from headgate.core.guard import Action, Asked, Finding, Passage
from headgate.providers.auth.auth import Renewed
from headgate.providers.auth.aws.chain import Chain, Wanted
from headgate.providers.auth.aws.roles import SESSION, Role, suffix
from headgate.providers.auth.aws.signing import Keys, Signer
from headgate.stages.guard.asking import INTERNAL, Asking, Header, Server, everywhere, pieces, read, several
from headgate.stages.guards.guard import GuardSettings

LONGEST = 20_000
"""Characters in one request: accounts have 25 text units of 1,000 in a second at least."""
FOLLOWS: dict[str, Action] = {"BLOCKED": "block", "ANONYMIZED": "replace", "NONE": "flag"}


class BedrockSettings(GuardSettings):
    guardrail: str = pydantic.Field(min_length=1, description="The guardrail's id or ARN.")
    version: str = pydantic.Field("DRAFT", pattern=r"^([1-9][0-9]{0,7}|DRAFT)$", description="Its version, or `DRAFT`.")
    region: str | None = pydantic.Field(
        None, pattern=r"^[a-z0-9-]+$", description="Where it is. Left out: `AWS_REGION`, else us-east-1."
    )
    api_key: pydantic.SecretStr | None = pydantic.Field(
        None,
        description="A Bedrock API key. Without it requests are signed, with keys found as for the provider "
        "[bedrock](providers.md): below, environment, web identity, profile, container, instance.",
    )
    profile: str | None = pydantic.Field(None, description="A profile of `~/.aws/config` or `~/.aws/credentials`.")
    access_key_id: str | None = pydantic.Field(None, description="Of keys given here.")
    secret_access_key: pydantic.SecretStr | None = pydantic.Field(None, description="Of keys given here.")
    role_arn: str | None = pydantic.Field(None, description="A role to take on with the keys that were found.")
    base_url: str | None = pydantic.Field(None, description="Where it is asked instead of at Amazon.")
    internal: bool = pydantic.Field(False, description=INTERNAL)
    remember: float = pydantic.Field(3600.0, ge=0, description="Seconds for which it is not asked of the same again.")

    @pydantic.model_validator(mode="after")
    def _pair(self) -> BedrockSettings:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together")
        return self


class _Filter(msgspec.Struct):
    action: str = "NONE"
    type: str = ""
    name: str = ""
    match: str = ""
    confidence: str = ""
    detected: bool = True


class _Content(msgspec.Struct):
    filters: list[_Filter] = []


class _Topics(msgspec.Struct):
    topics: list[_Filter] = []


class _Words(msgspec.Struct, rename="camel"):
    custom_words: list[_Filter] = []
    managed_word_lists: list[_Filter] = []


class _Sensitive(msgspec.Struct, rename="camel"):
    pii_entities: list[_Filter] = []
    regexes: list[_Filter] = []


class _Assessment(msgspec.Struct, rename="camel"):
    content_policy: _Content | None = None
    contextual_grounding_policy: _Content | None = None
    topic_policy: _Topics | None = None
    word_policy: _Words | None = None
    sensitive_information_policy: _Sensitive | None = None


class _Answer(msgspec.Struct):
    action: str
    assessments: list[_Assessment] = []


class Bedrock(Asking):
    """Categories are `hate`, `prompt_attack` and the like, `topic`, `word`, kinds of personal data (`email`) and names
    of the guardrail's own expressions. Where the policy says nothing of one, what the guardrail says follows: what it
    blocks is blocked, what it anonymises is replaced as it does (`{EMAIL}`). Each text is asked about by itself."""

    Settings = BedrockSettings
    changes = True

    def __init__(self, settings: BedrockSettings) -> None:
        super().__init__(settings.remember)
        region = settings.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        base = settings.base_url or f"https://bedrock-runtime.{region}.{suffix(region)}"
        key = settings.api_key
        self._server = Server(
            f"{base.rstrip('/')}/guardrail/{quote(settings.guardrail, safe='')}/version/{settings.version}/apply",
            {"authorization": f"Bearer {key.get_secret_value()}"} if key is not None else {},
            internal=settings.internal,
        )
        keys = None
        if settings.access_key_id is not None and settings.secret_access_key is not None:
            keys = Keys(settings.access_key_id, settings.secret_access_key.get_secret_value())
        role = Role(settings.role_arn, SESSION, None) if settings.role_arn else None
        chain = Chain(Wanted(region, keys, settings.profile, role))
        self._keys = Renewed("the AWS keys of a guard", chain) if key is None else None
        self._signer = Signer("bedrock", region)

    async def judged(self, passages: Sequence[Passage], asked: Asked) -> Sequence[Iterable[Finding]]:
        return await several(self._all(each, asked) for each in passages)

    async def _all(self, passage: Passage, asked: Asked) -> list[Finding]:
        found: dict[Finding, None] = {}
        source = "INPUT" if passage.side == "request" else "OUTPUT"
        for start, text in pieces(passage.text, LONGEST):
            body = msgspec.json.encode({"source": source, "content": [{"text": {"text": text}}]})
            said = read(await self._server.ask(asked.help, body, await self._signed(body, asked)), _Answer)
            those = [each for assessed in said.assessments for each in _findings(assessed, text)]
            if said.action != "NONE" and all(each.action == "flag" for each in those):
                those.append(Finding(0, 0, len(text), "intervened"))
            for each in those:
                moved = msgspec.structs.replace(each, start=each.start + start, end=each.end + start)
                found[moved] = None
        return list(found)

    async def _signed(self, body: bytes, asked: Asked) -> list[Header]:
        if self._keys is None:
            return []
        if asked.help is None:
            raise GuardUnavailable("nobody else is asked here")
        keys = await self._keys.get(asked.help.upstream)
        headers = [(b"host", self._server.host), (b"content-type", b"application/json")]
        return self._signer.sign(keys, "POST", self._server.path, headers, body, time.time())


def _findings(said: _Assessment, text: str) -> Iterator[Finding]:
    for policy in (said.content_policy, said.contextual_grounding_policy):
        for each in policy.filters if policy is not None else ():
            yield from _told(each, each.type.lower(), text)
    for each in said.topic_policy.topics if said.topic_policy is not None else ():
        yield from _told(each, "topic", text)
    words = said.word_policy
    for each in (*words.custom_words, *words.managed_word_lists) if words is not None else ():
        yield from _told(each, "word", text)
    sensitive = said.sensitive_information_policy
    for each in (*sensitive.pii_entities, *sensitive.regexes) if sensitive is not None else ():
        yield from _told(each, (each.type or each.name).lower(), text)


def _told(said: _Filter, category: str, text: str) -> Iterator[Finding]:
    """Wherever it stands; all of the text where that cannot be told."""
    reason = f"the guardrail: {said.name or said.confidence or said.type}"[:200]
    instead = f"{{{said.type or said.name}}}"
    follows = FOLLOWS.get(said.action, "block")
    for start, end in everywhere(text, said.match) if said.detected else ():
        yield Finding(0, start, end, category or "intervened", 1.0, reason, follows, instead)
