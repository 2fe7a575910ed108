"""Finds texts that try to instruct a model against its owner, however they are written."""
