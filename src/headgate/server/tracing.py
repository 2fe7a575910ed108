"""Keeps running what sends the spans of requests to a collector, where one is configured."""

from __future__ import annotations

from headgate.config.schema import Config
from headgate.records import tracing
from headgate.server.beside import Beside
from headgate.server.lifecycle import Lifecycle
from headgate.telemetry.metrics import Read

KNOWN_AS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""What the conventions call a provider, where that is not the name of its kind
(https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/registry/attributes/gen-ai.md)."""


class Tracing(Beside):
    """See records/tracing.py."""

    def __init__(self, config: Config, lifecycle: Lifecycle) -> None:
        said = config.traces
        settings = tracing.Settings(
            str(config.data_dir),
            said.address,
            {name: value.get_secret_value() for name, value in said.headers.items()},
            str(said.ca_file) if said.ca_file is not None else None,
            said.service,
            said.attributes,
            {name: KNOWN_AS.get(entry.kind, entry.kind) for name, entry in config.providers.items()},
        )
        tracing.begin(config.data_dir)
        super().__init__("headgate.records.tracing", settings, "sends traces", lifecycle)


def watched(config: Config) -> dict[str, Read]:
    """By the metric's name."""

    def status() -> tracing.Status:
        return tracing.load(config.data_dir) or tracing.Status()

    return {
        "headgate_traces_sent": lambda: status().sent,
        "headgate_traces_dropped": lambda: status().dropped,
        "headgate_traces_failures": lambda: status().failures,
        "headgate_traces_away": lambda: float(status().away),
    }
