"""What was said, on its way from memory into the database: redacted, compressed, perhaps encrypted."""
