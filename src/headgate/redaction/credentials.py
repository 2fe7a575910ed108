"""What only looks like a key or a password: placeholders, names of variables, what says where a secret is kept.

Each check is given the text, where in it a pattern has matched, and says where what was found ends; 0: it is nothing,
less than 0: nor is anything else up to there.
"""

from __future__ import annotations

import base64
import binascii
import re

from headgate.redaction.published import published

PLACEHOLDER = re.compile(
    rb"<.*|\*\*.*|\$\{?.*|#?\{.*\}|\([A-Za-z_. -]*\)|%.*%|%\(\w+\).*|\[.*\]|\.[a-z_]+\(.*|\*{3,}|\.{3,}|x{4,}|__\w+__|"
    rb"@@?\w+@@?|(?:nil|undefined|(?:sample|replace|insert|enter|redacted|masked|hidden|change)(?:[-_. ].*)?)|"
    rb"(?:your|my|some|the|example|test|dummy|changeme|null|none|true|false|string|required|optional|"
    rb"process\.env|os\.environ|env\.)[\w.\-\[\]('\"]*",
    re.IGNORECASE | re.DOTALL,
)
"""What samples, templates and masks have in the place of a value."""
NAME = re.compile(
    rb"(?i:[a-z_./-]*(?:password|passwort|passwd|passphrase|passcode|secret|credential)s?|(?:[a-z_./-]*[_./-])?"
    rb"(?:api|auth|access|db|my|private|user)?(?:pass|pwd|token|key|cred)s?(?:_?(?:val(?:ue)?|str|here|env|var|param|arg|"
    rb"field|file|path|name|id))?)|[a-zA-Z]*[a-z](?:Pass|Pwd|Token|Key|Creds?)"
)
"""What a secret is called: where its name stands in the place of the value, that is a variable of a program or what
documentation says instead of one, `password=db_password`, `"fake_api_key"`."""
VARIABLE = re.compile(
    rb"[&*@!(]?_?[A-Za-z]+\d{0,2}(?:(?:_|\.|->|::|\?\.)[A-Za-z]+\d{0,2})+[>:)]{0,3}|_[A-Za-z]+|lambda\b.*|[A-Za-z_][\w.]*[\[(].*|[A-Za-z_.]+[{)\]}].*|\W+",
    re.DOTALL,
)
"""What stands without quotes behind `password =` in programs: names of several words, members, calls, signs. Who sets a
password there writes quotes, and in a file of settings it has digits between its letters, or signs."""
CODE = re.compile(rb"[A-Za-z_][A-Za-z_.]*[\[({)\]}].*|[A-Za-z_]+(?:\.[A-Za-z_]+)+|\W+", re.DOTALL)
"""What stands behind a label in programs: names, calls, signs."""
TYPE = re.compile(rb"[A-Z]*[a-z]{2,}(?:[A-Z]+[a-z]{2,})+")
"""`SecretValue`, as types and variables are called; behind `: ` and ` = `, as programs are written."""
ELSEWHERE = re.compile(
    rb"(?:arn|vault|op|ssm|env|file|akv|azure|gcp|aws|keychain|keyring|secretsmanager|projects)[:/][\w:/.@{$-]|"
    rb"-----BEGIN|(?:~|\.{1,2})?/[a-z]{2,}[\w.-]*(?:/[\w.-]+)+\Z|[A-Z]:\\|https?://[^\s:@]+\Z|"
    rb"[\w./-]+\.(?:json|ya?ml|toml|ini|conf|cfg|env|properties|txt|pem|key|crt|cer|der|p12|pfx|jks|asc|gpg|py|js|ts|go|rb|java|php|sh)\Z"
)
"""Where a secret is kept, a file or a name in a vault, is none: who reads it there still has to be let in."""
SEALED = re.compile(rb"ENC\[|ENC\(|\{cipher\}|vault:v\d+:|AgA[A-Za-z0-9+/]{200}|pkcs7:", re.IGNORECASE)
"""Encrypted, by SOPS, Jasypt, Spring, Vault, sealed secrets or EYAML: what is there to be shown, and opens nothing."""
EXPRESSION = re.compile(rb"\[\^?(?:a-z|A-Z|0-9|\\[wd])|\\d[+*{]|\|\w+\|")
"""The description of a secret, as schemas and searches have it."""
STATE = re.compile(
    rb"[a-z]{3,}(?:ed|ing|[ai]ble|less)|(?:in)?(?:valid|correct|active|secure)|wrong|missing|unknown|unique|"
    rb"absent|present|private|public|too|null|empty"
)
"""What a sentence says of a secret, `the token is expired.`, `password: required`."""
OPENS_NOTHING = re.compile(
    rb"(?:csrf|xsrf|forgery|page|paging|pagination|next|continuation|cursor|sync|resume|public|publishable|site)"
    rb"[-_ ]?(?:middleware|request)?[-_ ]?(?:token|key)s?\W{1,10}\Z|::\w{3,32}[\"']\W{1,8}\Z",
    re.IGNORECASE,
)
"""Tokens and keys by name that let nobody in: those against forged forms (worth something only beside the cookie of a
session), places in lists, keys that are public; and types, `"AWS::IAM::AccessKey"`, with what describes them."""
WORDS = re.compile(
    rb"(?:[A-Z]?[a-z]{1,15}\d{0,3}|[A-Z]{1,15}\d{0,3}|\d{1,4})(?:[-_.](?:[A-Z]?[a-z]{1,15}\d{0,3}|[A-Z]{1,15}\d{0,3}|\d{1,4})){3,}"
)
"""Four words or more, joined: keys are drawn by lot, and have digits between their letters; identifiers and the samples
of documentation are made of words, `sk-proj-put-your-key-here`."""
TOLD = re.compile(rb"(?:your|my|here|goes|example|sample|dummy|fake|placeholder|secret|key|token)\b", re.IGNORECASE)
"""Words by which samples say what belongs in their place."""
SAID = frozenset({b" is ", b"was "})
"""Behind these words there are no programs."""
ENDS = re.compile(rb"[.,;!?)\"']*(?:\s*\n|\Z)")
BLOCK = 16_384
"""Bytes that a private key has at most."""
BODY = re.compile(
    rb"(?:(?:\s|\\[nr]|[\"',|>#*]){0,16}"
    rb"(?:[A-Za-z0-9+/=]{12,}|[A-Za-z0-9+/]{1,11}={1,2}|(?:Proc-Type|DEK-Info|Version|Comment): ?[^\n\\]{1,80}))*"
)
"""What stands in such a block: lines of base64, however they are joined."""
QUOTED = re.compile(rb"(?:\\[nr])*(?:[\"'`][^\"'`\w+-]|[\"'`]\Z)")
"""Behind the head of a block: the end of a program's string, in which there is nothing but the head."""
LINE = re.compile(rb"[A-Za-z0-9+/]{16}")
SAMPLE = re.compile(
    rb"(?:pass(?:word)?|token|secret|yyy+|xxx+|\*+|\.+|[$%<].*|\{\{.*|[\[{(]+[A-Za-z_. -]*[\]})]+)", re.IGNORECASE
)
WORDED = re.compile(rb"example|your")
DUMMY = re.compile(
    rb"EXAMPLE(?:KEY)?\Z|([\w*#])\1{7}|x{6}|X{6}|\.{3}|\*{3}|\xe2\x80\xa6|<[A-Za-z][\w .-]*>|\{\{|\$\{|\{[A-Za-z_.]+\}"
)
ALPHABET = b"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz1234567890"
SPACE = re.compile(rb"\s")
SENTENCE = re.compile(rb" [^\n\"'`]{0,64}")
QUOTES = frozenset({b'"', b"'"})


