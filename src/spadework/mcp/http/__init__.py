"""The MCP server as streamable HTTP, for clients on other machines."""
