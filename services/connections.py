"""Connections that a stranger holds open cost nothing that others need: each has a time for its next whole request, and
of too many that only wait the oldest is closed.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass
class Waiting:
    """The connections of one server that wait for their client: for a whole request, or for it to read an answer.

    Whoever waits longer than `patience_s` is cut off. Beyond `most` the longest waiting is, beyond `most_bytes` of
    unfinished requests the largest: a client that means it has sent its request by then.
    """

    patience_s: float = 10.0
    most: int = 256
    most_bytes: int = 64_000_000
    # In the order in which the waits began, with the bytes that came since.
    connections: dict["Connection", int] = field(default_factory=dict)

    def begin(self, connection: "Connection") -> None:
        """Note that a connection waits; cut off the oldest when that is one too many."""
        self.connections[connection] = 0
        if len(self.connections) > self.most:
            self.cut_off(next(iter(self.connections)))

    def end(self, connection: "Connection") -> None:
        """Note that a connection waits no longer. Safe to repeat."""
        self.connections.pop(connection, None)

    def came(self, connection: "Connection", count: int) -> None:
        """Count bytes of an unfinished request; cut off the largest when all together are too many."""
        if connection in self.connections:
            self.connections[connection] += count
            if sum(self.connections.values()) > self.most_bytes:
                self.cut_off(max(self.connections, key=lambda one: self.connections[one]))

    def cut_off(self, connection: "Connection") -> None:
        """Close a connection at once; what it was still to be sent is dropped."""
        self.end(connection)
        connection.transport.abort()


class Connection(H11Protocol):
    """A connection of uvicorn's that does not wait for its client for ever. `waiting` is its server's."""

    waiting: Waiting
    _timer: asyncio.TimerHandle | None = None
    _unread = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.waiting.came(self, len(data))
        if not self.transport.is_closing():
            super().data_received(data)
            self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = True
        self._look()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread = False
        self._look()

    def _look(self) -> None:
        """Start the timer when it is the client's turn, stop it when it is ours. Part of a request restarts nothing."""
        in_work = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if in_work and not self._unread:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.waiting.patience_s, self.waiting.cut_off, self)
            self.waiting.begin(self)

    def _stop(self) -> None:
        self.waiting.end(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
