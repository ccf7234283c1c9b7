"""Wait until programs of a supervisor are ready: for as long as they work, and not a moment longer than they live."""

import time
from collections.abc import Callable, Sequence

from host.errors import SupervisorError
from host.resources.starts import Start
from host.supervisor.program import AT_REST, ProgramState, State
from host.supervisor.supervisor import Supervisor

POLL_S = 0.1


def await_ready(
    supervisor: Supervisor, names: Sequence[str], ready: Callable[[], object], limit_s: float, every: float = POLL_S
) -> str:
    """Wait until `ready`. Returns "" then, else why not: which program ended, at once; or that none does anything.

    `limit_s` counts as in host/resources/starts.py.
    """
    before = {name: _state(supervisor, name) for name in names}
    start = Start(limit_s, lambda: [one.pid for name in names if (one := _state(supervisor, name)) and one.pid])
    while not ready():
        for name, first in before.items():
            if why := _end(_state(supervisor, name), first):
                return f"{name} {why}; its log ends:\n{supervisor.log_tail(name, 15)}"
        if start.over() and not ready():
            said = "\n".join(supervisor.log_tail(name, 15) for name in names)
            return f"{' and '.join(names) or 'it'} does nothing any more, and is not ready; its log ends:\n{said}"
        time.sleep(every)
    return ""


def _state(supervisor: Supervisor, name: str) -> ProgramState | None:
    try:
        return supervisor.state(name)
    except SupervisorError:
        return None


def _end(now: ProgramState | None, first: ProgramState | None) -> str:
    """Return how a program ended, "" while it runs or nobody can say."""
    if now is None or first is None:
        return ""
    if now.state in AT_REST or now.state is State.BACKOFF or now.ended != first.ended:
        return f"ended with exit status {now.exit_status}{now.spawn_error and f', {now.spawn_error}'}"
    return ""
