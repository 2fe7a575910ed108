"""Finds personal data that no checksum proves: names, addresses, ages, dates, offline and without a model's weight."""
