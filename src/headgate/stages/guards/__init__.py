"""Guards: each file looks for one kind of thing in what is asked and answered."""