def value(data: bytes, start: int, end: int) -> int:
    """What stands behind a label and is no placeholder, no program, no word of a sentence."""
    text, before = data[start:end], data[start - 1 : start]
    if PLACEHOLDER.fullmatch(text) or DUMMY.search(text) or before == b"`":
        return 0
    if before in QUOTES:
        return end
    if CODE.fullmatch(text) or (text.isalpha() and before != b"=" and not ENDS.match(data, end)):
        return 0
    return end


def secret(data: bytes, start: int, end: int) -> int:
    """What stands behind `password:`, and is neither its name again, nor where it is kept, nor what is said of it."""
    text, before = data[start:end], data[start - 1 : start]
    if ELSEWHERE.match(text) or SEALED.match(text) or EXPRESSION.search(text) or published(text):
        return -end
    if OPENS_NOTHING.search(data[max(start - 48, 0) : start]):
        return -end
    if not value(data, start, end) or NAME.fullmatch(text) or (WORDS.fullmatch(text) and TOLD.search(text)):
        return 0
    if before in QUOTES:
        return quoted(data, start, end) if text.isalpha() else end
    if STATE.fullmatch(text.rstrip(b".:!?)")):
        return 0
    if data[max(start - 4, 0) : start].lower() in SAID:
        return end
    return 0 if VARIABLE.fullmatch(text) or (before == b" " and TYPE.fullmatch(text)) else end


