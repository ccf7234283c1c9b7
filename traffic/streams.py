"""Streams of the traffic: connections kept open all the time, and opened again at once when they end."""

import asyncio

import httpx
import websockets
from websockets.asyncio.client import connect

from traffic.profile import Stream, StreamKind
from traffic.tally import Tally

OPEN_TIMEOUT_S = 10.0
# "At once" is not a hot loop against a server that ends or refuses every stream.
SHORTEST_LIFE_S = 0.1


async def keep_open(entry: Stream, target: str, tally: Tally) -> None:
    """Keep one connection of `entry` open until cancelled."""
    loop = asyncio.get_running_loop()
    connection = Connection(entry, target, tally)
    while True:
        began = loop.time()
        await connection.once()
        await asyncio.sleep(max(0.0, began + SHORTEST_LIFE_S - loop.time()))


class Connection:
    """One of an entry's connections, through all its lives."""

    def __init__(self, entry: Stream, target: str, tally: Tally) -> None:
        self._entry = entry
        self._url = target + entry.path
        self._tally = tally
        self._counts = tally.streams[entry.name]
        self._lives = 0

    async def once(self) -> None:
        """Open it and stay until it ends, counting how."""
        lives = self._lives
        try:
            await (self._websocket() if self._entry.kind is StreamKind.WEBSOCKET else self._sse())
            how, what = "ended_cleanly", "by the server"
        except websockets.ConnectionClosedError as error:
            # A close frame with any code is the server's word; without one the connection just broke.
            how, what = "broken" if error.rcvd is None else "ended_cleanly", str(error)
        except (httpx.HTTPError, websockets.WebSocketException, OSError, TimeoutError, Refused) as error:
            how, what = "broken", f"{type(error).__name__}: {error}"
        opened = self._lives > lives
        self._counts.open -= opened
        self._tally.stream_ended(self._entry.name, how if opened else "refused", what)

    async def _sse(self) -> None:
        headers = {"accept": "text/event-stream", **self._entry.headers}
        timeout = httpx.Timeout(None, connect=OPEN_TIMEOUT_S)
        verify = self._url.startswith("https:")
        async with (
            httpx.AsyncClient(timeout=timeout, trust_env=False, verify=verify) as client,
            client.stream("GET", self._url, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise Refused(f"HTTP {answer.status_code}")
            self._opened()
            async for _ in answer.aiter_raw():
                pass

    async def _websocket(self) -> None:
        url = "ws" + self._url.removeprefix("http")
        async with connect(
            url, additional_headers=self._entry.headers, proxy=None, open_timeout=OPEN_TIMEOUT_S, max_size=None
        ) as socket:
            self._opened()
            async for _ in socket:
                pass

    def _opened(self) -> None:
        self._lives += 1
        self._counts.opened += 1
        self._counts.open += 1
        self._counts.reopened += self._lives > 1


class Refused(Exception):
    """The server answered, but not with a stream."""
