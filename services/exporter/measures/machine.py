"""The host, and what the supervisors run on it: workers, services, routers, databases, slots."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psutil
from prometheus_client.core import CounterMetricFamily, Metric

from host.errors import SupervisorError
from host.home import Home
from host.supervisor.program import ProgramState, State
from host.supervisor.supervisor import Supervisor
from services.exporter.measures import Kept, gauge

CONTROL = "control"
EVERY_S = 5.0


@dataclass(frozen=True)
class Use:
    """What a program and everything that it started use: bytes that are resident, seconds of processor time."""

    memory: float
    cpu_s: float


@dataclass(frozen=True)
class Seen:
    """One program: whether it runs, since when (epoch seconds), and what it uses."""

    runs: bool
    since: float
    use: Use | None


class MachineMeasure:
    """Disk, memory and processor of the host; state and use of every program."""

    name = "machine"

    def __init__(self, home: Home, environments: Mapping[str, Supervisor]) -> None:
        self.home = home
        self.supervisors = environments
        # Beside the scrapes: it reads some files of every process of the host.
        self.kept: Kept[dict[str, Mapping[str, Seen] | None]] = Kept(self.name, EVERY_S, self.look)

    def collect(self) -> Iterator[Metric]:
        yield from self._host()
        yield from _programs(self.kept.value or {})

    def look(self) -> dict[str, Mapping[str, Seen] | None]:
        """Look at every program: scope -> program -> what was seen, None for a supervisor that does not answer."""
        children = _children()
        found: dict[str, Mapping[str, Seen] | None] = {}
        for scope, supervisor in self.supervisors.items():
            states = _states(supervisor)
            found[scope] = None if states is None else {name: _seen(one, children) for name, one in states.items()}
        return found

    def _host(self) -> Iterator[Metric]:
        disk = shutil.disk_usage(self.home.root)
        memory = psutil.virtual_memory()
        figures = {
            "host_disk_free_bytes": ("Free where the state directory lies", disk.free),
            "host_disk_size_bytes": ("Size of that file system", disk.total),
            "host_memory_available_bytes": ("Memory that can be had without swapping", memory.available),
            "host_memory_size_bytes": ("Memory of the host", memory.total),
            "host_load1": ("Processes that want the processor, over a minute", os.getloadavg()[0]),
            "host_cpus": ("Processors", float(psutil.cpu_count() or 1)),
        }
        for name, (text, value) in figures.items():
            made = gauge(name, text)
            made.add_metric([], value)
            yield made
        times = psutil.cpu_times()
        seconds = CounterMetricFamily("slipway_host_cpu_seconds", "Processor time of the host", labels=["mode"])
        for mode in ("user", "system", "idle", "iowait"):
            seconds.add_metric([mode], getattr(times, mode, 0.0))
        yield seconds


def _programs(seen: Mapping[str, Mapping[str, Seen] | None]) -> Iterator[Metric]:
    labels = ("scope", "program")
    answers = gauge("supervisor_up", "Whether a supervisor answers", "scope")
    up = gauge("program_up", "Whether a program runs", *labels)
    since = gauge("program_start_timestamp_seconds", "Since when it runs", *labels)
    memory = gauge("program_memory_bytes", "Resident memory, with what it started", *labels)
    cpu = CounterMetricFamily("slipway_program_cpu_seconds", "Processor time, with what it started", labels=labels)
    for scope, programs in seen.items():
        answers.add_metric([scope], float(programs is not None))
        for name, one in (programs or {}).items():
            up.add_metric([scope, name], float(one.runs))
            if one.use:
                since.add_metric([scope, name], one.since)
                memory.add_metric([scope, name], one.use.memory)
                cpu.add_metric([scope, name], one.use.cpu_s)
    yield from (answers, up, since, memory, cpu)


def _seen(state: ProgramState, children: Mapping[int, list[int]]) -> Seen:
    use = _use(state.pid, children) if state.pid else None
    return Seen(state.state is State.RUNNING, state.since, use)


def _states(supervisor: Supervisor) -> Mapping[str, ProgramState] | None:
    try:
        return supervisor.states()
    except SupervisorError:
        return None


def _children() -> dict[int, list[int]]:
    """Return parent -> children of every process, read once for all programs."""
    found: dict[int, list[int]] = {}
    for process in psutil.process_iter(["ppid"]):
        found.setdefault(process.info["ppid"], []).append(process.pid)
    return found


def _use(pid: int, children: Mapping[int, list[int]]) -> Use:
    """Add up a tree of processes. Reaped children's time stays with their parent: the sum does not shrink."""
    memory = cpu_s = 0.0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        try:
            process = psutil.Process(one)
            with process.oneshot():
                memory += process.memory_info().rss
                cpu_s += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return Use(memory, cpu_s)
