"""What every test shares: laws are checked with the same examples everywhere, however slow the machine."""

from hypothesis import settings

from gateways import rounds

settings.register_profile("headgate", max_examples=rounds(30, 1000), deadline=None, database=None, derandomize=True)
settings.load_profile("headgate")
