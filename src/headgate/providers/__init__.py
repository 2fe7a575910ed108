"""Who is asked: one file per host; the name in the configuration is the file's name."""
