"""Systems that records are sent to: one file for each kind."""
