"""A client on the official Python SDK 2.x: everything it is told to do, and what came of it as one JSON line.

    python client_2.py <url> <API key> <prefix of tool and prompt names> <auto | legacy>
"""

import asyncio
import json
import sys

from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

url, key, prefix, mode = sys.argv[1:5]


async def main() -> dict:
    progress: list[float] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append(done)

    http = create_mcp_http_client(headers={"Authorization": f"Bearer {key}"})
    async with http, Client(streamable_http_client(url, http_client=http), mode=mode) as client:
        tools = await client.list_tools()
        added = await client.call_tool(f"{prefix}add", {"a": 2, "b": 40})
        counted = await client.call_tool(f"{prefix}count", {"to": 3}, progress_callback=on_progress)
        failed = await client.call_tool(f"{prefix}fail", {})
        invalid = await error_of(client.call_tool(f"{prefix}add", {"a": "two", "b": 40}))
        unknown = await error_of(client.call_tool(f"{prefix}none", {}))
        read_back = await client.read_resource("note://by-id/7")
        prompt = await client.get_prompt(f"{prefix}greet", {"name": "Ada"})
        return {
            "version": client.protocol_version,
            "tools": sorted(tool.name for tool in tools.tools),
            "added": added.structured_content,
            "counted": counted.content[0].text,
            "progress": progress,
            "failed": [failed.is_error, failed.content[0].text],
            "invalid": invalid,
            "unknown": unknown,
            "resource": read_back.contents[0].text,
            "prompt": prompt.messages[0].content.text,
        }


async def error_of(call) -> str:
    """A refusal reaches the caller as an error of the protocol, or as a result that says so."""
    try:
        result = await call
    except MCPError as error:
        return error.error.message
    return result.content[0].text if result.is_error else "no error"


print(json.dumps(asyncio.run(main())))
