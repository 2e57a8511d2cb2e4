"""The one process behind every window: it owns the engine, and serves whoever connects."""
