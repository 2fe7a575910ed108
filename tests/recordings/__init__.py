"""The recorded traffic of the vendors, as tests of whole requests need it: a replay of it, and readings of our own.

The recordings stand beside the checkout (../shared/recorded) and are not part of it.
"""
