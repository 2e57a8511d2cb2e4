"""The faces of the engine: MCP."""
