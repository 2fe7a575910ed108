"""Every path that a dialect serves, found from the dialects themselves, by keys of every scope."""

import http.client
import json
import re

import pytest

from gateways import ADMIN_KEY, running
from headgate.core.caller import EVERY_OPERATION
from headgate.dialects.dialect import dialects

OPERATIONS = sorted(EVERY_OPERATION - {"admin"})


def key(name):
    return f"hg-{name}-key-0123456789abcdef"


CONFIG = (
    """
server: {host: 127.0.0.1, port: {PORT}, admin: {port: 0}}
data_dir: {DATA}
providers: {simulator: }
models: {small: simulator/s}
users: {root: {role: owner}}
keys:
"""
    + "".join(f"  - {{name: {each}, key: {key(each)}, operations: [{each}]}}\n" for each in OPERATIONS)
    + f"""
  - {{name: admin-only, key: {key("admin")}, user: root, operations: [admin]}}
  - {{name: nothing, key: {key("nothing")}, operations: []}}
  - {{name: elsewhere, key: {key("elsewhere")}, paths: [/nowhere]}}
  - {{name: far, key: {key("far")}, addresses: {{allow: [203.0.113.0/24]}}}}
"""
)

SERVED = {
    (re.sub(r"\{\w+\}", "small", path), dialect.operation)
    for dialect in dialects()
    for path in dialect.paths
    if dialect.takes != "raw"
}
PLACES = sorted({*SERVED, ("/simulator/v1/files", "opaque")})


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("scopes"), CONFIG) as made:
        yield made


def test_every_operation_has_a_path():
    assert {operation for _, operation in PLACES} == set(OPERATIONS)


@pytest.mark.parametrize("stream", [False, True])
def test_every_path_by_every_scope(gateway, stream):
    wrong = []
    for path, operation in PLACES:
        for name in (*OPERATIONS, "admin", "nothing", "elsewhere", "far", None):
            headers = {"authorization": f"Bearer {key(name)}"} if name else {"authorization": "none"}
            status, told, _ = gateway.post({"model": "small", "stream": stream}, path, headers=headers)
            code = told.get("x-headgate-error-code")
            refused = {"far": "address_not_allowed", None: "invalid_api_key"}.get(name, "operation_not_allowed")
            if (code == refused) != (name != operation) or (name != operation and status not in (401, 403)):
                wrong.append((path, operation, name, status, code))
    assert not wrong


def test_the_admin_api_is_on_its_own_listener_and_nowhere_else(gateway):
    status, _, body = gateway.get("/admin/api/me", {"authorization": f"Bearer {ADMIN_KEY}"})
    assert (status, body["error"]["code"]) == (404, "unknown_path")
    port = re.search(r"http://127\.0\.0\.1:(\d+) \(admin\)", gateway.output())[1]
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    connection.request("GET", "/admin/api/me", headers={"authorization": f"Bearer {ADMIN_KEY}"})
    assert json.loads(connection.getresponse().read())["role"] == "owner"
    connection.request("POST", "/v1/chat/completions", "{}", {"authorization": f"Bearer {ADMIN_KEY}"})
    assert connection.getresponse().status == 404
    connection.close()
