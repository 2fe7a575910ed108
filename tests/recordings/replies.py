"""Recorded traffic of providers, where it is beside this checkout."""

import base64
import json
from pathlib import Path

import pytest

RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "exchanges"
needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")


def recorded_reply(exchange):
    """The bytes of a recorded reply, and whether it is a stream; None for what is no whole reply of the API."""
    reply = exchange["response"]
    for form in ("sse", "ndjson"):
        if form in reply:
            text = reply[form]
            return (text if isinstance(text, str) else "\n".join(map(json.dumps, text)) + "\n").encode(), True
    if "body_b64" in reply:
        return base64.b64decode(reply["body_b64"]), True
    return (json.dumps(reply["body"]).encode(), False) if isinstance(reply.get("body"), dict) else None
