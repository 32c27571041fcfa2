"""Small devices on loopback."""

import asyncio
from contextlib import asynccontextmanager

FTP = b"220 (vsFTPd 2.3.4)\r\n"


@asynccontextmanager
async def device(address, port=2121, greeting=FTP):
    """Something that greets on a port, or never speaks when the greeting is empty."""

    async def talk(reader, writer):
        writer.write(greeting)
        while await reader.read(1024):
            if greeting:
                writer.write(b"530 Please login with USER and PASS.\r\n")
        writer.close()

    server = await asyncio.start_server(talk, address, port)
    try:
        yield
    finally:
        server.close()
