"""How the services that listen do it: one uvicorn, quiet, with its loops beside it."""

import threading
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette


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

    More than `concurrency` requests at once are answered 503; those open at the end have `grace_s` seconds.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        limit_concurrency=concurrency,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=grace_s,
        server_header=False,
    )
    server = uvicorn.Server(config)
    for thread in threads:
        thread.start()
    try:
        server.run()  # it takes the signals itself
    finally:
        stop.set()
    return 0 if server.started else 1
