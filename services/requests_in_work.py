"""A limit of requests, not of connections: what counts is a request that has arrived whole and has no answer yet."""

from collections.abc import Iterable
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RequestsInWork:
    """An ASGI app around another one. Beyond `most` requests in work a further one is answered 503."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most
        self.now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(self, scope, receive, send)
        try:
            if _has_body(scope["headers"]) or await request.enters():
                await self.app(scope, request.receive, request.send)
        finally:
            request.leave()


class _Request:
    """One request: it enters when its last byte is here."""

    def __init__(self, limit: RequestsInWork, scope: Scope, receive: Receive, send: Send) -> None:
        self._limit = limit
        self._scope, self._receive, self._send = scope, receive, send
        self._entered = self._refused = False

    async def enters(self) -> bool:
        """Count the request, or answer it 503. Return whether it may go on."""
        if not self._entered and self._limit.now >= self._limit.most:
            self._refused = True
            answer = PlainTextResponse("too many requests are in work; send it again later\n", status_code=503)
            await answer(self._scope, self._receive, self._send)
        elif not self._entered:
            self._entered = True
            self._limit.now += 1
        return not self._refused

    def leave(self) -> None:
        self._limit.now -= self._entered

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body") and not await self.enters():
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if not self._refused:
            await self._send(message)


def _has_body(headers: Iterable[Any]) -> bool:
    named = {name.lower(): value for name, value in headers}
    return b"transfer-encoding" in named or named.get(b"content-length", b"0").strip() != b"0"
