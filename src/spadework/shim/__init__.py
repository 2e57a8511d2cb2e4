"""`spadework mcp`: the process that an MCP client starts. A light relay to the daemon.

Standard library only, and of ours nothing but this folder.
"""
