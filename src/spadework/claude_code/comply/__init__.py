"""Are the hard limits kept? Reads what it is told to read, and shows names and places only."""
