"""Loop of every service that works through a queue of the outbox."""

import threading
from collections.abc import Callable

import structlog

from host.errors import SlipwayError

log = structlog.get_logger("outbox")


def run_queue(
    work: Callable[[], float | None],
    queue: str,
    stop: threading.Event,
    every_s: float,
    news: threading.Event | None = None,
) -> None:
    """Call `work` until `stop` is set, every `every_s` seconds or, when it returns more, so many; at once at `news`.

    What it raises is logged, and it is called again: the outbox keeps what is not done.
    """
    while not stop.is_set():
        if news:
            news.clear()
        wait_s = every_s
        try:
            wait_s = max(work() or 0.0, every_s)
        except SlipwayError as error:
            log.error("outbox", queue=queue, error=str(error))
        (news or stop).wait(wait_s)
