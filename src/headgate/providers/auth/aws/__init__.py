"""Amazon's signatures, and where the keys for them come from."""
