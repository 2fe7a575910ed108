"""The configuration: its schema, how it is read, where secrets come from."""
