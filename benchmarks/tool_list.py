"""How many bytes the default tool list and the server's instructions cost in every session.

The server is started as a client starts it, in both protocol revisions. Target: at most 4,000 bytes
of JSON. The peers that were measured send up to 15 KB.

    python benchmarks/tool_list.py
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile

from mcp import Client
from mcp.client.stdio import StdioServerParameters

MOST_BYTES = 4000
LARGEST_PEER_BYTES = 15_000


async def measure(mode: str) -> tuple[str, int, int]:
    """List the tools over stdio; return the revision, the bytes of tools and of instructions."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ) | {"SPADEWORK_DATA": folder, "CLAUDE_PROJECT_DIR": folder}
        environment.pop("SPADEWORK_CONFIG", None)
        environment |= {"HOME": folder, "XDG_CONFIG_HOME": folder}
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "spadework", "mcp", "--in-process"],
            env=environment,
        )
        async with Client(server, mode=mode) as client:
            listed = await client.list_tools()
            tools = "".join(
                tool.model_dump_json(by_alias=True, exclude_none=True) for tool in listed.tools
            )
            return (
                client.protocol_version,
                len(tools.encode()),
                len((client.instructions or "").encode()),
            )


async def main() -> None:
    """Measure and print."""
    print(
        f"{'revision':<12}{'tools':>8}{'instructions':>14}{'together':>10}{'target':>8}{'share':>7}"
    )
    for mode in ("legacy", "auto"):
        version, tools, instructions = await measure(mode)
        together = tools + instructions
        print(
            f"{version:<12}{tools:>8}{instructions:>14}{together:>10}{MOST_BYTES:>8}"
            f"{together / MOST_BYTES:>7.0%}"
        )
    share = together / LARGEST_PEER_BYTES
    print(f"\nbeside the largest peer's {LARGEST_PEER_BYTES} bytes: {share:.0%}")


if __name__ == "__main__":
    asyncio.run(main())
