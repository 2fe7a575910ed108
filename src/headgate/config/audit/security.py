"""The whole audit: of the configuration with what is in the store, of the files, of what is installed."""

from __future__ import annotations

from datetime import datetime

from headgate.config.audit import access, exposure, software
from headgate.config.audit.finding import SEVERITIES, Finding, Places
from headgate.config.load import Loaded


def audit(loaded: Loaded, now: datetime) -> list[Finding]:
    """The worst first."""
    places = Places(loaded)
    found = [
        *exposure.findings(loaded, places),
        *access.findings(loaded, places, now),
        *software.findings(now.date()),
    ]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
