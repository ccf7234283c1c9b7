"""Carries connections from one place to another: from a unix socket into a network, or out of one to a unix socket.

`python -c <this> FROM TO`, run in the sandbox and in the network: the standard library only. Each is the path of a
unix socket, or `port:N` of 127.0.0.1; from `port:0` it listens on a free one. When it listens, it writes the port (of a
socket 0) to the file `listening` where it runs.
"""

import asyncio
import os
import sys
from contextlib import suppress
from functools import partial

BLOCK_BYTES = 65536
HOST, PORT = "127.0.0.1", "port:"
READY = "listening"


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(BLOCK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _relay(to: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        if to.startswith(PORT):
            answer, request = await asyncio.open_connection(HOST, int(to.removeprefix(PORT)))
        else:
            answer, request = await asyncio.open_unix_connection(to)
    except OSError:  # nobody listens: whoever asked sees the connection end
        writer.close()
        return
    await asyncio.gather(_carry(reader, request), _carry(answer, writer))


async def _serve(source: str, to: str) -> None:
    carry = partial(_relay, to)
    if source.startswith(PORT):
        server = await asyncio.start_server(carry, HOST, int(source.removeprefix(PORT)))
        port = server.sockets[0].getsockname()[1]
    else:
        server, port = await asyncio.start_unix_server(carry, source), 0
    with open(f"{READY}.new", "w", encoding="ascii") as file:
        file.write(str(port))
    os.replace(f"{READY}.new", READY)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))
