"""What laws ask for, and what of it can be shown from settings and from what was done."""
