"""Which settings stay, until the next start, as a process was started with them."""

from __future__ import annotations

from headgate.config.schema import Config

SECTIONS = (
    "server", "journal", "records", "payloads", "upstream", "fetch", "state", "store", "cache", "surrogates", "log",
    "traces",
)  # fmt: skip
"""What is made once from these settings stays as it is made, but for the ones of LIVE; all other settings are live."""
LIVE = frozenset(
    {
        "server.compression", "server.max_reply_bytes", "server.trusted_proxies", "log.level",
        "traces.ratio", "traces.follow", "traces.failed", "traces.slower_than",
        "records.fingerprints", "records.sinks", "payloads.keep", "payloads.classes", "payloads.media",
        "cache.max_bytes", "cache.max_file_bytes", "cache.others", "surrogates.by", "surrogates.max_values",
        "surrogates.max_bytes",
    }
)  # fmt: skip


def waiting(started: Config, now: Config) -> list[str]:
    """Settings that are not what the process was started with, and that a reload does not change."""
    found = ["data_dir"] if now.data_dir != started.data_dir else []
    for section in SECTIONS:
        before, after = getattr(started, section), getattr(now, section)
        names = (name for name in type(after).model_fields if getattr(before, name) != getattr(after, name))
        found += [dotted for name in names if (dotted := f"{section}.{name}") not in LIVE]
    return found
