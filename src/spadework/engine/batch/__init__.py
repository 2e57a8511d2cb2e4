"""Delegate many: one question to every file or item, each by the one path."""
