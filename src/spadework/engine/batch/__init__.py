"""Batches: the same question to every file or item, each a delegation of its own."""
