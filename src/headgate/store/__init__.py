"""What administrators change while the gateway runs: objects of the configuration, who changed them, sessions."""
