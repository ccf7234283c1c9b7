"""A tiny service for benchmarks and tests: quick, slow, failing, uploading and streaming answers.

Run it with `uvicorn benchmarks.backend:app`; `BACKEND_NAME` is what it answers.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NAME = os.environ.get("BACKEND_NAME", "backend").encode()


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer by path: /slow after 1 s, /fail with 500, /upload with the number of bytes, /events and /socket stream."""
    kind = scope["type"]
    if kind == "websocket":
        await _socket(receive, send)
    elif kind == "http" and scope["path"] == "/events":
        await _events(send)
    elif kind == "http":
        await _answer(scope["path"], receive, send)


async def _answer(path: str, receive: Receive, send: Send) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    if path == "/slow":
        await asyncio.sleep(1)
    body = str(size).encode() if path == "/upload" else NAME
    await _start(send, 500 if path == "/fail" else 200, [(b"content-length", str(len(body)).encode())])
    await send({"type": "http.response.body", "body": body})


async def _events(send: Send) -> None:
    await _start(send, 200, [(b"content-type", b"text/event-stream")])
    while True:
        await send({"type": "http.response.body", "body": b": " + NAME + b"\n\n", "more_body": True})
        await asyncio.sleep(0.5)


async def _socket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "bytes": NAME})


async def _start(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
