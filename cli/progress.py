"""Progress of a run: a line every few seconds."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from cli.screen import console, escape
from control.prefect_api import PrefectApi
from host.errors import ServerAway

EVERY_S = 4.0  # a person is told something at least every 5 s
LOOK_S = 2.0
MOST_NAMES = 5
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")


class Board:
    """One line for each thing under way, each with its seconds. Several threads may write on it."""

    def __init__(self, screen: Console = console, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen, self._clock = screen, clock
        self._lock = threading.Lock()
        self._lines: dict[str, tuple[float, str]] = {}
        self._printed = clock()

    @contextmanager
    def line(self, what: str) -> Iterator[Callable[[str], None]]:
        """Yield the writer of the line of `what`. The line disappears after the block."""
        with self._lock:
            self._lines[what] = (self._clock(), "")
        try:
            yield lambda text: self._write(what, text)
        finally:
            with self._lock:
                del self._lines[what]

    def _write(self, what: str, text: str) -> None:
        """Replace a line's text. Print all lines when the last time is long enough ago."""
        with self._lock:
            now = self._clock()
            self._lines[what] = (self._lines[what][0], text)
            if now - self._printed < EVERY_S:
                return
            self._printed = now
            shown = [f"{what}, {now - since:.0f} s: {text}" for what, (since, text) in self._lines.items() if text]
        for one in shown:
            self._screen.print(f"[dim]      ... {escape(one)}[/dim]")


class Steps:
    """Reader, every LOOK_S seconds, of the steps of a run: which have ended, and which run now."""

    def __init__(self, api: PrefectApi, run: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._run, self._clock = api, run, clock
        self._looked = float("-inf")
        self._words = "not begun yet"

    def words(self) -> str:
        """Return the steps in words; the former words while the server is away (the follower notices it)."""
        if self._clock() - self._looked >= LOOK_S:
            self._looked = self._clock()
            wanted = {"flow_runs": {"id": {"any_": [self._run]}}, "limit": 200}
            try:
                self._words = in_words(self._api.call("POST", "/task_runs/filter", wanted) or [])
            except ServerAway:
                pass
        return self._words


def in_words(task_runs: Sequence[Mapping[str, Any]]) -> str:
    """Return how many of the known steps have ended, which run, and how many wait."""
    if not task_runs:
        return "not begun yet"
    running = sorted(str(one["name"]) for one in task_runs if one["state_type"] == "RUNNING")
    ended = sum(one["state_type"] in ENDED for one in task_runs)
    waiting = sorted(str(one["name"]) for one in task_runs if one["state_type"] not in (*ENDED, "RUNNING"))
    words = f"{ended} of {len(task_runs)} steps done, now: {_names(running) or 'between two steps'}"
    return f"{words}; then: {_names(waiting)}" if waiting else words


def _names(names: Sequence[str]) -> str:
    more = [f"{len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    return ", ".join([*names[:MOST_NAMES], *more])
