"""A server on the official Python SDK, 1.x (FastMCP) or 2.x (MCPServer), over stdio, Streamable HTTP or
HTTP+SSE.

    python server.py stdio | http | sse

Over HTTP it prints its URL on the first line, and ends when its standard input does.
"""

import logging
import os
import socket
import sys
import threading

try:
    from mcp.server.mcpserver import Context, MCPServer
except ImportError:
    from mcp.server.fastmcp import Context
    from mcp.server.fastmcp import FastMCP as MCPServer

# A tool that fails is part of the test, and no news on the terminal.
logging.disable(logging.CRITICAL)

server = MCPServer("python-peer", instructions="Prefer `add` to mental arithmetic.")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Reports progress on the way."""
    for step in range(1, to + 1):
        await ctx.report_progress(step, to, f"step {step}")
    return f"counted to {to}"


@server.tool()
def fail() -> str:
    """Runs and fails."""
    raise ValueError("Out of paper.")


@server.tool()
def echo(text: str) -> str:
    """Says the text again."""
    return text


@server.resource("note://hello")
def hello() -> str:
    return "Hello from Python."


@server.resource("note://by-id/{note}")
def by_id(note: str) -> str:
    return f"Note {note}."


@server.prompt()
def greet(name: str) -> str:
    """Greets someone."""
    return f"Please greet {name}."


def serve_http(app, path: str) -> None:
    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    def end_with_parent() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    config = uvicorn.Config(app, log_level="error")
    print(f"http://127.0.0.1:{port}{path}", flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if sys.argv[1] == "http":
    serve_http(server.streamable_http_app(), "/mcp")
elif sys.argv[1] == "sse":
    serve_http(server.sse_app(), "/sse")
else:
    server.run("stdio")
