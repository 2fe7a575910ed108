"""Proofs of thinking (signatures) in the hands of clients whose dialect is not the one they were given in.

A vendor takes its model's thinking back only with the proof it gave, and refuses anybody else's. A client of another
dialect gets the proof in a wrapping that names the dialect, in the field where its own vendor's proofs stand, and sends
it back there: it is unwrapped for the vendor that gave it, and never reaches another.
"""

from __future__ import annotations

import re

from headgate.core.events import Thinking

UNSIGNED = "headgate:unsigned"
"""Stands where a proof must stand and there was none."""
_WRAPPING = re.compile(r"headgate:signed:([a-z0-9_]+):(.*)", re.DOTALL)
_ANY = re.compile(rb'"headgate:(?:unsigned"|signed:)')


def wrap(signer: str, proof: str) -> str:
    """The proof for a client of another dialect than `signer`, the one it was given in."""
    return f"headgate:signed:{signer}:{proof}"


def unwrap(text: str, own: str) -> tuple[str, str]:
    """What stands in a field for proofs of the dialect `own` → whose it is, and the proof itself ("" for none)."""
    if text == UNSIGNED:
        return own, ""
    found = _WRAPPING.fullmatch(text)
    return (found[1], found[2]) if found else (own, text)


def holds_foreign(body: bytes) -> bool:
    """Whether a request's body holds a wrapping: its bytes must not go to the vendor then."""
    return body.find(b'"headgate:') >= 0 and _ANY.search(body) is not None


def proof_for(thinking: Thinking, own: str) -> str:
    """The proof of a piece of thinking as a client of the dialect `own` gets it; "" for none."""
    if thinking.signature and thinking.signer not in ("", own):
        return wrap(thinking.signer, thinking.signature)
    return thinking.signature or ""
