"""How the services that listen do it: one uvicorn, quiet, with its loops beside it."""

import threading
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette

from services.connections import Connection, Waiting
from services.requests_in_work import RequestsInWork


def make_server(
    app: Starlette, host: str, port: int, *, concurrency: int, grace_s: int, waiting: Waiting | None = None
) -> uvicorn.Server:
    """Return a server that nobody silences by holding connections open: `waiting` bounds what waits for its client.

    More than `concurrency` whole requests at once are answered 503; those open at the end have `grace_s` seconds.
    """

    class Bounded(Connection):
        pass

    Bounded.waiting = waiting or Waiting()
    config = uvicorn.Config(
        RequestsInWork(app, concurrency),
        host=host,
        port=port,
        http=Bounded,
        ws="none",  # a connection that changes its protocol would leave the limits
        log_config=None,
        access_log=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=grace_s,
        server_header=False,
    )
    return uvicorn.Server(config)


def serve(
    app: Starlette,
    host: str,
    port: int,
    *,
    concurrency: int,
    grace_s: int,
    threads: Sequence[threading.Thread],
    stop: threading.Event,
) -> int:
    """Start the threads and serve until SIGTERM or SIGINT, then set `stop`; return the exit code, 1: it never served.

    The limits are those of `make_server`.
    """
    server = make_server(app, host, port, concurrency=concurrency, grace_s=grace_s)
    for thread in threads:
        thread.start()
    try:
        server.run()  # it takes the signals itself
    finally:
        stop.set()
    return 0 if server.started else 1
