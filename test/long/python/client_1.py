"""A client on the official Python SDK 1.x: everything it is told to do, and what came of it as one JSON line.

    python client_1.py <url> <API key> <prefix of tool and prompt names>
"""

import asyncio
import json
import sys

from mcp import ClientSession, McpError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client

url, key, prefix = sys.argv[1:4]


async def main() -> dict:
    progress: list[float] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append(done)

    headers = {"Authorization": f"Bearer {key}"}
    # HTTP+SSE, the transport of 2024-11-05, where the URL says so.
    connect = sse_client if url.endswith("/sse") else streamablehttp_client
    async with connect(url, headers=headers) as (read, write, *_):
        async with ClientSession(read, write) as session:
            opened = await session.initialize()
            tools = await session.list_tools()
            added = await session.call_tool(f"{prefix}add", {"a": 2, "b": 40})
            counted = await session.call_tool(f"{prefix}count", {"to": 3}, progress_callback=on_progress)
            failed = await session.call_tool(f"{prefix}fail", {})
            invalid = await error_of(session.call_tool(f"{prefix}add", {"a": "two", "b": 40}))
            unknown = await error_of(session.call_tool(f"{prefix}none", {}))
            read_back = await session.read_resource("note://by-id/7")
            prompt = await session.get_prompt(f"{prefix}greet", {"name": "Ada"})
            await session.send_ping()
            return {
                "version": opened.protocolVersion,
                "tools": sorted(tool.name for tool in tools.tools),
                "added": added.structuredContent,
                "counted": counted.content[0].text,
                "progress": progress,
                "failed": [failed.isError, failed.content[0].text],
                "invalid": invalid,
                "unknown": unknown,
                "resource": read_back.contents[0].text,
                "prompt": prompt.messages[0].content.text,
            }


async def error_of(call) -> str:
    """A refusal reaches the caller as an error of the protocol, or as a result that says so."""
    try:
        result = await call
    except McpError as error:
        return error.error.message
    return result.content[0].text if result.isError else "no error"


print(json.dumps(asyncio.run(main())))
