"""Finds secrets and personal data in text, and takes them out."""
