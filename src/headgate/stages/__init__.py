"""What happens on the way: one verb per file."""
