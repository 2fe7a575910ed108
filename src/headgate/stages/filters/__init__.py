"""Which targets may be asked: one filter per file, before a policy ranks what is left."""
