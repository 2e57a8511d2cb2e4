"""The single background process behind every client window: it owns the engine."""
