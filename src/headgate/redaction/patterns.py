"""What secrets and personal data look like, in the syntax of RE2; what a pattern alone cannot tell, a check does."""

from __future__ import annotations

from typing import NamedTuple

from headgate.redaction import checks
from headgate.redaction.checks import Check


class Pattern(NamedTuple):
    kind: str
    expression: str
    """What its first group matches is found; all of it, where it has none."""
    check: Check | None = None


KEYS = (
    r"sk-(?:proj|svcacct|admin|ant|or|lf|live|test|None|api\d*)-[\w-]{16,}",  # OpenAI, Anthropic, OpenRouter, Langfuse
    r"sk-[A-Za-z0-9]{20,}",  # OpenAI, DeepSeek, Moonshot and others
    r"(?:sk|rk|pk|whsec)_(?:live|test|prod)?_?[A-Za-z0-9]{16,}",  # Stripe
    r"AIza[\w-]{30,}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}|1//0[\w-]{30,}",  # Google
    r"(?:gsk|xai|hg|pplx|fw|nvapi|csk|tgp_v1|jina|voy|pa)[-_][A-Za-z0-9][\w-]{19,}",  # Groq, xAI, ours, Perplexity …
    r"hf_[A-Za-z0-9]{30,}|r8_[A-Za-z0-9]{30,}|esecret_\w{20,}|api_org_[A-Za-z]{30,}",  # Hugging Face, Replicate, Anyscale
    r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}|ABSK[A-Za-z0-9+/]{40,}={0,2}|bedrock-api-key-[\w+/=-]{20,}",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{40,}|gl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent)-[\w-]{18,}",  # code hosts
    r"xox[abeoprs]-[\w-]{10,}|xapp-\d-[\w-]{20,}|hooks\.slack\.com/(?:services|workflows)/[\w/+]{20,}",  # Slack
    r"SG\.[\w-]{16,}\.[\w-]{16,}|key-[0-9a-f]{32}|(?:SK|AC)[0-9a-f]{32}|xkeysib-[0-9a-f]{40,}[\w-]*",  # e-mail, Twilio
    r"npm_[A-Za-z0-9]{30,}|pypi-[\w-]{50,}|rubygems_[0-9a-f]{40,}|dckr_pat_[\w-]{20,}|cio[A-Za-z0-9]{30,}",  # registries
    r"do[opr]_v1_[0-9a-f]{40,}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{30,}|dapi[0-9a-f]{32}(?:-\d)?|dp\.(?:pt|st|ct)\.\w{30,}",
    r"hv[sbr]\.[\w-]{20,}|atlasv1\.[\w=-]{50,}|\w{14}\.atlasv1\.[\w=-]{50,}|lin_(?:api|oauth)_\w{30,}|ntn_\w{40,}",
    r"ops_eyJ[\w+/=-]{40,}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{5,11}-){2,6}[A-Z0-9]{5}|AGE-SECRET-KEY-1[0-9A-Z]{50,}",
    r"sntr[yu]s_[\w+/=-]{30,}|glsa_\w{30,}|glc_[\w+/=]{30,}|eyJrIjoi[\w+/=-]{60,}|NRAK-[A-Z0-9]{20,}|PMAK-[\w-]{50,}",
    r"[\w~.]{3}\dQ~[\w~.-]{31,34}|sgp_\w{40,}|EAA[MC][A-Za-z0-9]{20,}|sq0(?:atp|csp)-[\w-]{20,}|EAAA[\w-]{50,}|FLW(?:PUB|SEC)K_TEST-[\w-]{30,}|tfp_[\w-]{40,}",
    r"\d{8,10}:AA[\w-]{32,}|pul-[0-9a-f]{40}|CFPAT-[\w-]{40,}|figd_[\w-]{30,}|secret_[A-Za-z0-9]{40,}|LTAI[A-Za-z0-9]{12,}",
    r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}|v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}|\w{8}-\w{24,}\.apps\.googleusercontent\.com",
)
"""As vendors' pages show them; a word boundary stands before and behind."""
NAMED = (
    r"(?:api|app|auth|access|account|admin|client|consumer|db|encryption|master|private|refresh|secret|security|service|"
    r"session|signing|storage|subscription|webhook)[ _.-]?(?:access[ _.-]?)?(?:key|token|secret|password|pwd)s?"
    r"|(?:api|secret|client)?[ _.-]?(?:password|passwd|passphrase|secret|credentials?|authtoken|apikey)"
)
"""What a secret is called."""
PATTERNS = (  # a line each, however long
    Pattern("private_key", r"-----BEGIN[ A-Z0-9_]*PRIVATE KEY[ A-Z]{0,9}-----[\s\S]*?(?:-----END[ A-Z0-9_-]+-----|\z)"),
    Pattern("token", r"\beyJ[\w-]{8,}\.(?:eyJ|[\w-]{2})[\w-]{6,}\.[\w-]*"),  # JSON Web Tokens
    *(Pattern("api_key", rf"(?:^|[^\w-])((?:{each}))(?:[^\w-]|\z)") for each in KEYS),
    Pattern("token", r"(?i)\bbearer[ \t]+([\w.~+/-]{12,}=*)", checks.secret),
    Pattern("token", r"(?i)\bauthorization\W{1,6}basic[ \t]+([A-Za-z0-9+/]{8,}=*)"),
    Pattern("token", r"(?i)\bauthorization\b[\"']?[ \t]*[:=][ \t]*[\"']?([\w.-]{20,})", checks.random),
    Pattern("password", r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://([^\s:@/]*:[^\s@/]{3,})@", checks.secret),
    Pattern("password", r"\s(?:-u|--user)[ =][\"']?([^\s\"':]*[\"']?:[\"']?[^\s\"']{3,})", checks.secret),
    Pattern("secret", rf"(?i)(?:\b|_)(?:{NAMED})\b\\*[\"'`]?[ \t]*(?:[:=]>?|:=|\bis\b|\|)[ \t]*\\*[\"'`]?([^\s\"'`,;]{{5,}}[^\s\"'`,;\\])", checks.secret),
    Pattern("secret", rf"(?i)(?:\b|_)(?:{NAMED}|token)\b[\"'`]?[ \t:=>(\"'`\\]{{1,10}}([\w+/.~-]{{20,}}={{0,2}})", checks.random),
    Pattern("secret", r"(?i)\bAccountKey=([A-Za-z0-9+/]{40,}={0,2})"),
    Pattern("email", r"[^\s@<>()\[\]\",;:|`'{}=&?/\\]+@(?:[^\x00-,./:-@\[-^`{-\x{a0}]+\.)+[^\x00-@\[-`{-\x{a0}]+"),
    Pattern("card", r"\b\d(?:[ -]?\d){11,18}\b", checks.card),
    Pattern("iban", r"(?i)\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", checks.iban),
    Pattern("ssn", r"\b\d{3}[- ]\d{2}[- ]\d{4}\b", checks.social_security),
    Pattern("ssn", r"(?i)\b(?:ssn|social[ -]security)[a-z #.]{0,12}[\"']?[:=# ]{0,4}[\"']?(\d{9})\b", checks.social_security),
    Pattern("phone", r"(?:\+|\b00)[1-9][\d ().\x{a0}/-]{5,20}\d\b", checks.phone),
    Pattern("phone", r"(?:\b1[-. ])?(?:\(\d{3}\) ?|\b\d{3}[-. ])\d{3}[-. ]\d{4}(?: ?(?:x|ext\.?) ?\d{1,6})?\b", checks.phone),
    Pattern("phone", r"(?:\(0[1-9]\d{0,4}\)|\b0[1-9]\d{0,4})[ /-]{1,3}\d{2,8}(?:[ -]\d{2,6}){0,4}\b", checks.phone),
    Pattern("phone", r"(?i)\b(?:phone|tel|telephone|mobile|cell|fax|call|whatsapp|sms|text)\b[a-z .]{0,12}[\"']?[:=# ]{1,3}[\"']?([+(]?\d[\d ().-]{5,18}\d)\b", checks.phone),
    Pattern("ip", r"\b(?:\d{1,3}\.){3}\d{1,3}\b", checks.address),
    Pattern("ip", r"(?i)(?:[0-9a-f]{1,4}:|::)(?:[0-9a-f]{0,4}:){0,6}[0-9a-f.]{0,15}[0-9a-f]", checks.long_address),
)  # fmt: skip
