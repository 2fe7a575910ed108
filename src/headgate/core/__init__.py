"""What things are: types without I/O; imports nothing else of ours."""
