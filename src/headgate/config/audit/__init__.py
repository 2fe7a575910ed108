"""What of a configuration works, but is less safe than it could be."""
