"""A configuration becomes a Gateway, which serves requests."""
