"""What there is without a file: providers whose keys the environment holds, a local Ollama, else the simulator."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from headgate.core.plugin import every
from headgate.providers.provider import Provider

VARIABLE = "HEADGATE_CONFIG"
FILES = ("headgate.yaml", "headgate.yml")
ALIAS = "chat"
OLLAMA = "127.0.0.1:11434"
OLLAMA_SECONDS = 0.2
OLLAMA_BYTES = 1 << 20


@dataclass(slots=True, frozen=True)
class Discovered:
    """A configuration made from what was found."""

    document: dict[str, Any]
    reasons: list[str]
    """Sentences for the start message."""
    variables: list[str]
    """Those that it rests on."""
    sample: str | None
    """A model to try: an alias, or `provider/model`."""


def default_path(environ: Mapping[str, str], folder: Path) -> Path | None:
    """$HEADGATE_CONFIG, else headgate.yaml or headgate.yml in `folder`, else None."""
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def discover(environ: Mapping[str, str]) -> Discovered:
    """Look around; asks nothing of any host but a local Ollama (or the one of $OLLAMA_HOST)."""
    providers: dict[str, Any] = {}
    reasons: list[str] = []
    variables: list[str] = []
    samples: list[str] = []
    known = kinds()
    for name, loaded in known.items():
        found = loaded.found(environ)
        if found is not None:
            providers[name], variable = found
            reasons.append(f"{name}: {variable} is set.")
            variables.append(variable)
            samples += _sample(name, loaded)
    if "ollama" in known:
        _ollama(environ, providers, reasons, samples)
    if not providers:
        providers["simulator"] = {}
        reasons.append("simulator: no provider's key is set and no Ollama answers; its answers are made up.")
        samples += _sample("simulator", known["simulator"])
    document: dict[str, Any] = {"providers": providers}
    if samples:
        document["models"] = {ALIAS: samples[0]}
        reasons.append(f"`{ALIAS}` stands for {samples[0]}; every other model is asked for as provider/model.")
    return Discovered(document, reasons, variables, ALIAS if samples else None)


def kinds() -> dict[str, type[Provider]]:
    """Every built-in provider's class by its name."""
    return every("providers", Provider)


def ollama_models(address: str, seconds: float = OLLAMA_SECONDS) -> list[str] | None:
    """What an Ollama has pulled; None if none answers at `host:port` in time.

    https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models
    """
    connection = http.client.HTTPConnection(address, timeout=seconds)
    try:
        connection.request("GET", "/api/tags")
        body = json.loads(connection.getresponse().read(OLLAMA_BYTES))
        return [model["name"] for model in body["models"] if isinstance(model["name"], str)]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return None
    finally:
        connection.close()


def _sample(name: str, loaded: type[Provider]) -> list[str]:
    model = getattr(loaded, "sample_model", None)
    return [f"{name}/{model}"] if model else []


def _ollama(environ: Mapping[str, str], providers: dict[str, Any], reasons: list[str], samples: list[str]) -> None:
    address = ollama_address(environ.get("OLLAMA_HOST", ""))
    models = ollama_models(address) if address else None
    if models is None:
        return
    providers["ollama"] = {"base_url": f"http://{address}/v1"}
    reasons.append(f"ollama: one answers at {address}.")
    if models:
        samples.append(f"ollama/{models[0]}")
    else:
        reasons.append("It has no model yet: `ollama pull llama3.2` gets one.")


def ollama_address(host: str) -> str | None:
    """$OLLAMA_HOST (`host`, `host:port`, `:port`, `http://host:port`) → `host:port`; None where it is none of these."""
    if not host.strip():
        return OLLAMA
    text = host.strip()
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        name, port = url.hostname or "127.0.0.1", url.port or 11434
    except ValueError:
        return None
    if url.scheme != "http" or "@" in url.netloc:
        return None
    # what Ollama listens on for everybody is not an address to connect to
    name = "127.0.0.1" if name == "0.0.0.0" else "::1" if name == "::" else name  # noqa: S104  # compared, not bound
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
