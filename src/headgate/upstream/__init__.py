"""The HTTP/1.1 client that asks providers."""
