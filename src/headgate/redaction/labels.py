"""Patterns of values that only what stands before them tells: `passport number: …`, `born on …`."""

from __future__ import annotations

from headgate.redaction.pattern import Check, Pattern

IDENTIFIER = r"[A-Z0-9]{0,8}[-/ :]?[A-Z0-9]{0,4}\d[A-Z0-9]*(?:[-/][A-Z0-9]+){0,4}(?: \d{2,})*"
"""Letters, digits and what parts them, as offices number people."""
MONTH = (
    r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|dic|mär|mai|okt|dez|janv|fév|avr|juin|juil|août|"
    r"gen|mag|giu|lug|set|ott|dic|out)[a-zé]{0,8}\.?"
)
DATE = (
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}|"
    rf"\d{{1,2}}(?:st|nd|rd|th|\.|er)?(?: of| de)?[ -]{MONTH}(?: de|,)?[ -]\d{{2,4}}|"
    rf"{MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|"
    rf"{MONTH} (?:del? |of )?\d{{4}}"
)
GAP = (
    r"(?:[\s.:=#\"'`’*_()-]{0,4}\b?(?:numbers?|nummer|number|num|nr|no|nº|n°|id|code|card|is|was|are|ist|es|est|è|é|to|of|the|my|on|der|die|das|den|le|la|el|il|"
    r"it['’]s|full|with|holder|numero|número|numéro|nummer|ending in|details(?: like)?|scan|ref|reference)\b){0,4}"
    r"[\s.:=#\"'`’*_(-]{1,6}"
)
"""What may stand between."""

NAMED = (
    r"(?:api|app|auth|access|account|admin|client|consumer|db|encryption|master|private|refresh|secret|security|service|"
    r"session|signing|storage|subscription|webhook)[ _.-]?(?:access[ _.-]?)?(?:key|token|secret|password|pwd)s?"
    r"|(?:api|secret|client)?[ _.-]?(?:password|passwd|passphrase|secret|credentials?|authtoken|apikey)"
)
"""What secrets are called."""
CALLED = r"password|passwort|passcode|passphrase|contraseña|mot de passe|parola d['’]ordine|senha|wachtwoord|hasło|pwd"
"""What passwords are called by those who write of them."""


def labelled(
    kind: str, label: str, value: str, check: Check | None = None, alone: float = 0.9, gap: str = GAP
) -> Pattern:
    """A value, of which a label says what it is; the label is written in any case, the value as it says."""
    return Pattern(kind, rf"(?i:(?:\b|_)(?:{label}){gap})\b({value})\b", check, alone)
