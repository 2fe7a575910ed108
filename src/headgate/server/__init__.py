"""The data plane: HTTP in, an exchange, HTTP out."""
