"""A directory that names and passwords are checked against: an LDAPv3 client of our own, for no more than that."""
