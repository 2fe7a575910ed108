"""Directories are asked on the loop that the gateway runs on: StartTLS is the loop's own work."""

import uvloop


def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop}
