"""What every test shares: laws are checked with the same examples everywhere, however slow the machine."""

import gc

import pytest
import trustme
from hypothesis import settings

from gateways import rounds
from postgres import postgres

settings.register_profile("headgate", max_examples=rounds(30, 1000), deadline=None, database=None, derandomize=True)
settings.load_profile("headgate")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is collected stays to the end: to look through it for garbage again and again takes seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def postgres_server():
    """The URL of a PostgreSQL, in which each test makes a database of its own."""
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def few_authorities(tmp_path_factory):
    """A file with one authority, for clients that need none: loading the system's takes longer than most tests."""
    file = tmp_path_factory.mktemp("authorities") / "one.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return str(file)
