"""The records' way to disk and back."""
