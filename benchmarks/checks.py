"""`ci` beside the same tools run bare (bare.py): a part of `make bench`.

The example in a home of its own, everything installed before the clock starts; bare and cold take turns. Only the
ratios of one run mean anything.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from benchmarks.bare import run_bare
from cli.demo.story import make_repository, read_story
from cli.local import control_plane
from control.plane import Control
from control.prefect_api import PrefectApi
from evidence.check_report import Report, read_report
from host.errors import ToolError
from host.home import CHECKOUT, Home
from host.ports import free_port
from settings.pipeline import read_pipeline

TURNS = 2
TASKS = 40
COMMAND_TIMEOUT_S = 600
CHANGED = Path("tests", "unit", "test_parsing.py")


@dataclass(frozen=True)
class Run:
    """One run of `ci`: the seconds from its first state to its last, its pages included, and those of the whole
    command, which also imports Prefect and prints the summary.
    """

    report: Report
    seconds: float
    typed_s: float

    @property
    def looked(self) -> tuple[str, ...]:
        """Return the names of the checks that looked, instead of remembering."""
        return tuple(check.name for check in self.report.checks if not check.source_run)


@dataclass(frozen=True)
class Figures:
    """Medians of the turns in seconds, and the single runs. `told_s`: the whole command when nothing changed at all."""

    bare_s: float
    cold_s: float
    typed_s: float
    again: Run
    told_s: float
    changed: Run
    task_s: float


def run() -> Figures:
    """Measure all of it. Raises ToolError if a run did not end as it must."""
    with _home() as (home, repository):
        first = _ci(home, repository)  # installs whatever is needed
        bare, cold = [], []
        for _ in range(TURNS):
            _forget(home)
            bare.append(run_bare(home, repository, read_pipeline(), first.report))
            cold.append(_ci(home, repository))
        if any(set(one.looked) != set(first.looked) for one in cold):
            raise ToolError("two runs of ci did not make the same checks")
        _forget_trees(home)
        again = _ci(home, repository)
        told = _ci(home, repository)
        if told.report.run != again.report.run:
            raise ToolError("nothing changed, and ci looked again")
        file = repository / CHANGED
        file.write_text(file.read_text(encoding="utf-8") + "\n\ndef test_one_more() -> None:\n    pass\n")
        changed = _ci(home, repository)
        cold_s, typed_s = median(one.seconds for one in cold), median(one.typed_s for one in cold)
        return Figures(median(bare), cold_s, typed_s, again, told.typed_s, changed, _task_s())


@contextmanager
def _home() -> Iterator[tuple[Home, Path]]:
    """Give a home with Prefect's server up and the example's repository, while the block runs."""
    before = dict(os.environ)
    home = Home(Path(tempfile.mkdtemp(prefix="slipway-bench-")))
    try:
        os.environ |= {"SLIPWAY_HOME": str(home.root), "SLIPWAY_PREFECT_PORT": str(free_port())}
        repository = home.root / "demo" / "assistant"
        make_repository(read_story(CHECKOUT / "examples" / "story"), repository)
        with control_plane(home):
            yield home, repository
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(home.root, ignore_errors=True)


def _ci(home: Home, repository: Path) -> Run:
    """Type `slipway ci` on the working tree, and return the run."""
    began = time.monotonic()
    done = _slipway("cli.main", "ci", str(repository))
    typed_s = time.monotonic() - began
    newest = max((home.root / "reports").glob("*.json"), key=lambda file: file.stat().st_mtime, default=None)
    report = read_report(home, newest.stem) if newest else None
    if report is None or done.returncode:
        raise ToolError(f"ci ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return Run(report, _run_s(home, report.run), typed_s)


def _run_s(home: Home, run: str) -> float:
    """Return how long a flow run took, from its first state to its last."""
    seen = PrefectApi(Control(home)).call("GET", f"/flow_runs/{run}")
    if not (seen and seen["start_time"] and seen["end_time"]):
        raise ToolError(f"the run {run} has not ended")
    began, ended = (datetime.fromisoformat(seen[name]) for name in ("start_time", "end_time"))
    return (ended - began).total_seconds()


def _slipway(*words: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", *words]
    return subprocess.run(
        argv, cwd=CHECKOUT, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False, env=dict(os.environ)
    )


def _forget(home: Home) -> None:
    """Forget results, tool caches and builds, not what is installed."""
    for folder in (home.store / "results", home.cache / "tools", home.cache / "builds"):
        shutil.rmtree(folder, ignore_errors=True)
    _forget_trees(home)


def _forget_trees(home: Home) -> None:
    """Forget which working trees were found good: the next ci is a run."""
    shutil.rmtree(home.root / "reports" / "trees", ignore_errors=True)


def _task_s() -> float:
    """Return what orchestration costs for each check: jobs that do nothing, one after another."""
    done = _slipway("benchmarks.empty_jobs", str(TASKS))
    if done.returncode:
        raise ToolError(f"the empty jobs ended with {done.returncode}: {done.stderr[-1500:]}")
    return float(done.stdout.split()[-1]) / TASKS
