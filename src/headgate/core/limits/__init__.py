"""How much may be used: meters, what they have counted, and those who wait until there is room."""
