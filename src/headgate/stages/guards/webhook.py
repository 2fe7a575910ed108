"""A server of one's own is asked what is in a text: a POST of JSON, signed as Standard Webhooks says.

https://www.standardwebhooks.com
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Sequence

import msgspec
import pydantic

from headgate.core.errors import GuardUnavailable
from headgate.core.guard import Action, Asked, Finding, Passage
from headgate.stages.guard.asking import INTERNAL, Header, Server, read, worth
from headgate.stages.guards.guard import Guard, GuardSettings

CATEGORY = re.compile(r"[^\W\d_][\w ./:-]{0,99}")


class WebhookSettings(GuardSettings):
    url: pydantic.SecretStr = pydantic.Field(description="Where it is asked, `https://…`.")
    signing_secret: pydantic.SecretStr | None = pydantic.Field(
        None,
        description="Signs `webhook-id.webhook-timestamp.body` with HMAC-SHA256 into `webhook-signature: v1,…`: "
        "`whsec_` with the key in base64 behind it, or any text. Left out: it is not signed.",
    )
    token: pydantic.SecretStr | None = pydantic.Field(None, description="Sent as `authorization: Bearer …`.")
    internal: bool = pydantic.Field(True, description=INTERNAL)


class _Found(msgspec.Struct):
    category: str
    passage: int = 0
    start: int = 0
    end: int | None = None
    score: float = 1.0
    reason: str = ""
    action: Action | None = None
    replacement: str | None = None


class _Answer(msgspec.Struct):
    findings: list[_Found]


class Webhook(Guard):
    """It is given `id`, `model`, `operation`, `stream`, `key`, `organisation`, `team` and `passages`, each with its
    `text`, `side`, `role`, `part` and `tool`; it answers `{"findings": [{"passage": 0, "start": 0, "end": 4,
    "category": "name", "score": 0.9, "reason": "…", "action": "replace", "replacement": "…"}]}`. All but `category` may
    be left out: then it is the first passage, all of it, and what follows is said by the policy. Places count
    characters (code points)."""

    Settings = WebhookSettings
    outside = True
    changes = True
    hold = None

    def __init__(self, settings: WebhookSettings) -> None:
        headers = {}
        if settings.token is not None:
            headers["authorization"] = f"Bearer {settings.token.get_secret_value()}"
        self._server = Server(settings.url.get_secret_value(), headers, internal=settings.internal)
        secret = settings.signing_secret
        self._key = _key(secret.get_secret_value()) if secret is not None else None

    async def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        places = [place for place, each in enumerate(passages) if worth(each)]
        if not places:
            return []
        body = msgspec.json.encode(_question([passages[place] for place in places], asked))
        said = read(await self._server.ask(asked.help, body, self._signed(body)), _Answer)
        return [_finding(each, places, passages) for each in said.findings]

    def _signed(self, body: bytes) -> list[Header]:
        id, moment = f"msg_{secrets.token_hex(12)}".encode(), str(int(time.time())).encode()
        headers = [(b"webhook-id", id), (b"webhook-timestamp", moment)]
        if self._key is not None:
            signature = hmac.digest(self._key, b"%b.%b.%b" % (id, moment, body), hashlib.sha256)
            headers.append((b"webhook-signature", b"v1," + base64.b64encode(signature)))
        return headers


def _question(passages: Sequence[Passage], asked: Asked) -> dict[str, object]:
    caller = asked.caller
    return {
        "type": "guard.look",
        "id": asked.id,
        "model": asked.model,
        "operation": asked.operation,
        "stream": asked.stream,
        "key": caller.key if caller is not None else None,
        "organisation": caller.belongs.organisation if caller is not None else None,
        "team": caller.belongs.team if caller is not None else None,
        "passages": [
            {"text": each.text, "side": each.side, "role": each.role, "part": each.part, "tool": each.tool}
            for each in passages
        ],
    }


def _finding(said: _Found, places: Sequence[int], passages: Sequence[Passage]) -> Finding:
    """Raises GuardUnavailable for a place that is none."""
    if not 0 <= said.passage < len(places):
        raise GuardUnavailable("its answer names a passage that there is not")
    place = places[said.passage]
    size = len(passages[place].text)
    end = size if said.end is None else said.end
    if not 0 <= said.start <= end <= size or not 0 <= said.score <= 1:
        raise GuardUnavailable("its answer names a place that there is not, or a score that is not from 0 to 1")
    if not CATEGORY.fullmatch(said.category):
        raise GuardUnavailable(
            "its answer names a category that does not begin with a letter, or with other signs in it"
        )
    action = said.action or ("replace" if said.replacement is not None else None)
    return Finding(place, said.start, end, said.category, said.score, said.reason[:200], action, said.replacement)


def _key(secret: str) -> bytes:
    """Raises ValueError."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise ValueError("what stands behind `whsec_` in `signing_secret` is not base64") from None
    return secret.encode()
