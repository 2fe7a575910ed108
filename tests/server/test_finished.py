"""The debug line of a request."""

from __future__ import annotations

import logging

import pytest

from headgate.core.record import Record
from headgate.server.finished import tell


def test_a_line_names_the_request_and_tells_nothing_secret(caplog):
    caplog.set_level(logging.DEBUG)
    tell(
        Record(
            id="req_1", time=0.0, key="secret-name", path="/v1/chat/completions", model="chat", target="openai/m",
            status=502, ending="failed", error="provider_timeout", message="words of a provider", origin="provider",
            duration=0.01234,
        )
    )  # fmt: skip
    [line] = caplog.records
    assert (line.levelname, line.getMessage()) == ("DEBUG", "/v1/chat/completions: 502 failed")
    told = vars(line)
    assert (told["request_id"], told["model"], told["target"]) == ("req_1", "chat", "openai/m")
    assert (told["error"], told["origin"], told["ms"]) == ("provider_timeout", "provider", pytest.approx(12.3))
    assert "words of a provider" not in str(told)
    assert "secret-name" not in str(told)
