"""Rules: where a request goes, by who asks for what and when."""
