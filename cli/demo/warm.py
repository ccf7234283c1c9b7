"""Preparation, while the server starts, of what the first ci needs: environments, wheels and tools, kept by their
locks.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cli.progress import Board
from evidence.scopes import OURS
from settings.locks import LockChoice
from settings.pipeline import Pipeline
from tasks.source.app_locks import AppLocks
from tasks.source.locked_environments import Tools, fetch_wheels, locked_environment, own_tools

AT_ONCE = 2
TOOLS_OF_CI: tuple[Tools, ...] = ("quality", "scanners", "load", "services")
WHAT = "environments, made once"
Making = tuple[str, Callable[[], Path]]


def needed(tree: Path, pipeline: Pipeline) -> list[Making]:
    """Return what a ci of the app in `tree` will ask for, what it asks for first at the beginning, each with a name."""
    locks = pipeline.locks
    files = AppLocks.of(pipeline, tree)
    made: list[Making] = [(f"environment of {locks.ci}", lambda: _environment(files, locks.ci))]
    made += [(f"wheels of {lock}", partial(_wheels, files, lock)) for lock in locks.shipped]
    made += [(f"our tools: {group}", partial(own_tools, group)) for group in TOOLS_OF_CI]
    return made


def _environment(locks: AppLocks, lock: LockChoice) -> Path:
    return locked_environment(locks.file(lock), locks.python, OURS, built=locks.wheels(lock))


def _wheels(locks: AppLocks, lock: LockChoice) -> Path:
    return fetch_wheels(locks.file(lock), locks.python, OURS, built=locks.wheels(lock))


@contextmanager
def warming(making: Sequence[Making], board: Board) -> Iterator[None]:
    """Make them beside the block, a few at a time, and say on the board how far that is.

    What cannot be made is left to the run that needs it: it says why. At the block's end what has not begun is dropped.
    """
    with ThreadPoolExecutor(AT_ONCE) as threads, ThreadPoolExecutor(1) as beside:
        begun = {threads.submit(make): name for name, make in making}
        telling = beside.submit(_tell, begun, board)
        try:
            yield
        finally:
            for one in begun:
                one.cancel()
            telling.result()


def _tell(begun: dict[Future[Path], str], board: Board) -> None:
    with board.line(WHAT) as tell:
        while left := [name for one, name in begun.items() if not one.done()]:
            now = [name for one, name in begun.items() if one.running()]
            tell(f"{len(begun) - len(left)} of {len(begun)} done, now: {', '.join(now)}")
            wait(begun, timeout=1)
