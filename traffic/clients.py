"""The traffic's connections: each request gets one that is idle, the last used first, or a new one."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import httpx

# Below uvicorn's 5 s, so that a service without a router in front does not close a connection that we are about to use.
KEEP_ALIVE_S = 4.0


class Clients:
    """Clients of one connection each.

    One client's pool goes through all its connections at every request: with a thousand under way on a slow host that
    alone took the whole processor, and answers that had long arrived were counted as lost.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        secure = target.startswith("https:")
        self._tls = ssl.create_default_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._idle: list[httpx.AsyncClient] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await self._idle.pop().aclose()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend a client for one request. It is not lent again after one that failed or was given up."""
        client = self._idle.pop() if self._idle else self._new()
        try:
            yield client
        except BaseException:
            await client.aclose()
            raise
        self._idle.append(client)

    def _new(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE_S)
        return httpx.AsyncClient(  # nosec B113  # each request has a deadline of its own
            base_url=self._target, timeout=None, limits=limits, trust_env=False, verify=self._tls
        )
