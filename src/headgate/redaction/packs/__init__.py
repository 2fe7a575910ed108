"""Packs: a file each, by country or by subject, with the patterns and the shapes of what it finds."""
