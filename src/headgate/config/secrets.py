"""Secrets: where they are referred to, how keys are made, hashed, compared and judged."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from headgate.core.keys import digest
from headgate.secrets.references import References
from headgate.secrets.source import KINDS, Missed

HERE = ("file:", "env:")
ELSEWHERE = tuple(f"{kind}:" for kind in KINDS)
"""How references begin: to what is on this machine, and to what a service keeps."""
MAX_SECRET_BYTES = 64 << 10
SHORT_KEY = 16
"""Characters a client's key needs before it may be used on an address others reach."""

SECRET_NAME = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)

WELL_KNOWN = frozenset(
    """
    123 1234 12345 123456 1234567 12345678 123456789 1234567890 0123456789 0123456789abcdef 1234567890123456
    000000 111111 abc123 abcd1234 abcdef admin admin123 administrator anything api-key api_key apikey
    bearer changeit changeme change-me change_me change-me-please changethis default demo demo-key dummy dummy-key
    empty example fake fake-key foo foobar gateway headgate hello hunter2 key letmein litellm local lm-studio
    master master-key masterkey my-key my-secret-key mykey my_api_key no-key not-needed none null ollama openai pass
    passw0rd password password1 password123 placeholder please-change-me qwerty random_string replace-me replaceme
    root secret secret-key secretkey sesame sk-1234 sk-12345 sk-123456 sk-1234567890 sk-1234567890abcdef
    sk-abc123 sk-admin sk-default sk-demo sk-dummy sk-example sk-fake sk-key sk-local sk-master sk-master-key
    sk-no-key-required sk-none sk-password sk-placeholder sk-secret sk-test sk-test-key sk-your-api-key sk-your-key
    sk-xxx sk-xxxx sk-xxxxxxxx string super-secret supersecret test test-key test123 testing testkey tests token
    user virtual-key xxx xxxx xxxxxxxx your-api-key your-key your_api_key your_key yourkey
    """.split()  # noqa: SIM905  # a hundred words read better than a hundred quoted strings
)
"""Keys of documentation, examples and defaults: the first that a stranger tries."""


class SecretError(Exception):
    """A secret reference cannot be followed. `message` and `hint` hold names, never values."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}; {hint}")
        self.message = message
        self.hint = hint


def new_key() -> str:
    """A random key of 256 bits."""
    return "hg-" + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """SHA-256 in hex: how keys are kept and looked up. They are long and random, so nothing slower is needed."""
    return digest(key.encode("utf-8", "surrogateescape")).hex()


def same(one: str, other: str) -> bool:
    """Compare two hashes in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def well_known(key: str) -> bool:
    """Whether this is a key that a stranger would try: of an example, a default, or one character over and over."""
    return key.strip().lower() in WELL_KNOWN or len(set(key)) <= 2


def well_known_hash(hashed: str) -> bool:
    """Whether a hash is that of a well-known key."""
    return hashed in {hash_key(key) for key in WELL_KNOWN}


def is_reference(text: str) -> bool:
    """Whether a secret's text says where the secret is instead of being it."""
    return text.startswith((*HERE, *ELSEWHERE))


def is_nearly_reference(text: str) -> bool:
    """Whether it begins like a reference but for the case of its letters, and so counts as the secret itself."""
    return not is_reference(text) and is_reference(text.lower())


def is_elsewhere(text: str) -> bool:
    """Whether the secret is neither in the text nor on this machine."""
    return text.startswith(ELSEWHERE)


def follow(
    text: str, environ: Mapping[str, str], folder: Path, references: References | None = None
) -> tuple[str, Path | None]:
    """`file:path` (relative to `folder`) or `env:NAME` → the secret, and the file it was in; what is elsewhere is
    asked of `references`.

    A file's line break at its end is not part of the secret. Raises SecretError.
    """
    if is_elsewhere(text):
        try:
            if references is not None:
                return references.value(text), None
        except Missed as missed:
            raise SecretError(missed.message, missed.hint) from None
        raise SecretError("the reference leads elsewhere", "keep the secret in a file or a variable: file:, env:")
    kind, _, place = text.partition(":")
    if kind == "env":
        value = environ.get(place)
        if value is None:
            raise SecretError(f"the environment variable {ascii(place)[1:-1]} is not set", "set it before the start")
        return value, None
    path = folder / Path(place).expanduser()
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise SecretError(
            f"the secret's file {path} cannot be read: {reason}", "check the path and its rights"
        ) from error
    if len(data) > MAX_SECRET_BYTES:
        raise SecretError(f"the secret's file {path} is larger than {MAX_SECRET_BYTES >> 10} KiB", "check the path")
    try:
        return data.decode("utf-8").rstrip("\r\n"), path
    except UnicodeDecodeError as error:
        raise SecretError(f"the secret's file {path} is not UTF-8 text", "check the path") from error
