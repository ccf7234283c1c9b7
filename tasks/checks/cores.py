"""Checks take a core of the host while they work, and say in their run what they wait for."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from prefect import runtime
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from host.home import Home
from host.resources.cores import Claim, Cores, host_cores
from host.virtual_environments import COMPLETE, once
from tasks.source.declared import told
from tasks.source.workspace import Looked, Workspace

progress = logging.getLogger("slipway.progress")
SHORTEST_NOTED_S = 1.0


@contextmanager
def core(what: str, cancelled: threading.Event | None = None, alone: bool = False) -> Iterator[float]:
    """Hold a core of this host, or with `alone` all of them, while the block runs; yield the seconds waited.

    A release takes none: it must not wait for checks. Raises ToolError if `cancelled` is set while it waits.
    """

    def tell(words: str) -> None:
        progress.info("%s: %s", what, words)
        try:
            get_run_logger().info("%s: %s", what, words)
        except MissingContextError:
            pass  # outside of a run, the progress is all there is

    cores = Cores(Home.find().cores, host_cores())
    with cores.take(Claim(what=what, run=_run(), alone=alone), tell, cancelled) as waited_s:
        yield waited_s


def on_a_core(what: str, workspace: Workspace, look: Callable[[], Looked], alone: bool = False) -> Looked:
    """Return what `look` comes to, done with a core of this host, or with `alone` all of them.

    `what` names it to others that wait. The time waited is no part of the check's seconds. No word of the check holds a
    secret that the commit declares.
    """
    with core(what, workspace.cancelled, alone) as waited_s:
        looked = look()
        check = told(looked.check, workspace.source.archive)
    return replace(looked, check=check, waited_s=waited_s)


def once_on_a_core(
    what: str, directory: Path, make: Callable[[], None], cancelled: threading.Event | None = None
) -> None:
    """Have a directory made exactly once, with a core of this host; what is there already waits for none."""
    if not (directory / COMPLETE).exists():
        with core(what, cancelled):  # before the lock of `once`: who holds that must not wait for a core
            once(directory, make)


def with_wait_noted(looked: Looked) -> Looked:
    """Return a check's result with a note of how long other runs made it wait. For the run that waited, never kept."""
    if looked.waited_s < SHORTEST_NOTED_S:
        return looked
    note = f"waited for a core: {looked.waited_s:.0f} s, while other runs used them"
    check = looked.check.model_copy(update={"notes": (*looked.check.notes, note)})
    return replace(looked, check=check)


def _run() -> str:
    return f"{runtime.flow_run.name} ({str(runtime.flow_run.id)[:8]})" if runtime.flow_run.id else ""
