"""Carries requests from a unix socket to a port of 127.0.0.1. Runs in the sandbox: the standard library only.

`python -c <this> SOCKET PORT`, in the network that the port is in.
"""

import asyncio
import sys
from contextlib import suppress
from functools import partial

BLOCK_BYTES = 65536


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(BLOCK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _relay(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        answer, request = await asyncio.open_connection("127.0.0.1", port)
    except OSError:  # nobody listens: whoever asked sees the connection end
        writer.close()
        return
    await asyncio.gather(_carry(reader, request), _carry(answer, writer))


async def _serve(path: str, port: int) -> None:
    async with await asyncio.start_unix_server(partial(_relay, port), path) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
