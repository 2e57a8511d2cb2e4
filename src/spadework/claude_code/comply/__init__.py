"""Compliance check of the hard limits. Reads only what it must; shows names and places only."""
