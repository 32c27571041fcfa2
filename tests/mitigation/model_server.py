"""A server of the chat completions protocol on 127.0.0.1 that answers, fails and dawdles as it is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager


class ModelServer:
    """Remembers each request as (headers, body) and answers by `behave`, a coroutine of the writer."""

    def __init__(self):
        self.requests = []
        self.behave = answers("Close the port, then update.")
        self.url = ""

    async def converse(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            headers = {name.lower(): value for name, value in headers.items()}
            body = await reader.readexactly(int(headers["content-length"]))
            self.requests.append((head.split(" ", 2)[1], headers, json.loads(body)))
            await self.behave(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving():
    model = ModelServer()
    server = await asyncio.start_server(model.converse, "127.0.0.1", 0)
    model.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield model
    finally:
        server.close()


def sends(status, body, content_type="application/json"):
    """Answers every request with these bytes."""

    async def behave(writer):
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)

    return behave


def answers(text):
    """Answers with a completion of this text."""
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}
    return sends(200, json.dumps(body).encode())


def dawdles(seconds):
    """Says nothing for so long."""

    async def behave(writer):
        await asyncio.sleep(seconds)

    return behave


def drips(seconds):
    """Begins to answer at once, and then sends a byte now and then for so long."""

    async def behave(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        for _ in range(int(seconds / 0.05)):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    return behave
