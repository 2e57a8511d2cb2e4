"""Everything that knows one client: Claude Code's files, registration, agents, rules."""
