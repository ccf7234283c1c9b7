"""Wait until containers run and are healthy: for as long as they work, and not a moment longer than they live."""

import time
from collections.abc import Callable, Sequence

from host.docker.containers import Container
from host.docker.engine import Engine
from host.resources.starts import Start

POLL_S = 0.5
MOST_RESTARTS = 3  # an engine starts one again that ended; so often is no accident
LINES = 8


def await_healthy(
    engine: Engine, up: Callable[[], str], find: Callable[[], Sequence[Container]], limit_s: float
) -> str:
    """Start containers by `up`, and wait until all of them run and are healthy. Returns "" then, else why not.

    `up` returns what compose says when it is not content: also when one that others wait for is unhealthy for a while,
    as on a busy host. It is asked again once that one is well. `find` returns the containers. One that ended is told at
    once; `limit_s` counts as in host/resources/starts.py.
    """
    start = Start(limit_s, lambda: [one.pid for one in find() if one.pid and engine.is_here])
    said, slow = up(), False
    while True:
        found = find()
        if ended := [one for one in found if has_ended(one)]:
            return told(engine, ended, said)
        late = [one for one in found if one.state == "running" and one.health not in ("", "healthy")]
        if not late:
            if not (said and slow):
                return said
            said, slow = up(), False
        elif start.over():
            return told(engine, late, said)
        else:
            slow = True
            time.sleep(POLL_S)


def told(engine: Engine, containers: Sequence[Container], said: str = "") -> str:
    """Return how containers are and what each printed last, after what compose said."""
    words = [f"{one.service} ({one.health or one.state}): {engine.log_tail(one, LINES)}" for one in containers]
    return "\n".join(filter(None, [said, *words]))


def has_ended(one: Container) -> bool:
    """Say whether a container ended, or ends again and again."""
    return one.state in ("exited", "dead") or one.restarts >= MOST_RESTARTS
