"""The admin API takes whatever its own description allows, and much else, without failing, and answers as described
(S8 of the reliability list); schemathesis makes the calls."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateways import ADMIN_KEY, running

SOAK = os.environ.get("HEADGATE_SOAK") == "1"

CONFIG = """
server: {host: 127.0.0.1, port: {PORT}}
data_dir: {DATA}
providers: {simulator: }
"""
CHECKS = "not_a_server_error,response_schema_conformance,status_code_conformance"


@pytest.mark.skipif(not SOAK, reason="takes a minute: `make soak`")
def test_no_call_makes_it_fail_or_answer_otherwise_than_described(tmp_path):
    command = Path(sys.executable).with_name("schemathesis")
    with running(tmp_path, CONFIG) as gateway:
        options = {
            "--header": f"Authorization: Bearer {ADMIN_KEY}",
            "--max-examples": "20",
            "--phases": "fuzzing",
            "--checks": CHECKS,
            "--seed": "1",
            "--generation-database": "none",
            "--request-timeout": "5",
        }
        words = [word for pair in options.items() for word in pair]
        call = [command, "run", f"{gateway.url}/admin/api/openapi.json", *words]
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert " passed" in done.stdout, done.stdout + done.stderr
        assert done.returncode == 0, done.stdout
        assert "Traceback" not in gateway.output()
