"""The records in a database: brought there from the journal, searched, summed, shown."""