def quoted(data: bytes, start: int, end: int) -> int:
    """A password of several words goes on to its quotes; a sentence of a form, `"Please enter it"`, is none."""
    if data[end : end + 1] != b" ":
        return end
    if data[start : start + 1].isupper():
        return 0
    more = SENTENCE.match(data, end)
    return more.end() if more and data[more.end() : more.end() + 1] == data[start - 1 : start] else end


def hardened(data: bytes, start: int, end: int) -> int:
    """A password as rules demand them: of small letters, capitals, digits and signs at least three."""
    text = data[start:end]
    kinds = (
        any(97 <= each <= 122 for each in text),
        any(65 <= each <= 90 for each in text),
        any(48 <= each <= 57 for each in text),
        not text.isalnum(),
    )
    return end if sum(kinds) >= 3 and (kinds[2] or b"!" in text) and secret(data, start, end) > 0 else 0


def beside(data: bytes, start: int, end: int) -> int:
    """A password behind an address of mail and a sign, as lists of stolen ones have it; behind an address in an address
    of a page it is the rest of the path."""
    page = data.rfind(b"://", max(start - 160, 0), start)
    return 0 if page >= 0 and not SPACE.search(data, page, start) else hardened(data, start, end)


def pair(data: bytes, start: int, end: int) -> int:
    """A user and a password, of which the password is no placeholder and no variable."""
    text = data[start:end].replace(b'"', b"").replace(b"'", b"")
    _, _, password = text.partition(b":")
    if len(password) < 3 or SAMPLE.fullmatch(password) or password[:1] in b"$<":
        return 0
    return 0 if NAME.fullmatch(password) else end


def random(data: bytes, start: int, end: int) -> int:
    """Long text without meaning: letters and digits in it."""
    text = data[start:end]
    mixed = any(48 <= each <= 57 for each in text) and any(each > 57 for each in text)
    if not mixed or len(set(text)) <= 5 or WORDS.fullmatch(text) or data[end : end + 1] == b"(":  # a call
        return 0
    return secret(data, start, end)


def key(data: bytes, start: int, end: int) -> int:
    """A vendor's key: no example, no row of equal letters or of the alphabet, no words."""
    text = data[start:end]
    if len(set(text)) < 9 or WORDED.search(text, 0, 40) or DUMMY.search(text) or WORDS.fullmatch(text) or row(text):
        return 0
    wordy = text[4:].isalpha() and (text[4:].islower() or text[:2] == b"s.")
    return 0 if wordy else signed(data, start, end)


def signed(data: bytes, start: int, end: int) -> int:
    """A token or a key that no vendor shows to everybody."""
    return -end if published(data[start:end]) else end


def row(text: bytes) -> bool:
    """Whether sixteen letters of the alphabet stand in it in their order: of these, eight stand at a place by eight."""
    small = text.lower()
    if not any(small[at : at + 8] in ALPHABET for at in range(0, len(small) - 7, 8)):
        return False
    return any(small[at : at + 16] in ALPHABET for at in range(len(small) - 15))


def block(data: bytes, start: int, end: int) -> int:
    """The block of a private key (RFC 7468) up to its end, or as far as it goes on; its head alone, too, but for one
    that is all of a program's string: that looks for keys, and holds none."""
    last = data.find(b"-----END", end, end + BLOCK)
    if last == end or (QUOTED.match(data, end) and not LINE.search(data, end, end + 160)):
        return 0
    if last > end and data.find(b"-----BEGIN", end, last) < 0:
        if not LINE.search(data, end, last):  # `<key bytes>`
            return 0
        stop = data.find(b"-----", last + 8, last + 80)
        return stop + 5 if stop >= 0 else last + 8
    body = BODY.match(data, end)
    return body.end() if body else end


def basic(data: bytes, start: int, end: int) -> int:
    """Credentials of HTTP, which hold a user and a password (RFC 7617)."""
    if published(data[start:end]):
        return -end
    try:
        return end if b":" in base64.b64decode(data[start:end] + b"===") else 0
    except binascii.Error:
        return 0
