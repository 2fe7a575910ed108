"""Hosts that do not answer at once: what is asked for is ordered there, and asked after."""
