"""Claude Code's agent files: read as the client reads them, judged, and edited in one key."""
