"""Finds model servers, ranks their models for the tools, and writes the first config file."""
