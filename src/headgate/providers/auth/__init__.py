"""Proofs of identity that a key in a header is not: signatures and tokens that expire."""
