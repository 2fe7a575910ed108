"""What was done, proven; how long data are kept, what is held, and what is deleted or given to whom they are about."""
