"""Amazon Bedrock: https://docs.aws.amazon.com/bedrock/latest/userguide/inference.html.

Models are asked through Converse. A client of Anthropic's Messages API that asks for a Claude gets Anthropic's own
messages, which Bedrock carries in InvokeModel, so that nothing of them is lost. Embeddings and ranks are asked for
through InvokeModel in the words of the model's maker.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import pydantic

from headgate.core.chat import Loss
from headgate.core.dialect import Dialect
from headgate.core.errors import ProviderRefused
from headgate.core.exchange import Exchange
from headgate.core.ports import Response, Upstream
from headgate.core.reply import Reply
from headgate.core.target import Endpoint
from headgate.dialects import (
    anthropic_messages,
    bedrock_converse,
    bedrock_errors,
    cohere_embed,
    cohere_rerank,
    titan_embed,
)
from headgate.dialects.anthropic_messages import count_tokens as anthropic_count_tokens
from headgate.dialects.anthropic_messages import invoke
from headgate.dialects.bedrock_converse import count_tokens
from headgate.dialects.dialect import members, patch
from headgate.providers.auth.auth import Renewed
from headgate.providers.auth.aws.chain import Chain, Wanted
from headgate.providers.auth.aws.profiles import Profiles
from headgate.providers.auth.aws.roles import SESSION, Role, suffix
from headgate.providers.auth.aws.signing import Keys, Signer
from headgate.providers.provider import Header, Provider
from headgate.providers.settings import ProviderSettings
from headgate.upstream.unpacked import Unpacker

REGION = "us-east-1"
BETAS = (
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dev-full-thinking-2025-05-14",
    "effort-2025-11-24",
    "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "token-efficient-tools-2025-02-19",
    "tool-examples-2025-10-29",
    "tool-search-tool-2025-10-19",
)
"""https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html"""
_PROFILE = re.compile(r"^(?:arn:[^/]*:inference-profile/)?(?:us|us-gov|eu|apac|jp|au|ca|global)\.(?=[a-z0-9]+\.)")
"""https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html"""
_COHERE = (cohere_embed, cohere_rerank)
_COUNT = b"x-amzn-bedrock-input-token-count"
_ANTHROPIC = (anthropic_messages, invoke, anthropic_count_tokens)


class _Thinking(msgspec.Struct):
    budget_tokens: int = 0


_decode_thinking = msgspec.json.Decoder(_Thinking).decode


class BedrockSettings(ProviderSettings):
    """Where Bedrock is asked, and with whose keys."""

    api_key: pydantic.SecretStr | None = pydantic.Field(
        None,
        description="A Bedrock API key, sent as a bearer token. Without it requests are signed, with keys found as "
        "Amazon's own SDKs find them: below, environment, web identity, profile, container, instance.",
    )
    region: str | None = pydantic.Field(
        None,
        pattern=r"^[a-z0-9-]+$",
        description="Where the models run. Without it: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's, "
        f"else {REGION}.",
    )
    fips: bool = pydantic.Field(False, description="Ask the FIPS endpoint of the region.")
    profile: str | None = pydantic.Field(None, description="A profile of `~/.aws/config` or `~/.aws/credentials`.")
    access_key_id: str | None = pydantic.Field(None, description="Of keys given here.")
    secret_access_key: pydantic.SecretStr | None = pydantic.Field(None, description="Of keys given here.")
    session_token: pydantic.SecretStr | None = pydantic.Field(None, description="Where the keys came with one.")
    role_arn: str | None = pydantic.Field(None, description="A role to take on with the keys that were found.")
    role_session_name: str = pydantic.Field(SESSION, description="Who takes the role on, in Amazon's logs.")
    external_id: str | None = pydantic.Field(None, description="Where the role asks for one.")
    betas: list[str] = pydantic.Field(
        list(BETAS),
        description="What of the header `anthropic-beta` goes on to a Claude: it refuses a beta that it does not know "
        "on Bedrock. Others are named as lost.",
    )

    inline_links: bool = pydantic.Field(
        True,
        description="Bedrock fetches nothing that a URL names, but S3's: the gateway fetches it and sends the data, if "
        "`fetch` is on.",
    )

    @pydantic.model_validator(mode="after")
    def _pair(self) -> BedrockSettings:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together")
        return self


class Bedrock(Provider):
    Settings: ClassVar[type[ProviderSettings]] = BedrockSettings
    base_url = "https://bedrock-runtime.REGION.amazonaws.com"
    env_key: ClassVar[str | None] = "AWS_BEARER_TOKEN_BEDROCK"
    sample_model: ClassVar[str | None] = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
    dialects: ClassVar[tuple[Dialect, ...]] = (
        bedrock_converse,
        anthropic_messages,
        invoke,
        count_tokens,
        anthropic_count_tokens,
        titan_embed,
        cohere_embed,
        cohere_rerank,
    )
    by_model: ClassVar[bool] = True
    signs: ClassVar[bool] = True

    def __init__(self, name: str, settings: ProviderSettings, *, max_reply_bytes: int = 256 << 20) -> None:
        assert isinstance(settings, BedrockSettings)
        self.region = region_of(settings)
        fips = "-fips" if settings.fips else ""
        own = f"https://bedrock-runtime{fips}.{self.region}.{suffix(self.region)}"
        settings = settings.model_copy(update={"base_url": settings.base_url or own, "region": self.region})
        super().__init__(name, settings, max_reply_bytes=max_reply_bytes)
        self.betas = frozenset(settings.betas)
        keys = None
        if settings.access_key_id is not None and settings.secret_access_key is not None:
            token = settings.session_token.get_secret_value() if settings.session_token else None
            keys = Keys(settings.access_key_id, settings.secret_access_key.get_secret_value(), token)
        role = None
        if settings.role_arn:
            role = Role(settings.role_arn, settings.role_session_name, settings.external_id)
        chain = Chain(Wanted(self.region, keys, settings.profile, role))
        self._keys = Renewed(f"the AWS keys of {name}", chain)
        self._signer = Signer("bedrock", self.region)

    def dialect_for(self, client: Dialect, model: str) -> Dialect:
        """Anthropic's own messages for its clients where the model is a Claude, else Converse; embeddings by the maker
        of the model."""
        if client.operation == "embeddings":
            return cohere_embed if "cohere" in model else titan_embed
        if client in _ANTHROPIC and "claude" not in model:
            return count_tokens if client is anthropic_count_tokens else bedrock_converse
        return super().dialect_for(client, model)

    def url(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        if dialect.operation == "count_tokens":
            return self.under_base(count_tokens.write_url(counting(model), stream, {}))
        if dialect is anthropic_messages:
            return self.under_base(invoke.write_url(model, stream, {}))
        if dialect in _COHERE:
            return self.under_base(titan_embed.write_url(model, stream, {}))
        return super().url(dialect, model, stream, {})

    async def prove(self, exchange: Exchange, endpoint: Endpoint, upstream: Upstream) -> Sequence[Header]:
        """A signature, where no API key is configured."""
        if self.key:
            return ()
        keys = await self._keys.get(upstream)
        for secret in filter(None, (keys.secret_key, keys.token)):
            self.secrecy.learn(secret.encode())
        line, *lines = endpoint.head.decode("latin-1").split("\r\n")[:-1]
        method, target, _ = line.split(" ", 2)
        found = (header.encode("latin-1").partition(b": ") for header in lines)
        signed = [(key, value) for key, _, value in found if key in (b"host", b"content-type") or key[:6] == b"x-amz-"]
        body = exchange.outgoing or b""
        assert isinstance(body, bytes)
        return self._signer.sign(keys, method, target, signed, body, time.time())

    def pack(self, exchange: Exchange, dialect: Dialect, headers: list[Header]) -> list[Header]:
        """Anthropic's messages get the body InvokeModel wants: the model and `stream` stand in the URL, the version and
        the betas in the body. Cohere's bodies are its own but for the model.
        """
        if dialect in _COHERE:
            body = exchange.outgoing
            assert isinstance(body, bytes)
            ranks = dialect is cohere_rerank and "cohere" in (exchange.target.model if exchange.target else "")
            exchange.outgoing = patch(
                body, {"model": None, "api_version": 2} if ranks else {"model": None}, members(body)
            )
            return []
        if dialect is not anthropic_messages and dialect is not anthropic_count_tokens:
            return headers
        body = exchange.outgoing
        assert isinstance(body, bytes)
        there = members(body)
        changes: dict[str, object] = {"model": None, "stream": None, "anthropic_version": invoke.VERSION}
        said = {name: value.decode("latin-1") for name, value in headers}
        betas = [beta.strip() for beta in said.get(b"anthropic-beta", "").split(",") if beta.strip()]
        if betas and "anthropic_beta" not in there:
            changes["anthropic_beta"] = [beta for beta in betas if beta in self.betas] or None
            exchange.lost += [
                Loss(f"anthropic-beta: {beta}"[:200], "not known on Bedrock; `betas` of the provider lists what is")
                for beta in betas
                if beta not in self.betas
            ]
        user = said.get(b"anthropic-user-profile-id")
        if user and "user_profile_id" not in there:
            changes["user_profile_id"] = user
        if dialect is anthropic_count_tokens:
            changes["max_tokens"] = _room(there.get("thinking"))
            exchange.outgoing = invoke.counted(patch(body, changes, there))
        else:
            exchange.outgoing = patch(body, changes, there)
        return []

    async def _ask(self, exchange: Exchange, upstream: Upstream) -> Reply:
        """Titan embeds one input in each request: several are asked for one after another."""
        body = exchange.outgoing
        if exchange.spoken is not titan_embed or not isinstance(body, bytes):
            return await super()._ask(exchange, upstream)
        replies = []
        for exchange.outgoing in titan_embed.apart(body):
            replies.append(await super()._ask(exchange, upstream))
        reply = replies[-1]
        reply.body = titan_embed.together([each.body for each in replies])
        return reply

    async def _answered(self, exchange: Exchange, dialect: Dialect, response: Response) -> Reply:
        """Cohere's replies have their count of tokens in a header here, in `meta` at Cohere itself."""
        reply = await super()._answered(exchange, dialect, response)
        count = response.header(_COUNT)
        if dialect is cohere_embed and count is not None and count.isdigit() and len(count) < 16:
            reply.body = _counted(reply.body, int(count))
        return reply

    def unpack(self, dialect: Dialect, stream: bool) -> Unpacker | None:
        if dialect is anthropic_count_tokens:
            return invoke.CountUnpacker()
        return invoke.Unpacker() if stream and dialect is anthropic_messages else None

    def read_error(self, dialect: Dialect, status: int, body: bytes) -> ProviderRefused:
        """Bedrock's own form, whatever it was asked in."""
        error = bedrock_errors.read_error(status, body)
        if dialect in _COHERE or dialect is anthropic_messages or dialect is anthropic_count_tokens:
            error.dialect = bedrock_converse
        return error


def _counted(body: bytes, tokens: int) -> bytes:
    """Cohere's reply with what it cost."""
    try:
        there = members(body)
        return body if "meta" in there else patch(body, {"meta": {"billed_units": {"input_tokens": tokens}}}, there)
    except msgspec.MsgspecError:
        return body  # it is no reply of Cohere's, as will be found when it is read


def counting(model: str) -> str:
    """The model of a profile that runs it across regions: CountTokens takes no profiles, so far."""
    return _PROFILE.sub("", model)


def _room(thinking: msgspec.Raw | None) -> int:
    """A `max_tokens`, which does not count but must be there and have room for the thinking."""
    try:
        return 1 + max(0, _decode_thinking(thinking).budget_tokens) if thinking else 1
    except msgspec.MsgspecError:
        return 1  # Anthropic's own words about it are better


def region_of(settings: BedrockSettings) -> str:
    """The region that is configured, or that Amazon's own SDKs would take."""
    found = settings.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if found is None:
        name = settings.profile or os.environ.get("AWS_PROFILE") or "default"
        found = (Profiles.read(os.environ).get(name) or {}).get("region")
    return found or REGION
