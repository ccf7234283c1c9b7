"""What process trees use while they are measured, seen from outside the sandbox."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

from host.resources.process_usage import cpu_s, tree
from tasks.source.background import Background

SAMPLE_S = 0.25


class Sample(NamedTuple):
    """At Unix time `at`: seconds of processor time used so far by the app, by the load generator, by the app's database
    and by the whole machine, and the app's memory in bytes.
    """

    at: float
    app_cpu_s: float
    load_cpu_s: float
    database_cpu_s: float
    machine_cpu_s: float
    memory_bytes: int


@dataclass
class Sampler:
    """Takes a sample each quarter of a second, in a thread, from `start` on."""

    app: Background
    load: Background
    database: psutil.Process | None = None
    samples: list[Sample] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def sampling(self) -> Iterator[None]:
        """Take samples while the block runs."""
        thread = threading.Thread(target=self._follow, name="load-sampler", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def _follow(self) -> None:
        while not self._done.wait(SAMPLE_S):
            if not self.app.future.done():
                self.samples.append(self.sample())

    def sample(self) -> Sample:
        machine = psutil.cpu_times()
        # user to steal: what guests used is counted as the user's already
        used = sum(machine[:8]) - machine.idle - machine.iowait
        database = tree(self.database) if self.database else []
        app, load = self.app.tree(), self.load.tree()
        return Sample(time.time(), cpu_s(app), cpu_s(load), cpu_s(database), used, self.app.memory_bytes())
