"""What every test shares: laws are checked with the same examples everywhere, however slow the machine."""

import gc

import pytest
from hypothesis import settings

from gateways import few_authorities, rounds
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


@pytest.fixture(name="few_authorities", scope="session")
def file_of_few_authorities():
    return few_authorities()
