"""Ways to tell people of alerts, each one file."""
