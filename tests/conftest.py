"""What every test shares: laws are checked with the same examples everywhere, however slow the machine."""

from hypothesis import settings

settings.register_profile("headgate", deadline=None, database=None, derandomize=True)
settings.load_profile("headgate")
