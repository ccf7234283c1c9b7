"""A flow whose checks do nothing: what is left is what orchestration costs."""

import sys
import time
from functools import partial
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from evidence.results import Results
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Check, Outcome
from host.home import Home
from tasks.checks.memory import Memory
from tasks.checks.run_jobs import Job, run_jobs
from tasks.source.git import Source
from tasks.source.workspace import Looked, Workspace


@task(name="nothing", cache_policy=NO_CACHE)
def nothing(name: str) -> Looked:
    """Pass at once."""
    return Looked(Check(name=name, outcome=Outcome.PASSED, reason="nothing to do"))


@flow(name="empty jobs", task_runner=ThreadPoolTaskRunner(max_workers=2))  # type: ignore[arg-type]
def empty_jobs(count: int) -> float:
    """Run that many checks and return the seconds from the first to the last."""
    home = Home.find()
    source = Source("0" * 40, "none", "bench", (), Path())
    results = Results(Store(home.store), Keys(home.keys), "bench", protected=False)
    memory = Memory(results, source, "bench", home.work)
    names = [f"check-{number}" for number in range(count)]
    began = time.monotonic()
    run_jobs([Job(name, partial(nothing.submit, name)) for name in names], memory, Workspace(Path(), source, Path()))
    return time.monotonic() - began


if __name__ == "__main__":
    print(empty_jobs(int(sys.argv[1])))
