"""How it is said: one file per wire format, bytes in and bytes out, no I/O."""
