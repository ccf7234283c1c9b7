"""Task changes, from any process to every open page of their user.

PostgreSQL carries them (NOTIFY), so that several processes can serve one user.
"""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator

import psycopg
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

log = logging.getLogger("assistant.events")

HEARTBEAT_S = 1.0


def announce(session: Session, user_id: int, change: str, task_id: int | None = None) -> None:
    """Tell every process, when the transaction commits and not before."""
    payload = json.dumps({"user_id": user_id, "change": change, "task_id": task_id})
    session.execute(text("SELECT pg_notify('task_changes', :payload)"), {"payload": payload})


class Broker:
    """Hands changes to the streams of this process. Lives in the event loop."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[str | None], int] = {}
        self.closing = False

    def publish(self, payload: str) -> None:
        """To the streams of its user, or to all when it names none."""
        change = json.loads(payload)
        user_id = change.pop("user_id")
        for queue, owner in self._queues.items():
            if user_id in (owner, None):
                queue.put_nowait(json.dumps(change))

    def close(self) -> None:
        """End every stream now; the pages reconnect, to another process if this one is leaving."""
        self.closing = True
        for queue in self._queues:
            queue.put_nowait(None)

    async def stream(self, user_id: int) -> AsyncIterator[str]:
        """Server-sent events, and a comment every second so that a dead connection is noticed."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._queues[queue] = user_id
        try:
            yield "retry: 1000\n: connected\n\n"
            while not self.closing:
                try:
                    data = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield ": heartbeat\n\n"
                else:
                    if data is not None:
                        yield f"event: task\ndata: {data}\n\n"
        finally:
            del self._queues[queue]


class Listener:
    """A thread with one connection of its own that LISTENs and feeds the broker."""

    def __init__(self, database_url: str, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        url = make_url(database_url).set(drivername="postgresql")
        self._conninfo = url.render_as_string(hide_password=False)
        self._broker, self._loop = broker, loop
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="task-changes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                log.warning("listener lost its connection: %s", type(error).__name__)
                self._stop.wait(1)

    def _listen(self) -> None:
        with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=3) as connection:
            connection.execute("LISTEN task_changes")
            # What happened while nobody listened is unknown: the pages must look again.
            self._publish('{"user_id": null, "change": "reload", "task_id": null}')
            while not self._stop.is_set():
                for notify in connection.notifies(timeout=0.2):
                    self._publish(notify.payload)

    def _publish(self, payload: str) -> None:
        self._loop.call_soon_threadsafe(self._broker.publish, payload)
