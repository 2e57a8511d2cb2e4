"""The embedded engine: a small model in a child process."""
