"""Headgate: one server between applications and every model provider."""

__version__ = "0.1.0"
