"""How targets are put in order: one policy per file."""
