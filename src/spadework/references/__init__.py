"""References to text: what may be read, and reading it."""
