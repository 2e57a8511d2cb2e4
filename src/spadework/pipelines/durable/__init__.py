"""Runs that outlive their process: everything that knows DBOS."""
